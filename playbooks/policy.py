"""Checks an answer before it is public: what must not be said there, and what should be thought over.

Pull, never push: who complains or asks gets help, not an offer. The length of a text is the network's business
(connectors/length.py), not ours.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`block`: it must not be sent like this. `warn`: the agent decides."""

    BLOCK = "block"
    WARN = "warn"


class ConcernKind(StrEnum):
    """What is the matter with a text."""

    EMPTY = "empty"
    UNRESOLVED = "unresolved"
    REVEALS_PRIVATE_DATA = "reveals_private_data"
    ASKS_PRIVATE_DATA = "asks_private_data"
    SELLS = "sells"
    REPEATS = "repeats"
    OTHER_LANGUAGE = "other_language"


@dataclass(frozen=True, slots=True)
class Concern:
    """Something to correct or think over. `words` is an English msgid; `start`, `end` in characters of the text."""

    kind: ConcernKind
    severity: Severity
    words: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class ReplyContext:
    """What the answer answers: the customer's intents, language, and our latest answers to others."""

    intents: Collection[str] = ()
    sentiment: str = ""
    language: str | None = None
    reply_language: str | None = None
    recent_replies: Sequence[str] = ()


# Who complains or asks came for help.
_NEEDS_HELP = frozenset({"complaint", "question", "churn_threat", "crisis_signal"})
_PLACEHOLDER = re.compile(
    r"\{\{.*?\}\}|\{%.*?%\}|\{[a-z_ ]{2,30}\}|\[(?:nome|name|cliente|customer|link|data|date|xxx+)\]", re.IGNORECASE
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.[a-z]{2,24}", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w/.-])(?:\+|00)?\d(?:[ ./()-]?\d){8,14}(?![\w-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")
_CARD = re.compile(r"(?<!\d)(?:\d[ -]?){13,19}(?!\d)")
_TAX_CODE = re.compile(r"\b[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]\b", re.IGNORECASE)
_ASK = (
    r"(?:scriv\w+|invi\w+|mand\w+|lasci\w+|indic\w+|comunic\w+|forni\w+|dicci|dacci|ci dia|ci dai|condivid\w+|"
    r"qual è|send|share|give|tell|post|provide|write|leave|drop|what is|what's|could you|can you|please)"
)
_PRIVATE_THING = (
    r"(?:numero di telefono|cellulare|indirizzo|e-?mail|mail|codice fiscale|iban|carta di credito|"
    r"numero d['’i] ?(?:ordine|cliente|conto|carta)|"
    r"codice cliente|data di nascita|password|pin|documento|phone number|mobile number|address|tax code|"
    r"credit card|card number|order number|account number|customer number|date of birth|password|passport)"
)
_ASKS = re.compile(rf"\b{_ASK}\b[^.!?\n]{{0,60}}?\b{_PRIVATE_THING}\b", re.IGNORECASE)
_IN_PRIVATE = re.compile(
    r"\b(?:in privato|messaggio privato|messaggi privati|in direct|in dm|via dm|nei dm|privat\w+|direct message|"
    r"private message|by dm|in a dm|a dm|dms?|privately|in private)\b",
    re.IGNORECASE,
)
_SELLS = re.compile(
    r"\b(?:sconto|sconti|offert[ae]|promo(?:zione|zioni)?|codice sconto|acquista|compra ora|approfitta(?:ne)?|in saldo|"
    r"abbonati|discount|special offer|promo code|buy now|shop now|on sale|deal of|limited time|subscribe now|"
    r"upgrade now|\d{1,2} ?% (?:off|di sconto))\b|(?<!\w)#\w*(?:sale|promo|blackfriday|saldi|offert)\w*",
    re.IGNORECASE,
)
_MIN_REPEATED = 40
MAX_CHECKED = 20_000


def check_reply(text: str, context: ReplyContext) -> tuple[Concern, ...]:
    """Everything that should be corrected or thought over before this text is public, blocking ones first.

    Looks at the first 20,000 characters; no network takes a longer answer.
    """
    text = text[:MAX_CHECKED]
    concerns = [*_check_text(text), *_check_private_data(text), *_check_fit(text, context)]
    return tuple(sorted(concerns, key=lambda concern: (concern.severity is not Severity.BLOCK, concern.start)))


def _check_text(text: str) -> Iterator[Concern]:
    if not text.strip():
        yield Concern(ConcernKind.EMPTY, Severity.BLOCK, "There is nothing to send yet.")
    for match in _PLACEHOLDER.finditer(text):
        yield Concern(
            ConcernKind.UNRESOLVED, Severity.BLOCK, "A placeholder is still in the text: fill it in.", *match.span()
        )


def _check_private_data(text: str) -> Iterator[Concern]:
    blocked: list[tuple[int, int]] = []
    reveals = "This shows personal data to everybody: take it out."
    for pattern, is_real in ((_IBAN, _is_iban), (_CARD, _is_card), (_TAX_CODE, _always)):
        for match in pattern.finditer(text):
            if is_real(match.group()):
                blocked.append(match.span())
                yield Concern(ConcernKind.REVEALS_PRIVATE_DATA, Severity.BLOCK, reveals, *match.span())
    maybe_ours = "An address or a number stands here: send it only if it is the brand's own and public."
    for pattern in (_EMAIL, _PHONE):
        for match in pattern.finditer(text):
            if not any(match.start() < end and start < match.end() for start, end in blocked):
                yield Concern(ConcernKind.REVEALS_PRIVATE_DATA, Severity.WARN, maybe_ours, *match.span())
    for match in _ASKS.finditer(text):
        if not _IN_PRIVATE.search(_sentence_around(text, match)):
            yield Concern(
                ConcernKind.ASKS_PRIVATE_DATA,
                Severity.WARN,
                "This asks for personal data in public: ask for a private message instead.",
                *match.span(),
            )


def _check_fit(text: str, context: ReplyContext) -> Iterator[Concern]:
    if _NEEDS_HELP & set(context.intents) or context.sentiment == "negative":
        for match in _SELLS.finditer(text):
            yield Concern(
                ConcernKind.SELLS,
                Severity.WARN,
                "This sells to someone who came for help: answer first, offer nothing.",
                *match.span(),
            )
    folded = _words(text)
    if len(folded) >= _MIN_REPEATED and any(_words(recent) == folded for recent in context.recent_replies):
        yield Concern(
            ConcernKind.REPEATS,
            Severity.WARN,
            "The same words were sent to somebody else lately: say what concerns this person.",
        )
    if context.language and context.reply_language and context.language != context.reply_language:
        yield Concern(
            ConcernKind.OTHER_LANGUAGE, Severity.WARN, "The answer is in another language than the customer's."
        )


def _sentence_around(text: str, match: re.Match[str]) -> str:
    start = max(text.rfind(mark, 0, match.start()) for mark in ".!?\n") + 1
    ends = [found for mark in ".!?\n" if (found := text.find(mark, match.end())) >= 0]
    return text[start : min(ends, default=len(text))]


def _words(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(char for char in decomposed if not unicodedata.combining(char))
    # The greeting's name may differ; what follows is what is repeated.
    return " ".join(word for word in re.findall(r"\w+", re.sub(r"@\S+", " ", letters)))


def _is_card(found: str) -> bool:
    digits = [int(char) for char in found if char.isdigit()]
    if not 13 <= len(digits) <= 19:  # noqa: PLR2004 - lengths of payment cards, ISO/IEC 7812
        return False
    doubled = [digit if index % 2 == 0 else sum(divmod(digit * 2, 10)) for index, digit in enumerate(digits[::-1])]
    return sum(doubled) % 10 == 0


def _is_iban(found: str) -> bool:
    compact = found.replace(" ", "")
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1  # ISO 13616


def _always(_found: str) -> bool:
    return True

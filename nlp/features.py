"""The tokeniser of posts: what a text is made of, before any weight is put on it.

Lower case, elongations cut to two, emoji one by one, hashtags split, web addresses, handles, money and numbers
normalised, words under a negation marked with "¬", words that a later "but" takes back with "°", and the shape of the
text ("<q>", "<caps>" …) as marks. No learning here and no vocabulary: nlp/ngrams.py does that.
"""

import re
from dataclasses import dataclass

MAX_CHARS = 4000  # a post longer than this has said what it has to say
NEGATED = "¬"
SOFTENED = "°"
_NEGATION_WORDS = 4

_ELONGATED = re.compile(r"([^\W\d_])\1{2,}")
_ADDRESSES = (
    r"(?P<url>(?i:https?://\S+|www\.\S+|\b[\w-]+\.(?:com|it|net|org|co|io|xyz|shop|info|link|top|ly)(?:/\S*)?\b))"
    r"|(?P<mail>[\w.+-]+@[\w-]+\.[\w.]+)"
    r"|(?P<handle>@[\w.]+)|"
)
_WRITING = (
    r"(?P<word>[^\W\d_]+(?:['’](?i:t|s|re|ve|ll|d|m)\b)?)"
    r"|(?P<hashtag>\#\w+)"
    r"|(?P<money>(?i:[€$£]\s?\d[\d.,]*[km]?|\d[\d.,]*\s?(?:€|\$|£|euro?\b|eur\b|pounds?\b|quid\b|dollars?\b|bucks\b)))"
    r"|(?P<number>\d[\d.,:%/]*)"
    r"|(?P<smile>[:;=8][-'^]?[)\]DdpP3*]+|<3|\^_?\^|[:;=]['-]?[(\[/|]+|-_+-)"
    r"|(?P<mark>[!?]+|\.{2,}|…|[\"“”«»])"
    r"|(?P<stop>[.,;:)\n])"
    r"|(?P<emoji>[\U0001F000-\U0001FAFF☀-➿⬀-⯿⌀-⏿])"
)
_TOKEN = re.compile(_ADDRESSES + _WRITING)
_TOKEN_WITHOUT_ADDRESSES = re.compile(_WRITING)  # the same tokens, much sooner, where no address can be
_MAY_HOLD_ADDRESS = re.compile(r"@|://|\w\.\w|(?i:www)\.")
_HASHTAG_PART = re.compile(r"[A-ZÀ-Þ]?[a-zà-ÿ]+|[A-ZÀ-Þ]+(?![a-zà-ÿ])|\d+")
_SKIN_TONE = re.compile("[\U0001f3fb-\U0001f3ff]")
_SAD_SMILE = frozenset("([/|")
_MANY_WORDS = 40
_FEW_WORDS = 6
_CAPS_LETTERS = 4

_NEGATION_LIST = (
    "non nn mai senza né nè nessun nessuno nessuna niente nulla nemmeno neanche neppure macché manco "
    "not no never without cannot cant dont doesnt didnt isnt wasnt wont wouldnt couldnt aint nothing nobody "
    "none neither nor hardly barely"
)
NEGATIONS = frozenset(_NEGATION_LIST.split())
_SCOPE_ENDS = frozenset({"but", "ma", "però", "although", "however", "tuttavia", "anzi", "except", "tranne"})
_TURNS = frozenset({"but", "ma", "però", "pero", "however", "tuttavia", "peccato"})
_TURN_REACH = 14  # words before a "but" that lose weight
_FIXED = {"handle": "<handle>", "number": "<number>", "url": "<url>", "mail": "<mail>", "money": "<money>"}


@dataclass(frozen=True, slots=True)
class Post:
    """A tokenised text: `tokens` in order (punctuation breaks left out), `marks` about its shape."""

    tokens: tuple[str, ...]
    marks: tuple[str, ...]


def tokenise(text: str) -> Post:
    """Split one text; never fails, whatever the characters are."""
    calm, is_elongated = _calm(text[:MAX_CHARS])
    tokens: list[str] = []
    counts = _Counts(elongated=is_elongated)
    negation_left = 0
    pattern = _TOKEN if _MAY_HOLD_ADDRESS.search(calm) else _TOKEN_WITHOUT_ADDRESSES
    for match in pattern.finditer(calm):
        kind, raw = match.lastgroup, match.group()
        if kind == "word":
            word = raw.lower()
            if "’" in word:
                word = word.replace("’", "'")
            if word in _TURNS:
                _soften(tokens)
            counts.words += 1
            counts.caps += raw.isupper() and len(raw) >= _CAPS_LETTERS
            tokens.append(NEGATED + word if negation_left else word)
            if word in NEGATIONS or word.endswith("n't"):
                negation_left = _NEGATION_WORDS
            elif negation_left:
                negation_left = 0 if word in _SCOPE_ENDS else negation_left - 1
        elif kind == "stop":
            negation_left = 0
        elif kind == "hashtag":
            tokens.append("<hashtag>")
            tokens.extend(part.lower() for part in _HASHTAG_PART.findall(raw))
        else:
            tokens.append(counts.see_other(kind or "", raw))
            if kind == "mark":
                negation_left = 0
    return Post(tokens=tuple(tokens), marks=counts.marks(ends_asking=calm.rstrip().endswith("?")))


def _calm(text: str) -> tuple[str, bool]:
    """Drop skin tones and cut elongations to two; gives the text, and whether there were elongations."""
    plain = text if text.isascii() else _SKIN_TONE.sub("", text)
    # The expression is slow, and hardly any text holds three of a character in a row.
    if not any(character * 3 in plain for character in set(plain)):
        return plain, False
    calm = _ELONGATED.sub(r"\1\1", plain)
    return calm, len(calm) != len(plain)


def _soften(tokens: list[str]) -> None:
    """Mark the words before a "but"; one that opens the text takes nothing back."""
    for position in range(max(0, len(tokens) - _TURN_REACH), len(tokens)):
        if not tokens[position].startswith(SOFTENED):
            tokens[position] = SOFTENED + tokens[position]


class _Counts:
    """What is counted on the way through a text, to be told as marks."""

    __slots__ = ("caps", "elongated", "exclaims", "handles", "money", "questions", "urls", "words")

    def __init__(self, *, elongated: bool) -> None:
        self.elongated = elongated
        self.words = self.caps = self.questions = self.exclaims = self.urls = self.money = self.handles = 0

    def see_other(self, kind: str, raw: str) -> str:
        """Count a token that is no word, and give its normal form."""
        self.urls += kind in {"url", "mail"}
        self.handles += kind == "handle"
        self.money += kind == "money"
        if kind == "mark":
            self.questions += "?" in raw
            self.exclaims += raw.count("!")
            return raw[0] if len(raw) == 1 else raw[0] * 2
        if kind == "smile":
            return "<sad>" if raw[-1] in _SAD_SMILE or raw.startswith("-_") else "<smile>"
        return _FIXED.get(kind, raw)

    def marks(self, *, ends_asking: bool) -> tuple[str, ...]:
        found = [
            ("<q>", self.questions > 0),
            ("<q2>", self.questions > 1),
            ("<q-end>", ends_asking),
            ("<!>", self.exclaims > 0),
            ("<!!>", self.exclaims > 2),  # noqa: PLR2004 - three exclamation marks are a tone
            ("<caps>", self.caps > 0),
            ("<caps2>", self.caps > 2),  # noqa: PLR2004 - shouting, not an acronym
            ("<elongated>", self.elongated),
            ("<link>", self.urls > 0),
            ("<price>", self.money > 0),
            ("<mention>", self.handles > 0),
            ("<long>", self.words > _MANY_WORDS),
            ("<short>", self.words < _FEW_WORDS),
        ]
        return tuple(name for name, present in found if present)

"""Brands, products and competitors named in a text, by spaCy's phrase matchers over the brand's own list.

Finds a name however it is written (case, hashtag, handle, Italian and English endings, joined words). A name that is
also a common word counts only near one of its context words, where the operator gives any. No statistics here.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from nlp.base import Entity

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

_MAX_CHARS = 4000
_MIN_INFLECTED = 4
_CONTEXT_WORDS = 12
_KINDS = ("brand", "product", "competitor")
_HANDLE_ENDS = r"(?:[_.]?(?:it|italia|italy|uk|us|ie|official|ufficiale|care|help|support|assistenza))?"
_PIPELINES = ("it", "en")

_Names = Mapping[str, Sequence[str]] | Sequence[str]


@dataclass(frozen=True)
class BrandTerms:
    """What the brand calls itself, what it sells and whom it competes with.

    Each is canonical name → other ways to write it, or plain names. `context`: canonical name → words of which one
    must stand within twelve words of it, for names that are common words too.
    """

    brands: _Names = ()
    products: _Names = ()
    competitors: _Names = ()
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def names(self) -> tuple[tuple[str, str, str], ...]:
        """(kind, canonical name, way to write it), blank ones left out."""
        by_kind = zip(_KINDS, (self.brands, self.products, self.competitors), strict=True)
        return tuple(
            (kind, name, form)
            for kind, names in by_kind
            for name, others in _with_forms(names).items()
            for form in (name, *others)
            if fold(form).strip()
        )


def _with_forms(names: _Names) -> Mapping[str, Sequence[str]]:
    return names if isinstance(names, Mapping) else dict.fromkeys(names, ())


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    lower = unicodedata.normalize("NFD", character.lower())[:1]
    return "'" if lower == "’" else lower or character


def fold(text: str) -> str:
    """Lower case without accents, one character for one, so that offsets stay true."""
    return "".join(map(_fold_character, text))


class EntityFinder:
    """Finds a brand's terms in texts; spaCy is loaded at the first text that may hold one."""

    def __init__(self, terms: BrandTerms) -> None:
        self._names = terms.names()
        self._context = {name: frozenset(map(fold, words)) for name, words in terms.context.items() if words}
        roots = sorted({re.escape(_joined(form)[:3]) for _, _, form in self._names})
        self._may_hold = re.compile("|".join(roots)) if roots else None
        self._matchers: dict[str, _Matchers] = {}

    def find(self, text: str, language: str) -> tuple[Entity, ...]:
        """Give the terms found, in order, longest first where they overlap."""
        if self._may_hold is None:
            return ()
        folded = fold(text[:_MAX_CHARS])
        if not self._may_hold.search(folded):
            return ()
        code = language if language in _PIPELINES else _PIPELINES[0]
        if code not in self._matchers:
            self._matchers[code] = _Matchers(code, self._names)
        doc, spans = self._matchers[code].spans(folded)
        return tuple(
            Entity(
                kind=kind,
                name=name,
                text=text[span.start_char : span.end_char],
                start=span.start_char,
                end=span.end_char,
            )
            for span in spans
            for kind, name in [self._names[int(span.label_)][:2]]
            if self._fits_context(name, doc, span)
        )

    def _fits_context(self, name: str, doc: "Doc", span: "Span") -> bool:
        wanted = self._context.get(name)
        if wanted is None:
            return True
        around = doc[max(0, span.start - _CONTEXT_WORDS) : span.end + _CONTEXT_WORDS]
        return any(token.text in wanted for token in around)


def _joined(form: str) -> str:
    return re.sub(r"[^\w]", "", fold(form)) or fold(form)


@cache
def _pipeline(language: str) -> "Language":
    import spacy

    return spacy.blank(language)


class _Matchers:
    """spaCy's matchers for one language: phrases as written, and single words with handle, hashtag and endings."""

    def __init__(self, language: str, names: Sequence[tuple[str, str, str]]) -> None:
        from spacy.matcher import Matcher, PhraseMatcher

        self._nlp = _pipeline(language)
        self._phrases = PhraseMatcher(self._nlp.vocab, attr="ORTH")
        self._words = Matcher(self._nlp.vocab)
        for position, (_, _, form) in enumerate(names):
            key = str(position)
            self._phrases.add(key, [self._nlp.make_doc(fold(form).strip())])
            self._words.add(key, [[{"TEXT": {"REGEX": _word_pattern(form)}}]])

    def spans(self, folded: str) -> "tuple[Doc, list[Span]]":
        from spacy.util import filter_spans

        doc = self._nlp.make_doc(folded)
        found = [*self._phrases(doc, as_spans=True), *self._words(doc, as_spans=True)]
        found.sort(key=lambda span: (span.start, -span.end, int(span.label_)))
        return doc, sorted(filter_spans(found), key=lambda span: span.start)


def _word_pattern(form: str) -> str:
    """One token that is the form: as handle or hashtag, joined or with _ . -, plural or with an Italian ending."""
    parts = [re.escape(part) for part in re.findall(r"\w+", fold(form))] or [re.escape(fold(form).strip())]
    body = r"[_.\-]?".join(parts)
    last = parts[-1]
    if len(parts) == 1 and len(last) >= _MIN_INFLECTED and last[-1] in "aeio":
        body = body[:-1] + "[aeio]"
    return rf"^[@#]?{body}(?:'?s)?{_HANDLE_ENDS}$"

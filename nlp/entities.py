"""Brands, products and competitors named in a text, from the brand's own list; people and places where a model is.

Finds a name however it is written (terms.py). A name that is also a common word counts only near one of its context
words, or never near some others, where the operator says so. No statistics here: those are in people_places.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from nlp.base import Entity
from nlp.people_places import PeopleAndPlaces, installed_pipelines
from nlp.terms import Hit, Reading, TermIndex, fold, longest

CONTEXT_WORDS = 12
_SENTENCE_STARTS = ("", *'.!?…:\n"“«(-–—#')
KINDS = ("brand", "product", "competitor")

_Names = Mapping[str, Sequence[str]] | Sequence[str]


@dataclass(frozen=True, slots=True)
class Term:
    """A name to recognise: `forms` are other ways to write it.

    With `context`, it counts only where one of these words stands within twelve words of it; with `not_with`, only
    where none of those does. An account addressed with @ always counts. With `capital_is_enough`, a capital letter
    within a sentence stands for context ("la Uno perde" against "uno perde").
    """

    kind: str  # one of KINDS
    name: str  # canonical name
    forms: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    not_with: tuple[str, ...] = ()
    capital_is_enough: bool = False
    has_own_forms: bool = False  # then the forms are all there is to look for, the name is only what it is called

    @property
    def ways(self) -> tuple[str, ...]:
        """Every way to write it that is looked for, blank ones left out."""
        forms = self.forms if self.has_own_forms else (self.name, *self.forms)
        return tuple(form for form in dict.fromkeys(forms) if fold(form).strip("* \t\n"))


@dataclass(frozen=True)
class BrandTerms:
    """What the brand calls itself, what it sells and whom it competes with.

    Each is canonical name → other ways to write it, or plain names; `context` and `not_with`: canonical name → words,
    as in Term. `terms`: the same said term by term, as a brand file does; both may be given.
    """

    brands: _Names = ()
    products: _Names = ()
    competitors: _Names = ()
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)
    not_with: Mapping[str, Sequence[str]] = field(default_factory=dict)
    terms: Sequence[Term] = ()

    def all_terms(self) -> tuple[Term, ...]:
        """Every term, those given by kind first."""
        by_kind = zip(KINDS, (self.brands, self.products, self.competitors), strict=True)
        plain = [
            Term(
                kind=kind,
                name=name,
                forms=tuple(forms),
                context=tuple(self.context.get(name, ())),
                not_with=tuple(self.not_with.get(name, ())),
            )
            for kind, names in by_kind
            for name, forms in (names if isinstance(names, Mapping) else dict.fromkeys(names, ())).items()
        ]
        return (*plain, *self.terms)

    def names(self) -> tuple[tuple[str, str, str], ...]:
        """(kind, canonical name, way to write it), blank ones left out."""
        return tuple((term.kind, term.name, form) for term in self.all_terms() for form in term.ways)


class EntityFinder:
    """Finds a brand's terms in texts, and persons and places where a full spaCy pipeline is installed.

    `people_and_places`: other pipelines than those installed; PeopleAndPlaces({}) for none.
    """

    def __init__(self, terms: BrandTerms, *, people_and_places: PeopleAndPlaces | None = None) -> None:
        self._terms = terms.all_terms()
        self._people_and_places = installed_pipelines() if people_and_places is None else people_and_places
        self._index = TermIndex(
            [(key, form) for key, term in enumerate(self._terms) for form in term.ways], is_name=True
        )

    @property
    def people_and_places(self) -> str:
        """Which pipelines find persons and places, in a line for the health page."""
        return self._people_and_places.status

    @cached_property
    def _near(self) -> TermIndex:
        """The context words of all terms: 2 * key for those wanted, 2 * key + 1 for those not."""
        return TermIndex(
            [
                (2 * key + refused, word)
                for key, term in enumerate(self._terms)
                for refused, words in enumerate((term.context, term.not_with))
                for word in words
                if fold(word).strip("* \t\n")
            ],
            is_name=False,
        )

    def find(self, text: str, language: str) -> tuple[Entity, ...]:
        """Give what one text names, in order; where names overlap the longest stands, and the brand's terms win."""
        return self.find_all([text], [language])[0]

    def find_all(self, texts: Sequence[str], languages: Sequence[str]) -> list[tuple[Entity, ...]]:
        """The same for a batch; a model of people and places reads it at once."""
        found = [self._find_terms(text) for text in texts]
        if not self._people_and_places.languages:
            return found
        others = self._people_and_places.find_all(texts, languages)
        return [_merge(terms, named) for terms, named in zip(found, others, strict=True)]

    def _find_terms(self, text: str) -> tuple[Entity, ...]:
        reading = Reading(text)
        hits = self._index.find(reading)
        if not hits:
            return ()
        return tuple(
            Entity(
                kind=self._terms[hit.key].kind,
                name=self._terms[hit.key].name,
                text=text[hit.start : hit.end],
                start=hit.start,
                end=hit.end,
            )
            for hit in longest(self._meant(reading, hits))
        )

    def _meant(self, reading: Reading, hits: Sequence[Hit]) -> list[Hit]:
        """Those that are no homonyms, by the words around them."""
        if all(hit.is_handle or not self._is_doubtful(hit.key) for hit in hits):
            return list(hits)
        near = self._near.find(reading)
        return [
            hit
            for hit in hits
            if hit.is_handle or not self._is_doubtful(hit.key) or _fits(reading, hit, near, self._terms[hit.key])
        ]

    def _is_doubtful(self, key: int) -> bool:
        return bool(self._terms[key].context or self._terms[key].not_with)


def _fits(reading: Reading, hit: Hit, near: Sequence[Hit], term: Term) -> bool:
    around = {word.key for word in near if is_near(reading, hit, word)}
    if 2 * hit.key + 1 in around:
        return False
    if not term.context or 2 * hit.key in around:
        return True
    return term.capital_is_enough and _is_written_as_name(reading.text, hit)


def _is_written_as_name(text: str, hit: Hit) -> bool:
    """Whether a hit has a capital that no sentence's start and no shouting explains."""
    found, before = text[hit.start : hit.end], text[: hit.start].rstrip()
    word = found.split()[-1]
    return word[:1].isupper() and not word[1:].isupper() and (found != word or before[-1:] not in _SENTENCE_STARTS)


def is_near(reading: Reading, hit: Hit, word: Hit) -> bool:
    """Whether a word stands within twelve words of a hit, and not in it."""
    if word.start < hit.end and hit.start < word.end:
        return False
    if word.start >= hit.end:
        return reading.nth_word(word.start) - reading.nth_word(hit.end - 1) <= CONTEXT_WORDS
    return reading.nth_word(hit.start) - reading.nth_word(word.end - 1) <= CONTEXT_WORDS


def _merge(terms: Sequence[Entity], named: Sequence[Entity]) -> tuple[Entity, ...]:
    free = [one for one in named if all(one.end <= term.start or one.start >= term.end for term in terms)]
    return tuple(sorted((*terms, *free), key=lambda entity: entity.start))


__all__ = ["CONTEXT_WORDS", "KINDS", "BrandTerms", "EntityFinder", "Term", "fold", "is_near"]

"""A listening query in the words a community manager uses, before any network's own syntax."""

import re
import unicodedata

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


def fold(text: str) -> str:
    """Lower-case and strip accents and compatibility forms, so that "Caffè" is found by "caffe"."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


class ListeningQuery(BaseModel):
    """What to listen for: all of `required`, one of `any_of`, the exact `phrases`, none of `excluded`.

    `own_handles` are excluded as authors, so that what we say ourselves is not found as a mention.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    required: tuple[str, ...] = Field(default=(), description="Words that must all appear")
    any_of: tuple[str, ...] = Field(default=(), description="Words of which one must appear")
    phrases: tuple[str, ...] = Field(default=(), description="Exact phrases of which one must appear")
    excluded: tuple[str, ...] = Field(default=(), description="Words that must not appear")
    own_handles: tuple[str, ...] = Field(default=(), description="Authors to leave out: our own accounts")
    language: str | None = Field(default=None, description="Two-letter language code, or none for all")

    @field_validator("required", "any_of", "phrases", "excluded", "own_handles")
    @classmethod
    def strip_terms(cls, terms: tuple[str, ...]) -> tuple[str, ...]:
        """Trim, drop empties and repeats, keep order."""
        return tuple(dict.fromkeys(" ".join(term.split()) for term in terms if term.strip()))

    @model_validator(mode="after")
    def needs_a_term(self) -> "ListeningQuery":
        """Refuse a query of exclusions only: it would mean the whole network."""
        if not (self.required or self.any_of or self.phrases):
            raise ValueError("a query needs at least one required word, any-of word or phrase")
        return self

    def matches(self, text: str, author_handle: str = "") -> bool:
        """Whether a text fits, by whole words, case and accents aside: for networks without search."""
        if fold(author_handle).lstrip("@") in {fold(handle).lstrip("@") for handle in self.own_handles}:
            return False
        folded = fold(text)
        alternatives = (*self.any_of, *self.phrases)
        return (
            all(_contains(folded, term) for term in self.required)
            and (not alternatives or any(_contains(folded, term) for term in alternatives))
            and not any(_contains(folded, term) for term in self.excluded)
        )


def _contains(folded_text: str, term: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(fold(term))}(?!\w)", folded_text) is not None

"""Builders for what is heard: brands, sources, fetched posts, taggers with a rule anyone can follow."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy.orm import Session

from connectors.base import Author, FetchedPost, Page, PostKind
from inbox.store.engine import Store
from inbox.store.tables import Brand, Source
from nlp.base import INTENTS, Tags, Undecided, undecided

NOW = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)
OWN_ID = "own-1"
OWN_HANDLE = "cafflino"


def add_brand(session: Session, slug: str = "cafflino", *, timezone: str = "Europe/Rome") -> Brand:
    """Store a brand."""
    brand = Brand(slug=slug, name=slug.title(), timezone=timezone, created_at=NOW)
    session.add(brand)
    session.flush()
    return brand


def add_source(
    session: Session, brand: Brand, name: str = "mentions", *, network: str = "x", **columns: object
) -> Source:
    """Store a source that reads as the brand's own account."""
    given: dict[str, object] = {
        "kind": "own",
        "account_id": OWN_ID,
        "account_handle": OWN_HANDLE,
        "next_poll_at": NOW,
        "created_at": NOW,
    } | columns
    source = Source(brand_id=brand.id, network=network, name=name, **given)
    session.add(source)
    session.flush()
    return source


def set_up(store: Store, **columns: object) -> tuple[int, int]:
    """Store a brand with one source; gives both ids."""
    with store.write() as session:
        brand = add_brand(session)
        return brand.id, add_source(session, brand, **columns).id  # type: ignore[arg-type] # columns of a source


def author(number: int | str = 1, **fields: object) -> Author:
    """Give somebody."""
    given: dict[str, object] = {"external_id": f"u{number}", "handle": f"user{number}", "display_name": "Ada Ròssi"}
    return Author(**(given | fields))  # type: ignore[arg-type] # fields of an author


def us() -> Author:
    """Give our own account."""
    return Author(external_id=OWN_ID, handle=OWN_HANDLE, display_name="Cafflino")


def fetched(external_id: str, text: str = "Il caffè è freddo", **fields: object) -> FetchedPost:
    """Give a post as a connector would."""
    given: dict[str, object] = {
        "network": "x",
        "external_id": external_id,
        "author": author(),
        "text": text,
        "created_at": NOW - timedelta(minutes=10),
        "kind": PostKind.MENTION,
    }
    return FetchedPost(**(given | fields))  # type: ignore[arg-type] # fields of a post


def page(*posts: FetchedPost, cursor: str | None = "c1", more: bool = False, **fields: object) -> Page:
    """Give a page."""
    return Page(posts=posts, cursor=cursor, more=more, **fields)  # type: ignore[arg-type] # fields of a page


class WordTagger:
    """Tags by plain words: "bello" is positive praise, "brutto" a negative complaint, "?" a question.

    A text with "BOOM" makes the whole call raise, "NAN" and "NAF" give probabilities that are no numbers.
    """

    name = "words.v1"

    @staticmethod
    def _feelings(texts: Sequence[str]) -> Undecided:
        # "BRUTTO" is toxic anger that cannot wait; all else is left undecided.
        found = undecided(len(texts))
        for row, text in enumerate(texts):
            if "BRUTTO" in text:
                found["emotion"][row] = [0.7, *[0.05] * 6]
                found["toxicity"][row] = 0.9
                found["urgency"][row] = [0.0, 0.1, 0.2, 0.7]
            if "NAF" in text:
                found["urgency"][row, 2] = np.nan
        unsure = np.array(["BRUTTO" not in text for text in texts], dtype=np.bool_)
        found["emotion_unsure"] = found["toxicity_unsure"] = found["urgency_unsure"] = unsure
        return found

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.hints: Sequence[str | None] | None = None

    def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:
        """Tag a batch."""
        self.calls.append(len(texts))
        self.hints = languages
        if any("BOOM" in text for text in texts):
            raise RuntimeError("the tagger broke")
        sentiment = np.full((len(texts), 3), 0.1, dtype=np.float32)
        intents = np.full((len(texts), len(INTENTS)), 0.05, dtype=np.float32)
        labels: list[tuple[str, ...]] = []
        for row, text in enumerate(texts):
            place = 2 if "bello" in text else 0 if "brutto" in text else 1
            sentiment[row, place] = np.nan if "NAN" in text else 0.8
            found = [("praise", "bello"), ("complaint", "brutto"), ("question", "?")]
            names = tuple(label for label, word in found if word in text)
            for label in names:
                intents[row, INTENTS.index(label)] = 0.9 if label != "question" else 0.95
            labels.append(names)
        unsure = np.array(["forse" in text for text in texts], dtype=np.bool_)
        return Tags(
            languages=tuple("en" if "the" in text.split() else "it" for text in texts),
            language_confidence=np.full(len(texts), 0.9, dtype=np.float32),
            sentiment=sentiment,
            sentiment_unsure=unsure,
            intents=intents,
            intents_unsure=np.array([not names for names in labels], dtype=np.bool_),
            intent_labels=tuple(labels),
            **self._feelings(texts),
            entities=tuple(() for _ in texts),
            tagger=self.name,
        )

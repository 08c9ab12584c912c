"""A brand whose posts carry what the machine will say of them, and people who label them."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy.orm import Session

from inbox.store.engine import Store
from inbox.store.tables import Correction, Post
from inbox.store.types import PostState
from nlp.base import INTENTS, SENTIMENTS, Tags, undecided
from nlp.calibration import AnyOf, Calibration, LanguageCalibration, OneOf, YesNo
from nlp.refit import softmax
from tests.triage_factory import make_brand, make_identity, make_post, tag_post

_TASKS = LanguageCalibration(
    {
        "sentiment": OneOf(1.0, (0.0,) * 3, 0.55),
        "emotion": OneOf(1.0, (0.0,) * 7, 0.5),
        "urgency": OneOf(1.0, (0.0,) * 4, 0.5),
        "intent": AnyOf((1.0,) * 10, (0.0,) * 10, (0.4,) * 10, 0.5),
        "toxicity": YesNo(1.0, 0.0, 0.8),
    }
)


class ReadingTagger:
    """Says of a text the three probabilities of sentiment that stand in it as JSON; Italian, complaints all."""

    def __init__(self, name: str = "encoder.v9") -> None:
        self.name = name
        self.calibration = Calibration({"it": _TASKS, "en": _TASKS})
        self.calls: list[int] = []

    def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:  # noqa: ARG002 - Tagger's signature
        """Tag a batch."""
        self.calls.append(len(texts))
        count = len(texts)
        said = np.array([json.loads(text) for text in texts], dtype=np.float32).reshape(count, 3)
        intents = np.full((count, len(INTENTS)), 0.05, dtype=np.float32)
        intents[:, 0] = 0.8
        return Tags(
            languages=("it",) * count,
            language_confidence=np.ones(count, dtype=np.float32),
            sentiment=said,
            sentiment_unsure=said.max(axis=1, initial=0.0) < 0.55,
            intents=intents,
            intents_unsure=np.zeros(count, dtype=np.bool_),
            intent_labels=(("complaint",),) * count,
            **undecided(count),
            entities=((),) * count,
            tagger=self.name,
        )


def seed_labels(
    store: Store, now: datetime, *, labelled: int = 90, posts: int = 420, slug: str = "terrae", at_random: bool = False
) -> int:
    """Store a brand with tagged posts, of which people labelled some; gives the brand's id.

    The machine believes most posts positive, they are mostly negative; `at_random`: people label by dice instead.
    """
    draw = np.random.default_rng(3)
    gold = draw.choice(3, posts, p=[0.6, 0.28, 0.12])
    seen = draw.normal(size=(posts, 3))
    seen[np.arange(posts), gold] += 1.7
    said = np.round(softmax(1.7 * seen + np.log([0.15, 0.3, 0.55])), 5)
    with store.write() as session:
        brand = make_brand(session, now=now, slug=slug)
        author = make_identity(session, brand, now=now, handle="anna")
        for number in range(posts):
            moment = now - timedelta(minutes=posts - number)
            post = make_post(
                session, brand, author, now=moment, external_id=str(number), text=json.dumps(said[number].tolist()),
                state=PostState.ROUTED, language="it",
            )  # fmt: skip
            shown = SENTIMENTS[int(said[number].argmax())]
            tag_post(session, post, now=moment, sentiment_label=shown)
            if number < labelled:
                label = SENTIMENTS[int(draw.integers(0, 3) if at_random else gold[number])]
                say(session, post, label, shown=shown, at=moment)
        return brand.id


def say(session: Session, post: Post, label: str, *, shown: str, at: datetime) -> None:
    """Store a person's word on the sentiment of a post."""
    session.add(
        Correction(
            brand_id=post.brand_id, post_id=post.id, task="sentiment", value=[label], machine_value=[shown],
            tagger="encoder.v9", created_at=at,
        )
    )  # fmt: skip

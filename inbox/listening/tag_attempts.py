"""Posts whose tagging takes the whole process down: out of memory, or a crash no `except` can catch.

Each attempt is noted and committed before it begins, and cleared when the post is tagged. What was begun
MOST_TOGETHER times and never ended is tried alone, MOST_ALONE times because another thread's text may end the process
meanwhile; then it is given up, with the reason kept on its tags, so that it stands in nobody's way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.queries.posts import list_tag_attempts
from inbox.store.statements import is_one_of, table_of
from inbox.store.tables import Post
from nlp.base import INTENTS, SENTIMENTS, UNDETERMINED, Tags, undecided

MOST_TOGETHER = 3
MOST_ALONE = 2
GIVEN_UP = "Reading this text ended the process several times."


@dataclass(frozen=True, slots=True)
class TagPlan:
    """How posts are to be tagged: in one batch, each by itself, or not at all."""

    together: tuple[int, ...] = ()
    alone: tuple[int, ...] = ()
    hopeless: tuple[int, ...] = ()


def plan_tagging(session: Session, post_ids: Sequence[int]) -> TagPlan:
    """Sort these posts by how often tagging them was begun in vain, and note a beginning for the batch.

    Commit before tagging. Posts another worker is at, or that are tagged already, are left out.
    """
    attempts = list_tag_attempts(session, post_ids)
    most = MOST_TOGETHER + MOST_ALONE
    together = tuple(post_id for post_id, begun in attempts.items() if begun < MOST_TOGETHER)
    begin_tagging(session, together)
    return TagPlan(
        together=together,
        alone=tuple(post_id for post_id, begun in attempts.items() if MOST_TOGETHER <= begun < most),
        hopeless=tuple(post_id for post_id, begun in attempts.items() if begun >= most),
    )


def begin_tagging(session: Session, post_ids: Sequence[int]) -> None:
    """Note that tagging these posts begins; commit before it does."""
    _count(session, post_ids, 1)


def break_off_tagging(session: Session, post_ids: Sequence[int]) -> None:
    """Take a beginning back: tagging failed, but the process lives to tell, so no text is to blame."""
    _count(session, post_ids, -1)


def _count(session: Session, post_ids: Sequence[int], step: int) -> None:
    if post_ids:
        table = table_of(Post)
        session.connection().execute(
            sa.update(table)
            .where(is_one_of(session, Post.id, post_ids), table.c.tag_attempts + step >= 0)
            .values(tag_attempts=table.c.tag_attempts + step)
        )


class GivingUp:
    """Stands in for the tagger where it must not be asked: every label unsure, and the reason why."""

    name = "none"

    def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:
        """Give tags that claim nothing."""
        del languages
        count = len(texts)
        return Tags(
            languages=(UNDETERMINED,) * count,
            language_confidence=np.zeros(count, dtype=np.float32),
            sentiment=np.full((count, len(SENTIMENTS)), 1 / len(SENTIMENTS), dtype=np.float32),
            sentiment_unsure=np.ones(count, dtype=np.bool_),
            intents=np.zeros((count, len(INTENTS)), dtype=np.float32),
            intents_unsure=np.ones(count, dtype=np.bool_),
            intent_labels=((),) * count,
            **undecided(count),
            entities=((),) * count,
            tagger=self.name,
            errors=dict.fromkeys(range(count), GIVEN_UP),
        )

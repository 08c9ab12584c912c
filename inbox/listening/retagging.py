"""Re-tagging: posts tagged by an older tagger are read again by the one in use, the newest first.

Row state is the truth here too: a post is due as long as its tags name another tagger, so that the work can be cut
off anywhere and goes on where it stopped. People's corrections stand apart and stay; what a conversation shows and
the figures follow. Clocks, assignments and states are not touched: nothing new was said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from inbox.listening.tag_attempts import MOST_ALONE, MOST_TOGETHER, GivingUp, begin_tagging
from inbox.listening.tag_rows import read_tags
from inbox.listening.tagging import TagRow, store_tags
from inbox.store.engine import Store
from inbox.store.queries.brands import list_brands
from inbox.store.queries.old_tags import OldTags, count_old_tags, list_old_tags
from inbox.store.queries.posts import TextToTag, list_language_corrections, list_texts
from inbox.store.queries.tag_rules import read_rulesets
from inbox.store.queries.threads import conversations_of_posts
from inbox.triage.summaries import refresh_summaries
from nlp.base import Tagger

BATCH = 128
COUNT_CAP = 100_000


@dataclass(frozen=True, slots=True)
class Taggers:
    """The tagger in use, and those of brands that have one of their own."""

    usual: Tagger
    by_brand: Mapping[int, Tagger]

    def of(self, brand_id: int) -> Tagger:
        """Give the tagger that reads a brand's posts."""
        return self.by_brand.get(brand_id, self.usual)


@dataclass(frozen=True, slots=True)
class Retagged:
    """What a step did: posts read again, the conversations that show it, and whether more wait."""

    posts: int = 0
    conversation_ids: tuple[int, ...] = ()
    has_more: bool = False


def is_fit(tagger: Tagger) -> bool:
    """Whether a tagger may renew tags: not while it stands in for a better one that cannot be used just now."""
    health = getattr(tagger, "health", None)
    return health is None or health().degraded is None


def count_old(
    session: Session,
    taggers: Taggers,
    *,
    since: datetime | None = None,
    brand_id: int | None = None,
    cap: int = COUNT_CAP,
) -> int:
    """Count the posts that still carry an older tagger's tags, as far as `cap`."""
    current = _current(session, taggers, brand_id)
    return count_old_tags(session, current, cap=cap, most_attempts=MOST_TOGETHER + MOST_ALONE, since=since)


def retag_some(
    store: Store,
    taggers: Taggers,
    now: datetime,
    *,
    limit: int = BATCH,
    since: datetime | None = None,
    brand_id: int | None = None,
) -> Retagged:
    """Read the newest posts with old tags again; commits. Call it until nothing more waits.

    The model works outside any transaction. A text that took the process down several times is tried alone, then
    keeps its old tags (inbox/listening/tag_attempts.py).
    """
    with store.read() as session:
        current = _current(session, taggers, brand_id)
        due = list_old_tags(session, current, limit=limit, most_attempts=MOST_TOGETHER + MOST_ALONE, since=since)
    chosen = _choose(due)
    if not chosen:
        return Retagged()
    with store.write(durable=len(chosen) == 1) as session:
        begin_tagging(session, chosen)
        posts = _with_corrected_languages(session, list_texts(session, chosen))
        rules = read_rulesets(session, {post.brand_id for post in posts})
    rows = read_tags(posts, taggers.usual, now, by_brand=taggers.by_brand, rules=rules)
    with store.write() as session:
        kept = _keep(session, posts, rows, now)
        conversation_ids = conversations_of_posts(session, kept)
        refresh_summaries(session, conversation_ids, now)
    return Retagged(len(kept), tuple(conversation_ids), has_more=len(due) >= limit or len(chosen) < len(due))


def _current(session: Session, taggers: Taggers, brand_id: int | None) -> dict[int, tuple[str, ...]]:
    # A cascade's cheap tier answers in its own name, today too; and what a text was given up with is nobody's word.
    stand_in = getattr(taggers.usual, "stand_in", None)
    others = (GivingUp.name, stand_in) if stand_in else (GivingUp.name,)
    return {
        brand.id: (taggers.of(brand.id).name, *others)
        for brand in list_brands(session)
        if brand_id is None or brand.id == brand_id
    }


def _choose(due: Sequence[OldTags]) -> list[int]:
    """Give those that have not failed too often, as one batch; else one of the others, by itself."""
    together = [one.post_id for one in due if one.attempts < MOST_TOGETHER]
    return together or [one.post_id for one in due[:1]]


def _with_corrected_languages(session: Session, posts: Sequence[TextToTag]) -> list[TextToTag]:
    corrected = list_language_corrections(session, [post.id for post in posts])
    return [replace(post, language_hint=corrected.get(post.id, post.language_hint)) for post in posts]


def _keep(session: Session, posts: Sequence[TextToTag], rows: Sequence[TagRow], now: datetime) -> list[int]:
    """Store what was read of posts whose words are still the same."""
    words = {post.id: (post.title, post.text) for post in list_texts(session, [post.id for post in posts])}
    kept = [(post, row) for post, row in zip(posts, rows, strict=True) if words.get(post.id) == (post.title, post.text)]
    return store_tags(session, [post for post, _ in kept], [row for _, row in kept], now, state=None)

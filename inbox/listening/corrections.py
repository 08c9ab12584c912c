"""A person's word on a machine's label: gold, kept beside what the machine said, and revocable."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from inbox import audit
from inbox.errors import InvalidError, NotFoundError
from inbox.reputation.rollups import mark_dirty
from inbox.reputation.topics import TOLD, leave_topic, wait_for_topic
from inbox.store.queries.corrections import corrections_of, tags_of
from inbox.store.queries.standings import CIVIL, TOXIC
from inbox.store.search_index import index_posts
from inbox.store.tables import Correction, Post, PostTags
from inbox.triage.summaries import TOXIC_FROM, refresh_summaries
from nlp.base import EMOTIONS, INTENTS, SENTIMENTS, UNDETERMINED, URGENCIES
from nlp.language import KNOWN

TOXICITIES = (CIVIL, TOXIC)
# What may be said on each task; of intents up to three, of the others one.
ALLOWED: Mapping[str, tuple[str, ...]] = {
    "sentiment": SENTIMENTS,
    "intents": INTENTS,
    "emotion": EMOTIONS,
    "urgency": URGENCIES,
    "toxicity": TOXICITIES,
    "language": (*KNOWN, UNDETERMINED),
}
ALONE = frozenset({"spam", "other"})
MOST_INTENTS = 3


def correct_label(
    session: Session, post_id: int, *, task: str, value: Sequence[str], user_id: int, now: datetime
) -> int:
    """Store the right label of a post for one of ALLOWED's tasks; gives its conversation's id. The caller commits.

    The machine's own label stays; figures count the person's. InvalidError when the label does not exist.
    """
    chosen = _check(task, value)
    post, tags, conversation_id = _find(session, post_id)
    machine = machine_value(tags, task)
    found = corrections_of(session, post.brand_id, post.id).get(task)
    before = list(found.value) if found else machine
    if found is None:
        found = Correction(brand_id=post.brand_id, post_id=post.id, task=task)
        session.add(found)
    found.value, found.machine_value, found.tagger = chosen, machine, tags.tagger
    found.user_id, found.created_at = user_id, now
    _follow(session, post, task, chosen, now)
    audit.record(
        session,
        now=now,
        action="post.corrected",
        entity="post",
        entity_id=post.id,
        conversation_id=conversation_id,
        user_id=user_id,
        before={task: before},
        after={task: chosen},
    )
    return conversation_id


def remove_correction(session: Session, post_id: int, *, task: str, user_id: int, now: datetime) -> int:
    """Take a person's word back, so that the machine's label counts again; gives the conversation's id.

    Nothing happens where there is none: taking back twice is no mistake. The caller commits.
    """
    if task not in ALLOWED:
        raise InvalidError("This label does not exist.", field="task")
    post, tags, conversation_id = _find(session, post_id)
    found = corrections_of(session, post.brand_id, post.id).get(task)
    if found is None:
        return conversation_id
    before, machine = list(found.value), machine_value(tags, task)
    session.delete(found)
    _follow(session, post, task, machine, now)
    audit.record(
        session,
        now=now,
        action="post.uncorrected",
        entity="post",
        entity_id=post.id,
        conversation_id=conversation_id,
        user_id=user_id,
        before={task: before},
        after={task: machine},
    )
    return conversation_id


def machine_value(tags: PostTags, task: str) -> list[str]:
    """Give the machine's own label of a task, as a correction would write it."""
    match task:
        case "sentiment":
            return [tags.sentiment_label]
        case "intents":
            return [str(label) for label in tags.intent_labels]
        case "emotion":
            return [tags.emotion_label]
        case "urgency":
            return [str(tags.urgency)]
        case "toxicity":
            return [TOXIC if tags.toxicity >= TOXIC_FROM else CIVIL]
        case _:
            return [tags.language]


def _check(task: str, value: Sequence[str]) -> list[str]:
    allowed = ALLOWED.get(task)
    chosen = list(dict.fromkeys(value))
    most = MOST_INTENTS if task == "intents" else 1
    is_alone = task != "intents" or len(chosen) == 1 or not ALONE.intersection(chosen)
    if allowed is None or not 1 <= len(chosen) <= most or not set(chosen) <= set(allowed) or not is_alone:
        raise InvalidError("This label does not exist.", field="value")
    return chosen


def _find(session: Session, post_id: int) -> tuple[Post, PostTags, int]:
    post = session.get(Post, post_id)
    if post is None or post.conversation_id is None:
        raise NotFoundError("This post does not exist.", log_message=f"no post {post_id}")
    tags = tags_of(session, post.brand_id, post.id)
    if tags is None:
        raise NotFoundError("The machine has not labelled this post yet.", log_message=f"post {post_id} untagged")
    return post, tags, post.conversation_id


def _follow(session: Session, post: Post, task: str, counts: Sequence[str], now: datetime) -> None:
    """Bring in line what repeats the label that counts from now on: the post's language, the list, the figures."""
    if task == "language":
        post.language = None if counts[0] == UNDETERMINED else counts[0]
        session.flush()
        index_posts(session, [post.id])  # its stems are another language's now
    if task == "intents":
        if TOLD.isdisjoint(counts):
            leave_topic(session, post.brand_id, post.id)
        else:
            wait_for_topic(session, [(post.brand_id, post.id, post.created_at)])
    session.flush()
    if post.conversation_id is not None:
        refresh_summaries(session, [post.conversation_id], now)
    mark_dirty(session, post.brand_id, [post.created_at], now)

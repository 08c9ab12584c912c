"""A person's word on a machine's label: gold, kept beside what the machine said."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from inbox import audit
from inbox.errors import InvalidError, NotFoundError
from inbox.reputation.rollups import mark_dirty
from inbox.store.queries.corrections import correction_of, latest_inbound_id, tags_of
from inbox.store.tables import Conversation, Correction, Post
from nlp.base import INTENTS, SENTIMENTS

ALLOWED = {"sentiment": SENTIMENTS, "intents": INTENTS}
ALONE = frozenset({"spam", "other"})
MOST_INTENTS = 3


def correct_label(
    session: Session, post_id: int, *, task: str, value: Sequence[str], user_id: int, now: datetime
) -> int:
    """Store the right label of a post ("sentiment", or up to three "intents"); gives its conversation's id.

    The machine's own label stays; figures count the person's. InvalidError when the label does not exist.
    """
    chosen = _check(task, value)
    post = session.get(Post, post_id)
    if post is None or post.conversation_id is None:
        raise NotFoundError("This post does not exist.", log_message=f"no post {post_id}")
    tags = tags_of(session, post.brand_id, post.id)
    if tags is None:
        raise NotFoundError("The machine has not labelled this post yet.", log_message=f"post {post_id} untagged")
    machine = [tags.sentiment_label] if task == "sentiment" else list(tags.intent_labels)
    found = correction_of(session, post.brand_id, post.id, task)
    before = list(found.value) if found else machine
    if found is None:
        found = Correction(brand_id=post.brand_id, post_id=post.id, task=task)
        session.add(found)
    found.value, found.machine_value, found.tagger = chosen, machine, tags.tagger
    found.user_id, found.created_at = user_id, now
    session.flush()
    _show_on_conversation(session, post, task, chosen)
    mark_dirty(session, post.brand_id, [post.created_at], now)
    audit.record(
        session,
        now=now,
        action="post.corrected",
        entity="post",
        entity_id=post.id,
        conversation_id=post.conversation_id,
        user_id=user_id,
        before={task: before},
        after={task: chosen},
    )
    return post.conversation_id


def _check(task: str, value: Sequence[str]) -> list[str]:
    allowed = ALLOWED.get(task)
    chosen = list(dict.fromkeys(value))
    most = 1 if task == "sentiment" else MOST_INTENTS
    is_alone = len(chosen) == 1 or not ALONE.intersection(chosen)
    if allowed is None or not 1 <= len(chosen) <= most or not set(chosen) <= set(allowed) or not is_alone:
        raise InvalidError("This label does not exist.", field="value")
    return chosen


def _show_on_conversation(session: Session, post: Post, task: str, chosen: list[str]) -> None:
    # The list repeats what the latest waiting message says: it must not contradict the person.
    conversation = session.get(Conversation, post.conversation_id)
    if conversation is None or latest_inbound_id(session, conversation.id) != post.id:
        return
    if task == "sentiment":
        conversation.sentiment, conversation.sentiment_confidence = chosen[0], 1.0
        conversation.sentiment_unsure = False
    else:
        conversation.intent, conversation.intent_confidence = chosen[0], 1.0
        conversation.intents = chosen

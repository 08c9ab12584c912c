"""The steps that ask the tagger: new posts, and those whose tags are an older tagger's. Idempotent, as all handlers."""

import time
from collections.abc import Callable, Mapping, Sequence

import structlog
from sqlalchemy.orm import Session

from ascolto.jobs.done import Done
from ascolto.wiring import House
from inbox.listening.adaptation import taggers_of_brands
from inbox.listening.retagging import Taggers, is_fit, retag_some
from inbox.listening.tag_attempts import GivingUp, begin_tagging, break_off_tagging, plan_tagging
from inbox.listening.tag_rows import read_tags
from inbox.listening.tagging import TagRow, due_for_tagging, keep_tags, tag_posts
from inbox.store.queries.old_tags import has_tags
from inbox.store.queries.posts import TextToTag, list_texts_to_tag
from inbox.store.queries.tag_rules import read_rulesets
from nlp.base import Tagger

log = structlog.get_logger(__name__)

AfterTagging = Callable[[Session, Sequence[int]], None]
# Of every tick, so that reading old posts again takes a small share of the machine.
RETAG_SECONDS = 2.0


def tag(
    house: House,
    limit: int | None = None,
    *,
    post_ids: Sequence[int] | None = None,
    then: AfterTagging | None = None,
) -> Done:
    """Tag a batch of posts: these, or the oldest waiting. `then` is told the tagged ids before each commit.

    What took a tagging process down again and again is tried alone, then given up (inbox/listening/tag_attempts.py).
    """
    size = limit or house.settings.tag_batch
    ids = list(post_ids) if post_ids is not None else _waiting(house, size)
    if not ids:
        return Done()
    tagger = house.tagger  # loaded outside the transaction: the first time takes seconds
    with house.store.write() as session:
        plan = plan_tagging(session, ids)
    tagged = 0
    if plan.hopeless:
        log.error("tag.given_up", posts=plan.hopeless)
        tagged += _tag_batch(house, plan.hopeless, GivingUp(), then)
    if plan.together:
        tagged += _tag_batch(house, plan.together, tagger, then)
    for post_id in plan.alone:
        with house.store.write(durable=True) as session:
            begin_tagging(session, [post_id])
        tagged += _tag_batch(house, [post_id], tagger, then)
    return Done(rows=tagged, due=("route", "roll_up"), has_more=post_ids is None and len(ids) >= size)


def taggers(house: House) -> Taggers:
    """Give the tagger in use, and those of brands that have an adaptation over it."""
    with house.store.read() as session:
        return Taggers(house.tagger, taggers_of_brands(session, house.tagger))


def patient_taggers(house: House) -> Taggers:
    """Give the same without a pace to keep: what is read again is read by the best, or it would be due for ever."""
    from nlp.pipeline import unhurried

    patient = unhurried(house.tagger)
    with house.store.read() as session:
        return Taggers(patient, taggers_of_brands(session, patient))


def retag(house: House) -> Done:
    """Read posts again whose tags are an older tagger's, for a few seconds at most; new posts go first."""
    with house.store.read() as session:
        if due_for_tagging(session, 1) or not has_tags(session):
            return Done()
    in_use = patient_taggers(house)
    if not is_fit(in_use.usual):
        return Done()
    rows, until = 0, time.monotonic() + RETAG_SECONDS
    while True:
        done = retag_some(house.store, in_use, house.clock())
        rows += done.posts
        if done.conversation_ids:
            house.bus.publish("counts", {})
        if not done.has_more or time.monotonic() > until:
            # Low priority: the rest waits for the next tick, whatever is left.
            return Done(rows=rows, due=("roll_up", "topics") if rows else ())


def _tag_batch(house: House, post_ids: Sequence[int], tagger: Tagger, then: AfterTagging | None) -> int:
    # Gives how many posts were tagged, in one transaction. SQLite has one writer: it must not wait for the model.
    now = house.clock()
    try:
        read = _read_apart(house, post_ids, tagger) if house.store.is_sqlite else None
        with house.store.write() as session:
            if read is not None:
                tagged = keep_tags(session, *read, now)
            else:
                tagged = tag_posts(session, post_ids, tagger, now, by_brand=_own_taggers(house, tagger))
            if then is not None:
                then(session, tagged)
    except Exception:
        with house.store.write() as session:
            break_off_tagging(session, post_ids)
        raise
    return len(tagged)


def _read_apart(house: House, post_ids: Sequence[int], tagger: Tagger) -> tuple[list[TextToTag], list[TagRow]]:
    with house.store.read() as session:
        posts = list_texts_to_tag(session, post_ids)
        rules = read_rulesets(session, {post.brand_id for post in posts})
    return posts, read_tags(posts, tagger, house.clock(), by_brand=_own_taggers(house, tagger), rules=rules)


def _own_taggers(house: House, tagger: Tagger) -> Mapping[int, Tagger]:
    # A text the usual tagger may not be asked about is none for a brand's own either.
    return taggers(house).by_brand if tagger is house.tagger else {}


def _waiting(house: House, limit: int) -> list[int]:
    with house.store.read() as session:
        return due_for_tagging(session, limit)

"""Threads: posts become conversations, whatever the order of arrival.

A post whose parent is not known yet is filed under the missing parent's id; when the parent arrives the
conversations join (inbox/listening/merging.py), the older one staying. Which ids belong together and which of
them names the thread is decided in inbox/listening/thread_keys.py. The work for a post is a few index lookups;
a conversation's counts are drawn from its posts up to MAX_RECOUNT of them and carried on beyond.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.listening.merging import Merge, merge_conversations
from inbox.listening.thread_counts import carry_on, count_members
from inbox.listening.thread_keys import KeyFacts, Tied, Ties, choose_key, tie_posts
from inbox.store.queries import threads as reading
from inbox.store.queries.threads import KnownConversation, Place, PostToThread
from inbox.store.rows import insert_rows, update_rows
from inbox.store.statements import is_one_of, table_of
from inbox.store.tables import Conversation, Post
from inbox.store.types import ConversationState, SlaState

PREVIEW_CHARACTERS = 280
MAX_RECOUNT = 2_000
OLD_HISTORY = timedelta(days=30)  # younger history nobody answered stands open, without a clock
THREAD_LOCK = 0x4173_636F_0002  # PostgreSQL advisory lock: threads of one database are assembled one batch at a time


@dataclass(frozen=True, slots=True)
class ThreadReport:
    """What threading did. `conversation_ids` are all that hold the given posts now, `created_ids` the new ones.

    `merged` gives, for each conversation that is no more, the one that took it in.
    """

    conversation_ids: tuple[int, ...]
    created_ids: tuple[int, ...] = ()
    merged: dict[int, int] = field(default_factory=dict)

    @property
    def created(self) -> int:
        """How many conversations were opened."""
        return len(self.created_ids)


@dataclass(slots=True)
class _Thread:
    """One thread of a batch: its new posts and the conversations they tie together."""

    posts: list[PostToThread]
    conversations: list[KnownConversation]
    key: str


@dataclass(slots=True)
class _Known:
    """What the database knows of the ids of one batch and place."""

    has_parent: dict[str, bool] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)
    conversation_of: dict[str, int] = field(default_factory=dict)
    conversations: dict[int, KnownConversation] = field(default_factory=dict)


def thread_posts(session: Session, post_ids: Sequence[int], now: datetime) -> ThreadReport:
    """Give each of these posts its conversation: a new one, or that of its thread; the caller commits.

    Posts that have theirs already stay where they are, so that repeating is safe; reposts are left out. New
    conversations stand open, but for history nobody need act on; routing opens again and deals out
    (inbox/triage/routing.py).
    """
    session.flush()
    if session.connection().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(THREAD_LOCK)))
    posts = reading.list_posts_to_thread(session, post_ids)
    touched = {post.conversation_id for post in posts if post.conversation_id is not None}
    places: defaultdict[Place, list[PostToThread]] = defaultdict(list)
    for post in posts:
        if post.conversation_id is None:
            places[post.place].append(post)
    created: list[int] = []
    merged: dict[int, int] = {}
    for place, fresh in places.items():
        found = _find_threads(session, place, fresh)
        made = _open(session, place, [thread for thread in found if not thread.conversations], now)
        created += made
        appended = _append(session, [thread for thread in found if thread.conversations], merged, now)
        touched.update(made, appended)
    kept = {merged.get(conversation_id, conversation_id) for conversation_id in touched}
    return ThreadReport(
        conversation_ids=tuple(sorted(kept)), created_ids=tuple(sorted(set(created) & kept)), merged=merged
    )


def _find_threads(session: Session, place: Place, posts: list[PostToThread]) -> list[_Thread]:
    tied = {post.id: Tied(post.external_id, post.parent_external_id, post.thread_key) for post in posts}
    ties = tie_posts(tied.values())
    nodes = {node for one in tied.values() for node in (one.external_id, one.parent_id, one.thread_key) if node}
    known = _look_up(session, place, sorted(nodes))
    first_node: dict[int, str] = {}
    for node, conversation_id in known.conversation_of.items():
        ties.tie(first_node.setdefault(conversation_id, node), node)
    for post in posts:
        known.has_parent[post.external_id] = post.parent_external_id is not None
        if post.parent_external_id is not None:
            known.awaited.add(post.parent_external_id)
    groups = _group(posts, ties)
    in_group: defaultdict[str, set[int]] = defaultdict(set)
    for conversation_id, node in first_node.items():
        in_group[ties.find(node)].add(conversation_id)
    _look_up_keys(session, place, known, [ids for ids in in_group.values() if len(ids) > 1])
    return [_thread(group, [tied[post.id] for post in group], in_group[top], known) for top, group in groups.items()]


def _look_up(session: Session, place: Place, nodes: list[str]) -> _Known:
    """Find the conversation of each id: by the post that carries it, by its children, or as a thread's key."""
    known = _Known()
    for stored in reading.find_threaded(session, place, nodes):
        known.has_parent[stored.external_id] = stored.has_parent
        known.conversation_of[stored.external_id] = stored.conversation_id
    missing = [node for node in nodes if node not in known.has_parent]
    for conversation in reading.find_conversations_by_key(session, place, missing):
        known.conversation_of[conversation.thread_key] = conversation.id
        known.conversations[conversation.id] = conversation
    awaited = reading.find_awaited(session, place, [one for one in missing if one not in known.conversation_of])
    known.awaited.update(awaited)
    known.conversation_of |= awaited
    wanted = sorted(set(known.conversation_of.values()) - set(known.conversations))
    for conversation in reading.list_conversations_by_id(session, wanted):
        known.conversations[conversation.id] = conversation
    return known


def _look_up_keys(session: Session, place: Place, known: _Known, groups: Iterable[set[int]]) -> None:
    """Learn what the keys of conversations about to join stand for."""
    keys = {known.conversations[one].thread_key for group in groups for one in group} - set(known.has_parent)
    if not keys:
        return
    for stored in reading.find_threaded(session, place, sorted(keys)):
        known.has_parent[stored.external_id] = stored.has_parent
    known.awaited.update(reading.find_awaited(session, place, sorted(keys - set(known.has_parent))))


def _group(posts: list[PostToThread], ties: Ties) -> dict[str, list[PostToThread]]:
    groups: dict[str, list[PostToThread]] = {}
    for post in posts:
        groups.setdefault(ties.find(post.external_id), []).append(post)
    return groups


def _thread(posts: list[PostToThread], tied: list[Tied], ids: set[int], known: _Known) -> _Thread:
    conversations = sorted((known.conversations[one] for one in ids), key=lambda one: (one.created_at, one.id))
    existing = tuple(one.thread_key for one in conversations)
    facts = KeyFacts(has_parent=known.has_parent, is_parent=known.awaited, existing=existing)
    return _Thread(posts=posts, conversations=conversations, key=choose_key(tied, facts))


def _open(session: Session, place: Place, threads: list[_Thread], now: datetime) -> list[int]:
    """Open a conversation for each of these threads; gives their ids."""
    if not threads:
        return []
    insert_rows(session, table_of(Conversation), [_row(place, thread, now) for thread in threads])
    made = reading.find_conversations_by_key(session, place, [thread.key for thread in threads])
    ids = {conversation.thread_key: conversation.id for conversation in made}
    _place_posts(session, [(post, ids[thread.key], thread.key) for thread in threads for post in thread.posts])
    return list(ids.values())


def _row(place: Place, thread: _Thread, now: datetime) -> dict[str, object]:
    posts = sorted(thread.posts, key=lambda post: (post.created_at, post.id))
    settled = _is_settled(posts, now)
    latest = next((post for post in reversed(posts) if not post.is_own), posts[-1])
    return {
        "brand_id": place.brand_id,
        "network": place.network,
        "instance": place.instance,
        "thread_key": thread.key,
        "state": ConversationState.RESOLVED if settled else ConversationState.OPEN,
        "is_spam": False,
        "is_muted": False,
        "is_crisis": False,
        "is_unread": not settled,
        "priority": 0,
        "priority_reasons": [],
        "author_id": latest.author_id,
        "preview": " ".join((latest.title or latest.text).split())[:PREVIEW_CHARACTERS],
        "language": latest.language_hint,
        "sentiment_unsure": True,
        "intents": [],
        "is_toxic": False,
        "sla_state": SlaState.NONE,
        "version": 1,
        "created_at": now,
        **count_members(posts),
    }


def _is_settled(posts: list[PostToThread], now: datetime) -> bool:
    """Whether nobody need act on a new conversation: only our words, or history answered or long past."""
    posts = sorted(posts, key=lambda post: (post.created_at, post.id))
    inbound = [post for post in posts if not post.is_own]
    if not inbound:
        return True
    if not all(post.is_history for post in inbound):
        return False
    return posts[-1].is_own or inbound[-1].created_at < now - OLD_HISTORY


def _append(session: Session, threads: list[_Thread], merged: dict[int, int], now: datetime) -> list[int]:
    """Put posts into the conversations of their threads, joining these where there are several; gives their ids."""
    winners: dict[int, _Thread] = {}
    merges: list[Merge] = []
    renamed: list[dict[str, object]] = []
    for thread in threads:
        winner, *losers = thread.conversations
        winners[winner.id] = thread
        if losers:
            merges.append(Merge(winner.id, tuple(loser.id for loser in losers), thread.key))
        if losers or thread.key != winner.thread_key:
            renamed.append({"conversation": winner.id, "key": thread.key})
    merge_conversations(session, merges, now)
    merged.update({loser_id: merge.winner_id for merge in merges for loser_id in merge.loser_ids})
    _rename(session, renamed)
    _place_posts(
        session,
        [(post, winner_id, thread.key) for winner_id, thread in winners.items() for post in thread.posts],
    )
    _count_again(session, winners)
    _wake(session, [thread for thread in winners.values() if not _is_settled(thread.posts, now)])
    _expire(session, [*winners, *merged])
    return list(winners)


def _rename(session: Session, renamed: list[dict[str, object]]) -> None:
    """Know threads by their new keys, on the conversations and on all their posts."""
    if not renamed:
        return
    table, posts = table_of(Conversation), table_of(Post)
    key: sa.BindParameter[str] = sa.bindparam("key")
    conversation: sa.BindParameter[int] = sa.bindparam("conversation")
    connection = session.connection()
    connection.execute(sa.update(table).where(table.c.id == conversation).values(thread_key=key), renamed)
    connection.execute(
        sa.update(posts)
        .where(posts.c.conversation_id == conversation, posts.c.thread_key != key)
        .values(thread_key=key),
        renamed,
    )


def _wake(session: Session, threads: list[_Thread]) -> None:
    """Open conversations that held only our own words until now; the others are routing's affair."""
    silent = [one.id for thread in threads for one in thread.conversations if one.first_inbound_at is None]
    if silent:
        session.execute(
            sa.update(Conversation)
            .where(is_one_of(session, Conversation.id, silent), Conversation.state == ConversationState.RESOLVED)
            .values(state=ConversationState.OPEN, is_unread=True)
            .execution_options(synchronize_session=False)
        )


def _count_again(session: Session, winners: dict[int, _Thread]) -> None:
    sizes = {
        winner_id: len(thread.posts) + sum(one.post_count for one in thread.conversations)
        for winner_id, thread in winners.items()
    }
    members: defaultdict[int, list[reading.Member]] = defaultdict(list)
    small = [winner_id for winner_id, size in sizes.items() if size <= MAX_RECOUNT]
    for member in reading.list_members(session, small):
        members[member.conversation_id].append(member)
    rows: list[dict[str, object]] = []
    for winner_id in small:
        counts = count_members(members[winner_id])
        rows.append({"id": winner_id, "version": len(winners[winner_id].posts), **counts})
    update_rows(session, table_of(Conversation), rows, added=("version",))
    for winner_id in sizes.keys() - set(small):
        thread = winners[winner_id]
        merged_in = any(one.id != winner_id for one in thread.conversations)
        carry_on(session, winner_id, thread.posts, recount=merged_in)


def _place_posts(session: Session, placed: Sequence[tuple[PostToThread, int, str]]) -> None:
    """Write posts' conversations; the thread key only where it changes, to spare its index."""
    table = table_of(Post)
    same = [{"id": post.id, "conversation_id": one} for post, one, key in placed if key == post.thread_key]
    moved = [
        {"id": post.id, "conversation_id": one, "thread_key": key}
        for post, one, key in placed
        if key != post.thread_key
    ]
    update_rows(session, table, same)
    update_rows(session, table, moved)
    _expire_posts(session, {post.id for post, _, _ in placed})


def _expire_posts(session: Session, ids: set[int]) -> None:
    for loaded in list(session.identity_map.values()):
        if isinstance(loaded, Post) and loaded.id in ids:
            session.expire(loaded, ["conversation_id", "thread_key"])


def _expire(session: Session, ids: Sequence[int]) -> None:
    """Make objects the caller holds read anew what was changed here behind their back."""
    wanted = set(ids)
    for loaded in list(session.identity_map.values()):
        if isinstance(loaded, Conversation) and loaded.id in wanted:
            session.expire(loaded)

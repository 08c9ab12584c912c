"""Ingest: a fetched page becomes rows and the cursor moves, both in the caller's one transaction.

One post is one row per brand whatever found it (brand, network, instance, external id). A bad record costs only
itself: what the checks refuse, and what the database refuses after the batch was halved down to it, goes to
quarantine. Threads, tags and routing come later and read the rows' state (architecture.md, 2); our own posts skip
the tags, reposts skip everything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from connectors.base import FetchedPost, Page
from inbox.listening.changes import apply_changes, count_reposts_of
from inbox.listening.tombstones import without_erased
from inbox.listening.validation import CheckedPosts, CleanPost, Refused, cap_raw, check_posts, raw_of
from inbox.people.identities import IdentityKey, store_identities
from inbox.reputation.rollups import mark_dirty
from inbox.store.queries.posts import PostKey, StoredPost, find_inserted, find_posts, list_recent_refusals
from inbox.store.queries.sources import list_own_accounts, list_own_handles
from inbox.store.search_index import SearchDocument, index_documents
from inbox.store.statements import insert_ignoring
from inbox.store.tables import Post, PostSource, Quarantine, Source
from inbox.store.types import PostState

log = structlog.get_logger(__name__)
# In a session's info: ids this transaction made ready to be tagged, for whoever commits it to nudge the next step.
READY_TO_TAG = "ascolto.ready_to_tag"
POST_KEY = ("brand_id", "network", "instance", "external_id")


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of a page. `post_ids` are the new rows in the order they came; `own_ids` those written by us.

    `duplicates` were stored before (or twice in the page), `edited_ids` among them are to be tagged again.
    `quarantined` counts new rows there; `erased` were left out for a tombstone.
    """

    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    edited: int = 0
    erased: int = 0
    post_ids: tuple[int, ...] = ()
    own_ids: tuple[int, ...] = ()
    edited_ids: tuple[int, ...] = ()
    oldest: datetime | None = None
    newest: datetime | None = None


@dataclass(slots=True)
class _Batch:
    """What a page has become so far."""

    brand_id: int
    source: Source | None
    now: datetime
    is_history: bool
    own: frozenset[IdentityKey]
    own_handles: frozenset[tuple[str, str]]  # network, lower-case handle
    post_ids: list[int] = field(default_factory=list)
    own_ids: list[int] = field(default_factory=list)
    edited_ids: list[int] = field(default_factory=list)
    duplicates: int = 0
    touched: list[datetime] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def ingest_page(
    session: Session,
    source: Source,
    page: Page,
    *,
    now: datetime,
    is_history: bool = False,
    tombstone_key: bytes | None = None,
) -> IngestReport:
    """Store a page's posts and move the source's cursor past them; the caller commits both or neither."""
    report = ingest_posts(
        session,
        source.brand_id,
        page.posts,
        source=source,
        bad=[Refused(cap_raw(bad.raw), bad.reason[:1000], bad.external_id) for bad in page.bad],
        now=now,
        is_history=is_history,
        tombstone_key=tombstone_key,
    )
    session.execute(
        sa.update(Source)
        .where(Source.id == source.id)
        .values(cursor=page.cursor)
        .execution_options(synchronize_session="evaluate")
    )
    return report


def ingest_posts(
    session: Session,
    brand_id: int,
    posts: Iterable[FetchedPost],
    *,
    source: Source | None,
    now: datetime,
    bad: Sequence[Refused] = (),
    is_history: bool = False,
    own_authors: frozenset[IdentityKey] = frozenset(),
    tombstone_key: bytes | None = None,
) -> IngestReport:
    """Store posts of any source, or of none (an import).

    Ours are: the accounts the brand's sources read as, identities once known as ours, `own_authors`, and the
    brand's own handles where a network gives no id apart from the handle.
    """
    session.flush()
    checked = check_posts(posts, now)
    erased = 0
    if tombstone_key is not None:
        checked.posts, erased = without_erased(session, brand_id, checked.posts, tombstone_key)
    accounts = list_own_accounts(session, brand_id)
    batch = _Batch(
        brand_id=brand_id,
        source=source,
        now=now,
        is_history=is_history,
        own=own_authors | {(network, instance, account) for network, instance, account in accounts},
        own_handles=list_own_handles(session, brand_id),
        duplicates=checked.repeated,
        refused=[*bad, *checked.refused],
    )
    _store_or_halve(session, batch, checked.posts)
    _note_cuts(batch, checked)
    quarantined = quarantine(session, brand_id, source.id if source else None, batch.refused, now)
    mark_dirty(session, brand_id, batch.touched, now)
    times = [post.created_at for post in checked.posts]
    own = set(batch.own_ids)
    ready: list[int] = session.info.setdefault(READY_TO_TAG, [])
    ready += [one for one in (*batch.post_ids, *batch.edited_ids) if one not in own]
    return IngestReport(
        stored=len(batch.post_ids),
        duplicates=batch.duplicates,
        quarantined=quarantined,
        edited=len(batch.edited_ids),
        erased=erased,
        post_ids=tuple(batch.post_ids),
        own_ids=tuple(batch.own_ids),
        edited_ids=tuple(batch.edited_ids),
        oldest=min(times, default=None),
        newest=max(times, default=None),
    )


def quarantine(
    session: Session, brand_id: int, source_id: int | None, refused: Sequence[Refused], now: datetime
) -> int:
    """Keep records that could not be stored; the same record of the same source is kept once. Gives how many."""
    if not refused:
        return 0
    known = list_recent_refusals(session, source_id) if source_id is not None else set()
    rows = []
    for one in refused:
        entry = (one.external_id, one.reason, one.raw)
        if entry in known:
            continue
        known.add(entry)
        rows.append(
            {
                "brand_id": brand_id,
                "source_id": source_id,
                "external_id": one.external_id,
                "raw": one.raw,
                "reason": one.reason,
                "created_at": now,
            }
        )
    if rows:
        session.execute(sa.insert(Quarantine), rows)
        log.warning("ingest.quarantined", source=source_id, records=len(rows))
    return len(rows)


def _store_or_halve(session: Session, batch: _Batch, posts: list[CleanPost]) -> None:
    """Store posts together; when the database refuses them, store each half, down to the one it means."""
    if not posts:
        return
    try:
        with session.begin_nested():
            outcome = _store(session, batch, posts)
    except (sa.exc.DataError, sa.exc.IntegrityError, sa.exc.StatementError, UnicodeError, OverflowError) as error:
        if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
            raise  # the database itself is in trouble: nothing here is a bad record
        if len(posts) == 1:
            post = posts[0]
            reason = f"the database refused it ({type(error).__name__})"
            batch.refused.append(Refused(raw_of(post.fetched), reason, post.external_id))
            return
        middle = len(posts) // 2
        _store_or_halve(session, batch, posts[:middle])
        _store_or_halve(session, batch, posts[middle:])
        return
    batch.post_ids += outcome.post_ids
    batch.own_ids += outcome.own_ids
    batch.edited_ids += outcome.edited_ids
    batch.duplicates += outcome.duplicates
    batch.touched += outcome.touched


@dataclass(slots=True)
class _Outcome:
    post_ids: list[int] = field(default_factory=list)
    own_ids: list[int] = field(default_factory=list)
    edited_ids: list[int] = field(default_factory=list)
    duplicates: int = 0
    touched: list[datetime] = field(default_factory=list)


def _store(session: Session, batch: _Batch, posts: list[CleanPost]) -> _Outcome:
    outcome = _Outcome()
    known = find_posts(session, batch.brand_id, [post.key for post in posts])
    new = [post for post in posts if post.key not in known]
    ids = _insert(session, batch, new, outcome) if new else {}
    late = [post for post in new if post.key not in ids]
    if late:  # another process stored them since we looked
        known |= find_posts(session, batch.brand_id, [post.key for post in late])
    again = [post for post in posts if post.key not in ids]
    outcome.duplicates = len(again)
    if again:
        source_id = batch.source.id if batch.source else None
        changed = apply_changes(session, again, known, source_id=source_id, now=batch.now)
        outcome.edited_ids = changed.edited_ids
        outcome.touched += changed.touched
    if batch.source is not None:
        _note_finder(session, batch, batch.source.id, posts, ids, known)
    return outcome


def _note_finder(
    session: Session,
    batch: _Batch,
    source_id: int,
    posts: Sequence[CleanPost],
    ids: Mapping[PostKey, int],
    known: Mapping[PostKey, StoredPost],
) -> None:
    """Keep that this source found these posts; of those it brought first that is known since they were stored."""
    found = [ids.get(post.key) or known[post.key].id for post in posts if _is_news_to(source_id, known.get(post.key))]
    rows = [
        {"brand_id": batch.brand_id, "post_id": post_id, "source_id": source_id, "first_seen_at": batch.now}
        for post_id in found
    ]
    insert_ignoring(session, PostSource, rows, ("brand_id", "post_id", "source_id"))


def _is_news_to(source_id: int, stored: StoredPost | None) -> bool:
    return stored is None or stored.source_id != source_id


def _insert(session: Session, batch: _Batch, posts: list[CleanPost], outcome: _Outcome) -> dict[PostKey, int]:
    """Insert new posts with their authors and search documents; gives the ids of the rows that are really new."""
    own = batch.own | {
        (post.author.network, post.author.instance, post.author.external_id)
        for post in posts
        if (post.author.network, post.author.handle.lower()) in batch.own_handles
        and post.author.external_id.lower() == post.author.handle.lower()
    }
    authors = store_identities(session, batch.brand_id, (post.author for post in posts), batch.now, own=own)
    rows = []
    for post in posts:
        author = authors[post.author.network, post.author.instance, post.author.external_id]
        rows.append(_row(batch, post, author_id=author.id, is_own=author.is_own))
    insert_ignoring(session, Post, rows, POST_KEY)
    ids = find_inserted(
        session,
        batch.brand_id,
        [post.key for post in posts],
        source_id=batch.source.id if batch.source else None,
        fetched_at=batch.now,
    )
    documents = []
    for post, row in zip(posts, rows, strict=True):
        post_id = ids.get(post.key)
        if post_id is None:
            continue
        outcome.post_ids.append(post_id)
        if row["is_own"]:
            outcome.own_ids.append(post_id)
        elif post.repost_of is None:
            outcome.touched.append(post.created_at)
        documents.append(
            SearchDocument(
                brand_id=batch.brand_id,
                post_id=post_id,
                text=f"{post.title} {post.text}" if post.title else post.text,
                author=f"{post.author.handle} {post.author.display_name}",
                language=post.language_hint,
            )
        )
    index_documents(session, documents, are_new=True)
    count_reposts_of(session, batch.brand_id, [post for post in posts if post.key in ids])
    return ids


def _row(batch: _Batch, post: CleanPost, *, author_id: int, is_own: bool) -> dict[str, object]:
    state = PostState.NEW
    if post.repost_of is not None:
        state = PostState.IGNORED
    elif is_own:
        state = PostState.TAGGED  # nothing to understand in our own words: on to threads and routing
    return {
        "brand_id": batch.brand_id,
        "network": post.network,
        "instance": post.instance,
        "external_id": post.external_id,
        "kind": post.kind,
        "state": state,
        "author_id": author_id,
        "source_id": batch.source.id if batch.source else None,
        "text": post.text,
        "title": post.title,
        "url": post.url,
        "parent_external_id": post.parent_external_id,
        "thread_key": post.thread_key,
        "repost_of": post.repost_of,
        "mentions_us": post.mentions_us,
        "is_own": is_own,
        "is_history": batch.is_history,
        "language_hint": post.language_hint,
        "rating": post.rating,
        "likes": post.likes,
        "replies": post.replies,
        "reposts": post.reposts,
        "audience": post.audience,
        "media": post.media,
        "created_at": post.created_at,
        "fetched_at": batch.now,
        "edited_at": post.edited_at,
        "tag_attempts": 0,
    }


def _note_cuts(batch: _Batch, checked: CheckedPosts) -> None:
    for post in checked.posts:
        if post.cut_from is not None:
            reason = f"stored, but its text was cut from {post.cut_from} to {len(post.text)} characters"
            batch.refused.append(Refused(raw_of(post.fetched), reason, post.external_id))

"""Archive import: a file's posts become history, threaded, with our own answers recognised.

Rows are stored in batches; each batch commits together with how far the file was read, so that an import killed
anywhere goes on with `resume` and stores nothing twice. Memory does not grow with the file (CSV, JSON lines).
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from connectors.archive import ArchiveItem, ArchiveMapping, ArchiveReader, Rejects, load_mapping
from connectors.base import BadRecord, Clock, FetchedPost
from inbox.errors import NotFoundError
from inbox.listening.ingest import ingest_posts
from inbox.listening.threads import thread_posts
from inbox.listening.validation import Refused, cap_raw, clean_author
from inbox.store.engine import Store
from inbox.store.queries.brands import find_brand
from inbox.store.tables import SystemValue

log = structlog.get_logger(__name__)
BATCH = 500


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, from the start of the file also when it was resumed.

    `read` counts rows; `conversations` those opened by them, less those that turned out to be one.
    """

    read: int = 0
    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    erased: int = 0
    own: int = 0
    conversations: int = 0


def import_archive(
    store: Store,
    *,
    brand_slug: str,
    path: Path,
    mapping: Path | ArchiveMapping | None,
    resume: bool,
    clock: Clock,
    progress: Callable[[int], None] | None = None,
    rejects: Path | None = None,
    tombstone_key: bytes | None = None,
) -> ImportReport:
    """Load an archive as history of a brand; `progress` hears how many bytes of the file are done.

    NotFoundError when there is no such brand; PermanentError when file or mapping cannot be read at all. Rows
    that cannot be read go to quarantine, and to the file `rejects` if one is named.
    """
    chosen = load_mapping(mapping) if isinstance(mapping, Path) else mapping
    reader = ArchiveReader(path, chosen)
    with store.read() as session:
        brand = find_brand(session, brand_slug)
        if brand is None:
            raise NotFoundError(f'There is no brand "{brand_slug}".', log_message="import for an unknown brand")
        key = _key_of(brand.id, path)
        position, report = _load_progress(session, key, path) if resume else (None, ImportReport())
    log.info("import.started", brand=brand.id, resumed=position is not None)
    items = reader.read(position)
    with ExitStack() as stack:
        rejected = stack.enter_context(Rejects(rejects)) if rejects else None
        while batch := list(islice(items, BATCH)):
            for item in batch:
                if rejected is not None:
                    rejected.write(item)
            now = clock()
            with store.write() as session:
                report = _store_batch(session, brand.id, batch, report, now=now, tombstone_key=tombstone_key)
                _save_progress(session, key, batch[-1].position, report, now)
            if progress is not None:
                progress(batch[-1].offset)
    with store.write() as session:
        done = session.get(SystemValue, key)
        if done is not None:
            session.delete(done)
    log.info("import.ended", brand=brand.id, read=report.read, stored=report.stored)
    return report


def _store_batch(
    session: Session,
    brand_id: int,
    batch: list[ArchiveItem],
    report: ImportReport,
    *,
    now: datetime,
    tombstone_key: bytes | None,
) -> ImportReport:
    posts = [item.record for item in batch if isinstance(item.record, FetchedPost)]
    bad = [item.record for item in batch if isinstance(item.record, BadRecord)]
    ingested = ingest_posts(
        session,
        brand_id,
        posts,
        source=None,
        bad=[Refused(cap_raw(one.raw), one.reason[:1000], one.external_id) for one in bad],
        now=now,
        is_history=True,
        own_authors=frozenset(_own_authors(batch)),
        tombstone_key=tombstone_key,
    )
    threaded = thread_posts(session, ingested.post_ids, now)
    return replace(
        report,
        read=report.read + len(batch),
        stored=report.stored + ingested.stored,
        duplicates=report.duplicates + ingested.duplicates,
        quarantined=report.quarantined + ingested.quarantined,
        erased=report.erased + ingested.erased,
        own=report.own + len(ingested.own_ids),
        conversations=report.conversations + threaded.created - len(threaded.merged),
    )


def _own_authors(batch: list[ArchiveItem]) -> Iterator[tuple[str, str, str]]:
    for item in batch:
        if item.is_own and isinstance(item.record, FetchedPost):
            author = clean_author(item.record.author, item.record.network, item.record.instance)
            yield author.network, author.instance, author.external_id


def _key_of(brand_id: int, path: Path) -> str:
    digest = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return f"import.{brand_id}.{digest}"


def _load_progress(session: Session, key: str, path: Path) -> tuple[str | None, ImportReport]:
    saved = session.get(SystemValue, key)
    if saved is None:
        return None, ImportReport()
    state = json.loads(saved.value)
    if state["size"] > path.stat().st_size:  # another file by the same name: begin anew
        return None, ImportReport()
    return state["position"], ImportReport(**state["report"])


def _save_progress(session: Session, key: str, position: str, report: ImportReport, now: datetime) -> None:
    counts = {name: getattr(report, name) for name in ImportReport.__slots__}
    digits = position.split(".", 1)[0]
    value = json.dumps({"position": position, "size": int(digits) if digits.isdecimal() else 0, "report": counts})
    session.merge(SystemValue(key=key, value=value, changed_at=now))

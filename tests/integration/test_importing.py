"""Archive import: real threads load with order, authors and answers; a killed import goes on where it stopped."""

import csv
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.archive import ArchiveMapping
from connectors.errors import PermanentError
from inbox.errors import NotFoundError
from inbox.listening import importing
from inbox.listening.importing import import_archive
from inbox.store.engine import Store
from inbox.store.tables import Conversation, Identity, Post, Quarantine, SystemValue
from tests.conftest import FakeClock
from tests.listening_factory import add_brand
from tests.shared_data import shared_data

CARE = ArchiveMapping.model_validate(
    {
        "network": "x",
        "conversation": {"messages": ["dialogContent", "agentURL"], "chain": True},
        "post": {
            "id": "tweet_ID",
            "text": ["message", "url_utterance"],
            "created_at": "datetime",
            "snowflake": "tweet_ID",
            "author": ["client", "client1"],
            "own_author": ["agent", "^dialogHeader.company"],
        },
    }
)


def load(store: Store, path: Path, mapping: ArchiveMapping | None = None, **options: object) -> importing.ImportReport:
    given: dict[str, object] = {"resume": False, "clock": FakeClock(datetime(2026, 11, 10, tzinfo=UTC))} | options
    return import_archive(store, brand_slug="cafflino", path=path, mapping=mapping, **given)  # type: ignore[arg-type] # options of import_archive


@pytest.fixture
def branded(store: Store) -> Store:
    with store.write() as session:
        add_brand(session)
    return store


def own_recount(path: Path) -> tuple[dict[str, tuple[str, datetime, bool]], list[set[str]]]:
    """Count the file plainly: posts by id with author, time and whether ours; threads that share an id are one."""
    posts: dict[str, tuple[str, datetime, bool]] = {}
    threads: list[set[str]] = []
    for dialog in json.loads(path.read_text(encoding="utf-8")):
        ids = set()
        for message in dialog["dialogContent"]:
            ours = "agent" in message
            name = message.get("agent") or message.get("client") or message["client1"]
            posts.setdefault(message["tweet_ID"], (name, datetime.fromisoformat(message["datetime"]), ours))
            ids.add(message["tweet_ID"])
        last = dialog["agentURL"]["tweet_ID"]
        moment = datetime.fromtimestamp(((int(last) >> 22) + 1288834974657) / 1000, UTC)
        posts.setdefault(last, (dialog["dialogHeader"]["company"], moment, True))
        ids.add(last)
        for other in [thread for thread in threads if thread & ids]:
            threads.remove(other)
            ids |= other
        threads.append(ids)
    return posts, threads


@pytest.mark.recordings
def test_the_525_real_threads_agree_with_the_file(branded: Store) -> None:
    path = shared_data("conversations/customer_care_dev.json")
    posts, threads = own_recount(path)
    report = load(branded, path, CARE)
    assert (report.read, report.stored, report.quarantined) == (1211, len(posts), 0)
    assert report.conversations == len(threads) == 523
    with branded.read() as session:
        rows = session.execute(
            sa.select(Post.external_id, Post.conversation_id, Post.created_at, Post.is_own, Identity.handle)
            .join(Identity, Identity.id == Post.author_id)
            .order_by(Post.conversation_id, Post.created_at, Post.id)
        ).all()
        found = {conversation.id: conversation for conversation in session.scalars(sa.select(Conversation))}
    members: defaultdict[int, list[str]] = defaultdict(list)
    for external_id, conversation_id, created_at, is_own, handle in rows:
        members[conversation_id].append(external_id)
        assert (handle, created_at, is_own) == posts[external_id]
    assert sorted(map(sorted, members.values())) == sorted(map(sorted, threads))
    answered = 0
    for conversation_id, ids in members.items():
        assert ids == sorted(ids, key=lambda one: posts[one][1]), "oldest first"
        inbound = min(posts[one][1] for one in ids if not posts[one][2])
        first = min((posts[one][1] for one in ids if posts[one][2] and posts[one][1] >= inbound), default=None)
        conversation = found[conversation_id]
        assert (conversation.first_inbound_at, conversation.first_reply_at) == (inbound, first)
        answered += first is not None
    assert answered == 523


@pytest.mark.recordings
def test_importing_the_same_file_again_stores_nothing(branded: Store) -> None:
    path = shared_data("conversations/customer_care_dev.json")
    load(branded, path, CARE)
    again = load(branded, path, CARE)
    assert (again.stored, again.duplicates, again.conversations) == (0, 1211, 0)


def write_lines(path: Path, count: int) -> Path:
    with path.open("w", encoding="utf-8") as lines:
        for number in range(count):
            row = {
                "id": str(number),
                "text": f"riga {number}",
                "author": f"u{number % 7}",
                "created_at": "2026-10-01T10:00:00Z",
            }
            lines.write(json.dumps(row) + "\n" if number % 10 != 3 else "{broken\n")
    return path


def test_a_killed_import_goes_on_and_stores_nothing_twice(
    branded: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 10)
    path = write_lines(tmp_path / "posts.jsonl", 95)
    seen: list[int] = []

    def die(done: int) -> None:
        seen.append(done)
        if len(seen) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(branded, path, progress=die)
    with branded.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Post)) == 36
    report = load(branded, path, resume=True, rejects=tmp_path / "rejects.jsonl")
    assert (report.read, report.stored, report.quarantined, report.duplicates) == (95, 85, 10, 0)
    with branded.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Post)) == 85
        assert session.scalar(sa.select(sa.func.count()).select_from(Quarantine)) == 10
        assert session.scalars(sa.select(SystemValue.key).where(SystemValue.key.like("import.%"))).all() == []
        assert set(session.scalars(sa.select(Post.is_history))) == {True}
    assert seen == sorted(seen)
    assert (tmp_path / "rejects.jsonl").read_text().count("\n") == 6, "those after the kill"


def test_a_csv_knows_our_handles(branded: Store, tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "author", "created_at", "parent_id"])
        writer.writerow(["1", "Dov'è il pacco?", "anna", "2026-10-01T10:00:00Z", ""])
        writer.writerow(["2", "In arrivo, Anna", "@Cafflino", "2026-10-01T10:20:00Z", "1"])
    report = load(branded, path, ArchiveMapping(own_handles=("cafflino",)))
    assert (report.stored, report.own, report.conversations) == (2, 1, 1)
    with branded.read() as session:
        conversation = session.scalars(sa.select(Conversation)).one()
    assert conversation.first_inbound_at is not None
    assert conversation.first_reply_at == conversation.first_inbound_at + timedelta(minutes=20)


def test_an_unknown_brand_and_a_missing_file_are_told(branded: Store, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="cannot be read"):
        load(branded, tmp_path / "none.csv")
    with pytest.raises(NotFoundError):
        import_archive(
            branded, brand_slug="nobody", path=write_lines(tmp_path / "a.jsonl", 1), mapping=None, resume=False,
            clock=FakeClock(datetime(2026, 11, 10, tzinfo=UTC)),
        )  # fmt: skip

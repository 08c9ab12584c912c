"""Backup and restore: the drill on both databases, under load, and everything that can be wrong with a file."""

import io
import json
import os
import stat
import tarfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.brand import BrandFile
from config.settings import Settings
from inbox import audit
from inbox.listening.brands import apply_brand_file
from inbox.store.backup import BackupError, back_up, read_manifest, restore
from inbox.store.dumps import find_tool
from inbox.store.engine import Store
from inbox.store.queries.installation import is_publishing_paused
from inbox.store.queries.inventory import count_rows
from inbox.store.secrets import Vault, key_path, load_vault
from inbox.store.tables import SignIn, Source, SystemValue, User
from tests.databases import find_binaries, postgres_database

NOW = datetime(2026, 11, 10, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def postgres_programs_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_dump must be of the server's version: the one that lies beside it."""
    binaries = find_binaries()
    if binaries is not None:
        monkeypatch.setenv("PATH", f"{binaries}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def empty_store(store: Store, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty database of the same kind as `store`."""
    if store.is_sqlite:
        empty = Store(f"sqlite:///{tmp_path / 'elsewhere' / 'ascolto.sqlite3'}")
        yield empty
        empty.dispose()
        return
    with postgres_database(request.getfixturevalue("postgres_url")) as url:
        empty = Store(url)
        yield empty
        empty.dispose()


def fill(store: Store, vault: Vault) -> None:
    with store.write() as session:
        brand = apply_brand_file(session, BrandFile(slug="a", name="Caffè à ☕"), now=NOW)
        session.add(
            Source(
                brand_id=brand.brand_id, network="rss", kind="own", name="feed", cursor="c1",
                secrets=vault.encrypt({"token": "t"}), created_at=NOW,
            )
        )  # fmt: skip
        user = User(email="a@example.com", name="A", password_hash="x", created_at=NOW)
        session.add(user)
        session.flush()
        session.add(SignIn(token_digest="d", user_id=user.id, created_at=NOW, seen_at=NOW))


def test_drill_gives_back_everything_with_publishing_paused(
    store: Store, empty_store: Store, settings: Settings, tmp_path: Path
) -> None:
    vault = load_vault(settings)
    fill(store, vault)
    report = back_up(store, settings, vault, tmp_path, with_key=False, now=NOW)
    assert report.path.name == "ascolto-20261110-090000.backup.tar"
    assert stat.S_IMODE(report.path.stat().st_mode) == 0o600
    restored = restore(empty_store, settings, report.path, now=NOW)
    assert restored.fits_key
    assert {**restored.rows, "audit_event": 1} == report.manifest.rows
    with empty_store.read() as session:
        source = session.scalars(sa.select(Source)).one()
        assert vault.decrypt(source.secrets or "") == {"token": "t"}
        assert is_publishing_paused(session)
        assert session.scalar(sa.select(sa.func.count()).select_from(SignIn)) == 0
        assert audit.verify(session).is_intact


def test_key_stays_at_home_unless_asked_for(store: Store, settings: Settings, tmp_path: Path) -> None:
    vault = load_vault(settings)
    fill(store, vault)
    key = key_path(settings).read_text().strip()
    without = back_up(store, settings, vault, tmp_path / "without.tar", with_key=False, now=NOW)
    assert key.encode() not in without.path.read_bytes()
    assert without.manifest.key_fingerprints == vault.fingerprints


def test_key_that_came_along_opens_the_sources_elsewhere(
    store: Store, empty_store: Store, settings: Settings, tmp_path: Path
) -> None:
    vault = load_vault(settings)
    fill(store, vault)
    backup = back_up(store, settings, vault, tmp_path, with_key=True, now=NOW)
    elsewhere = Settings(data_dir=tmp_path / "other-machine")
    assert restore(empty_store, elsewhere, backup.path, now=NOW).fits_key
    with empty_store.read() as session:
        encrypted = session.scalars(sa.select(Source.secrets)).one()
    assert load_vault(elsewhere).decrypt(encrypted or "") == {"token": "t"}


def test_missing_key_is_told(store: Store, empty_store: Store, settings: Settings, tmp_path: Path) -> None:
    vault = load_vault(settings)
    fill(store, vault)
    backup = back_up(store, settings, vault, tmp_path, with_key=False, now=NOW)
    assert not restore(empty_store, Settings(data_dir=tmp_path / "other"), backup.path, now=NOW).fits_key


def test_place_that_is_not_empty_is_left_alone(store: Store, settings: Settings, tmp_path: Path) -> None:
    vault = load_vault(settings)
    fill(store, vault)
    backup = back_up(store, settings, vault, tmp_path, with_key=False, now=NOW)
    with pytest.raises(BackupError, match="not empty"):
        restore(store, settings, backup.path, now=NOW)
    with store.read() as session:
        assert not is_publishing_paused(session)


@pytest.mark.parametrize("engine", ["sqlite_store", "postgres_store"])
def test_backup_under_load_is_one_moment(
    engine: str, request: pytest.FixtureRequest, settings: Settings, tmp_path: Path
) -> None:
    """Two rows are always written together: no backup may hold one without the other, and no writer may fail."""
    store: Store = request.getfixturevalue(engine)
    vault = load_vault(settings)
    fill(store, vault)
    stop, errors, written = threading.Event(), [], [0]

    def write() -> None:
        while not stop.is_set():
            try:
                with store.write() as session:
                    number = written[0]
                    session.add(SystemValue(key=f"a{number}", value="x" * 200, changed_at=NOW))
                    session.flush()
                    session.add(SystemValue(key=f"b{number}", value="x" * 200, changed_at=NOW))
                    audit.record(session, now=NOW, action="x", entity="x", entity_id=number)
                written[0] += 1
            except Exception as error:  # noqa: BLE001 - collected for the assertion
                errors.append(error)
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while written[0] < 20:
            time.sleep(0.01)
        reports = [
            back_up(store, settings, vault, tmp_path / f"{number}.tar", with_key=False, now=NOW) for number in range(3)
        ]
    finally:
        stop.set()
        writer.join()
    assert errors == []
    assert reports[0].manifest.rows["audit_event"] >= 20
    if store.is_sqlite:
        for number, report in enumerate(reports):
            copy = Store(f"sqlite:///{tmp_path / str(number) / 'x.sqlite3'}")
            restore(copy, settings, report.path, now=NOW)
            with copy.read() as session:
                keys = set(session.scalars(sa.select(SystemValue.key)))
                assert {k[1:] for k in keys if k[0] == "a"} == {k[1:] for k in keys if k[0] == "b"}
                assert audit.verify(session).is_intact
                assert count_rows(session)["audit_event"] == report.manifest.rows["audit_event"] + 1
            copy.dispose()


def damaged(path: Path, how: str) -> None:
    if how == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif how == "not a tar":
        path.write_bytes(b"\x00\x01 hello" * 1000)
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "flipped":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    else:
        with tarfile.open(path, "r:") as archive:
            members = [(m.name, archive.extractfile(m).read()) for m in archive.getmembers()]  # type: ignore[union-attr] - all are files
        with tarfile.open(path, "w:") as archive:
            for name, content in members:
                if name == "manifest.json":
                    manifest = json.loads(content)
                    manifest.update({"newer": {"revision": "9999_future"}, "bad": {"rows": 5}}[how])
                    content = json.dumps(manifest).encode()  # noqa: PLW2901 - the member as it is to be
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("how", ["truncated", "not a tar", "empty", "flipped", "newer", "bad"])
def test_damaged_backup_changes_nothing(sqlite_store: Store, settings: Settings, tmp_path: Path, how: str) -> None:
    vault = load_vault(settings)
    fill(sqlite_store, vault)
    backup = back_up(sqlite_store, settings, vault, tmp_path / "b.tar", with_key=False, now=NOW)
    damaged(backup.path, how)
    place = tmp_path / "new" / "ascolto.sqlite3"
    empty = Store(f"sqlite:///{place}")
    with pytest.raises(BackupError):
        restore(empty, settings, backup.path, now=NOW)
    empty.dispose()
    assert not place.exists()
    assert list((tmp_path / "new").iterdir()) == []


def test_names_inside_the_archive_are_never_paths(sqlite_store: Store, settings: Settings, tmp_path: Path) -> None:
    vault = load_vault(settings)
    fill(sqlite_store, vault)
    backup = back_up(sqlite_store, settings, vault, tmp_path / "b.tar", with_key=False, now=NOW)
    with tarfile.open(backup.path, "a:") as archive:
        info = tarfile.TarInfo("../../escaped")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    empty = Store(f"sqlite:///{tmp_path / 'new' / 'ascolto.sqlite3'}")
    restore(empty, settings, backup.path, now=NOW)
    empty.dispose()
    assert not list(tmp_path.rglob("escaped"))


def test_backup_never_overwrites(sqlite_store: Store, settings: Settings, tmp_path: Path) -> None:
    target = tmp_path / "b.tar"
    target.write_text("mine")
    with pytest.raises(BackupError, match="exists already"):
        back_up(sqlite_store, settings, load_vault(settings), target, with_key=False, now=NOW)
    assert target.read_text() == "mine"


def test_backup_of_nothing_is_refused(settings: Settings, tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'none.sqlite3'}")
    with pytest.raises(BackupError, match="no database"):
        back_up(store, settings, load_vault(settings), tmp_path / "b.tar", with_key=False, now=NOW)
    store.dispose()


def test_full_disk_is_told_and_leaves_nothing(
    sqlite_store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = load_vault(settings)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: type("Usage", (), {"free": 10})())
    folder = tmp_path / "full"
    with pytest.raises(BackupError, match="not enough room"):
        back_up(sqlite_store, settings, vault, folder / "b.tar", with_key=False, now=NOW)
    assert list(folder.iterdir()) == []


def test_kinds_of_database_are_not_mixed(
    sqlite_store: Store, postgres_store: Store, settings: Settings, tmp_path: Path
) -> None:
    backup = back_up(sqlite_store, settings, load_vault(settings), tmp_path, with_key=False, now=NOW)
    with pytest.raises(BackupError, match="same kind"):
        restore(postgres_store, settings, backup.path, now=NOW)
    assert read_manifest(backup.path).engine == "sqlite"


def test_missing_program_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Exception, match="postgresql-client"):
        find_tool("pg_dump_of_no_version")

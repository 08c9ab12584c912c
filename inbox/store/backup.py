"""Backup and restore, one command each: a database, what it needs to be understood, and nothing secret.

A backup is one file: a tar archive of `manifest.json` and the database's own copy. The key that opens the
sources' credentials is not in it unless asked for; the manifest names its fingerprint, so that a restore can
say whether the key at hand fits. After a restore nothing is published until somebody has reconciled.
"""

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import sqlalchemy as sa
from alembic.script import ScriptDirectory
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.orm import Session

from config.settings import Settings
from inbox import audit
from inbox.store.dumps import DumpError, check_sqlite, dump_postgres, dump_sqlite, has_tables, load_postgres
from inbox.store.engine import Store
from inbox.store.migrate import alembic_config, current_revision, upgrade
from inbox.store.queries.installation import PUBLISHING_PAUSED
from inbox.store.queries.inventory import count_rows
from inbox.store.secrets import KEY_FILE, Vault, configured_keys, key_path, read_keys, write_keys
from inbox.store.tables import SignIn, SystemValue

FORMAT = 1
MANIFEST = "manifest.json"
_DATABASE = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}
_CHUNK = 1 << 20
_MANIFEST_BYTES = 1_000_000
# A copy, the archive of it, and room to go on working.
_SPACE_FACTOR = 2.2


class BackupError(Exception):
    """A backup or restore could not be done; the message says why and what to do."""


class Manifest(BaseModel):
    """What a backup says of itself."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: int
    created_at: datetime
    engine: str
    revision: str
    sha256: str
    rows: dict[str, int]
    key_fingerprints: tuple[str, ...]
    has_key: bool = False


@dataclass(frozen=True, slots=True)
class BackupReport:
    """A finished backup: where it is and what it holds."""

    path: Path
    size_bytes: int
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """A finished restore. `fits_key` False: the sources' credentials cannot be read with the key at hand."""

    manifest: Manifest
    rows: dict[str, int]
    fits_key: bool


def back_up(
    store: Store, settings: Settings, vault: Vault, target: Path, *, with_key: bool, now: datetime
) -> BackupReport:
    """Write a backup while the product runs; `target` is a file, or a folder that gets a file named by time."""
    if target.is_dir():
        target = target / f"ascolto-{now.astimezone(UTC):%Y%m%d-%H%M%S}.backup.tar"
    if target.exists():
        raise BackupError(f"{target} exists already; choose another name.")
    revision = current_revision(store)
    if revision is None:
        raise BackupError("There is no database to back up yet. Run `ascolto init` first.")
    engine = store.url.get_backend_name()
    _need_space(store, target)
    with _in_words(), _workplace(target.parent) as folder:
        copy = folder / _DATABASE[engine]
        rows = (dump_sqlite if store.is_sqlite else dump_postgres)(store, copy)
        manifest = Manifest(
            format=FORMAT,
            created_at=now.astimezone(UTC),
            engine=engine,
            revision=revision,
            sha256=_digest(copy),
            rows=rows,
            key_fingerprints=vault.fingerprints,
            has_key=with_key,
        )
        partial = folder / "backup.tar"
        _pack(partial, copy, manifest, _keys(settings) if with_key else ())
        partial.replace(target)
    return BackupReport(target, target.stat().st_size, manifest)


def read_manifest(source: Path) -> Manifest:
    """Read what a backup says of itself; BackupError when it is none."""
    with _in_words(), tarfile.open(source, "r:") as archive:
        content = _member(archive, MANIFEST).read(_MANIFEST_BYTES)
        return Manifest.model_validate_json(content)


def restore(store: Store, settings: Settings, source: Path, *, now: datetime) -> RestoreReport:
    """Load a backup into an empty place and bring it to the present schema, publishing paused.

    BackupError when the place is not empty, the backup is damaged, made on the other kind of database, or by a
    newer version; nothing is changed then.
    """
    manifest = read_manifest(source)
    _check_fits(store, manifest)
    parent = Path(store.url.database or ".").parent if store.is_sqlite else settings.data_dir
    with _in_words(), _workplace(parent) as folder:
        copy = folder / _DATABASE[manifest.engine]
        keys = _unpack(source, copy, manifest)
        if store.is_sqlite:
            check_sqlite(copy)
            store.dispose()
            copy.replace(Path(store.url.database or ""))
        else:
            load_postgres(store, copy)
        if keys and not configured_keys(settings) and not key_path(settings).exists():
            write_keys(key_path(settings), keys, replace=False)
    upgrade(store)
    with store.write(durable=True) as session:
        _pause_publishing(session, manifest, now)
        session.execute(sa.delete(SignIn))  # a browser signed out since must stay signed out
        rows = count_rows(session)
    return RestoreReport(manifest, rows, _fits_key(settings, manifest))


def _check_fits(store: Store, manifest: Manifest) -> None:
    if manifest.format > FORMAT or manifest.revision not in _known_revisions():
        raise BackupError("This backup was made by a newer version of Ascolto. Install that version first.")
    if manifest.engine != store.url.get_backend_name():
        raise BackupError(
            f"This backup is of a {manifest.engine} database, the place is {store.url.get_backend_name()}. "
            "Set ASCOLTO_DATABASE_URL to a database of the same kind."
        )
    if has_tables(store):
        raise BackupError(
            "The place to restore into is not empty. Choose another ASCOLTO_DATA_DIR or database, "
            "or move the present one away."
        )


def _known_revisions() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}


def _pause_publishing(session: Session, manifest: Manifest, now: datetime) -> None:
    # What went out since the backup is not in it: inbox/replies/reconcile.py looks at the networks first.
    session.merge(SystemValue(key=PUBLISHING_PAUSED, value="restore", changed_at=now))
    audit.record(
        session,
        now=now,
        action="installation.restored",
        entity="installation",
        entity_id=None,
        after={"backup_of": manifest.created_at.isoformat(), "publishing": "paused"},
    )


def _keys(settings: Settings) -> tuple[str, ...]:
    return configured_keys(settings) or read_keys(key_path(settings))


def _fits_key(settings: Settings, manifest: Manifest) -> bool:
    if not configured_keys(settings) and not key_path(settings).exists():
        return False
    return bool(set(Vault(_keys(settings)).fingerprints) & set(manifest.key_fingerprints))


def _pack(target: Path, copy: Path, manifest: Manifest, keys: tuple[str, ...]) -> None:
    note = copy.with_name(MANIFEST)
    note.write_text(json.dumps(manifest.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    with target.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        with tarfile.open(fileobj=file, mode="w:") as archive:
            archive.add(note, MANIFEST, filter=_plain)
            archive.add(copy, copy.name, filter=_plain)
            if keys:
                key_file = copy.with_name(KEY_FILE)
                write_keys(key_file, keys, replace=False)
                archive.add(key_file, KEY_FILE, filter=_plain)
        file.flush()
        os.fsync(file.fileno())


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the names of the machine's users."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _unpack(source: Path, copy: Path, manifest: Manifest) -> tuple[str, ...]:
    """Write the database's copy to `copy` and give the keys, if any came along. Only our own names are read."""
    with tarfile.open(source, "r:") as archive:
        with copy.open("xb") as file:
            shutil.copyfileobj(_member(archive, _DATABASE[manifest.engine]), file, _CHUNK)
        if _digest(copy) != manifest.sha256:
            raise BackupError(f"{source} is damaged: its content does not match its checksum. Use another backup.")
        if not manifest.has_key:
            return ()
        content = _member(archive, KEY_FILE).read(_MANIFEST_BYTES).decode("ascii")
    return tuple(line for line in content.splitlines() if line)


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    member = archive.getmember(name)
    content = archive.extractfile(member) if member.isfile() else None
    if content is None:
        raise KeyError(name)
    return content


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _need_space(store: Store, target: Path) -> None:
    if not store.is_sqlite or not store.url.database:
        return
    needed = int(Path(store.url.database).stat().st_size * _SPACE_FACTOR)
    target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise BackupError(
            f"There is not enough room in {target.parent}: "
            f"{needed / 1e6:,.0f} MB are needed, {free / 1e6:,.0f} MB are free."
        )


@contextmanager
def _workplace(parent: Path) -> Iterator[Path]:
    """A private folder on the target's own disk, so that the last step is a rename; gone afterwards."""
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".ascolto-backup-", dir=parent) as folder:
        yield Path(folder)


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except DumpError as error:
        raise BackupError(str(error)) from error
    except (tarfile.TarError, KeyError, ValidationError, EOFError, UnicodeDecodeError) as error:
        raise BackupError("This file is no backup of Ascolto, or it is damaged.") from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise BackupError(f"The disk refused: {error.strerror or error}{where}.") from error

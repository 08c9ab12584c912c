"""What an operator does at the command line, on real databases and against the town's networks."""

import csv
import io
import json
import os
import re
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ascolto.cli.exits import ExitCode
from ascolto.demo.town import Fault, Town
from inbox.store.engine import Store
from tests.cli_factory import Cli, make_cli
from tests.conftest import FakeClock
from tests.outbox_factory import Desk, ScriptedNetwork

ROOT = Path(__file__).resolve().parents[2]
BRAND = """
slug = "fiordaliso"
name = "Fiordaliso"
competitors = [{ slug = "lampara", name = "Lampara" }]
"""
PASSWORD = "una-parola-lunga"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    yield from make_cli(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    """The data folder of an installation with a brand and an administrator, made once by `ascolto init`."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "brand.toml").write_text(BRAND)
    (folder / "data").mkdir()
    shutil.copy(sqlite_template, folder / "data" / "ascolto.sqlite3")
    done = subprocess.run(
        [sys.executable, "-m", "ascolto", "init", "--brand", "brand.toml",
         "--admin", "anna@example.com", "--password-stdin"],
        input=f"{PASSWORD}\n", text=True, capture_output=True, check=False, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "ASCOLTO_DATA_DIR": "data"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def ready(cli: Cli, prepared: Path) -> Cli:
    """An installation with a brand and an administrator."""
    shutil.copytree(prepared, cli.folder, dirs_exist_ok=True)
    return cli


@pytest.fixture
def listening(ready: Cli, town: Town) -> Cli:
    """The same, listening to a Mastodon account on which somebody spoke to us."""
    town.mastodon.add_account("fiordaliso", "Fiordaliso")
    town.mastodon.add_account("ugo", "=Ugo()")
    for text in ("@fiordaliso bolletta sbagliata, che vergogna", "@fiordaliso grazie mille"):
        town.mastodon.add_post("ugo", text)
    ready.monkeypatch.setenv("TOKEN", town.mastodon.token_for("fiordaliso"))
    ready.ok(
        "source", "add", "mastodon", "--brand", "fiordaliso", "--name", "Masto", "--publish",
        "--set", f"api_url={town.url}/mastodon", "--set", "server=mastodon.example", "--set", "access_token=env:TOKEN",
    )  # fmt: skip
    return ready


# --- beginning ---------------------------------------------------------------------------------------------


def test_init_makes_everything_and_may_be_repeated(ready: Cli) -> None:
    key = ready.folder / "data" / "secret.key"
    before = key.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    again = ready.ok("init", "--brand", "brand.toml", "--json").json
    assert again["brands"] == ["fiordaliso", "lampara"]
    assert key.read_bytes() == before


def test_second_administrator_of_the_same_name_is_a_conflict(ready: Cli) -> None:
    ended = ready("init", "--admin", "anna@example.com", "--generate")
    assert ended.code == ExitCode.CONFLICT


@pytest.mark.parametrize(
    "command", [("user", "list"), ("source", "list"), ("reply", "list"), ("backup",), ("audit", "verify")]
)
def test_nothing_works_before_init_and_says_so(cli: Cli, command: tuple[str, ...]) -> None:
    ended = cli(*command)
    assert ended.code == ExitCode.CONFIGURATION
    assert "ascolto init" in ended.err
    assert not (cli.folder / "data" / "ascolto.sqlite3").exists()


def test_database_of_another_schema_is_refused_until_upgraded(ready: Cli) -> None:
    with sqlite3.connect(ready.folder / "data" / "ascolto.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000_older'")
    ended = ready("user", "list")
    assert ended.code == ExitCode.CONFIGURATION
    assert "db upgrade" in ended.err


def test_db_upgrade_on_postgres_prepares_queue_too(cli: Cli, postgres_url: str) -> None:
    from tests.databases import postgres_database

    with postgres_database(postgres_url) as url:
        cli.monkeypatch.setenv("ASCOLTO_DATABASE_URL", url)
        assert cli.ok("db", "upgrade", "--json").json["from"] is None
        again = cli.ok("db", "upgrade", "--json").json
        assert again["from"] == again["to"]
        assert cli.ok("user", "list", "--json").json == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ASCOLTO_PORT", "many", "port"),
        ("ASCOLTO_LOG_LEVEL", "LOUD", "log_level"),
        ("ASCOLTO_PUBLISHING", "maybe", "publishing"),
        ("ASCOLTO_SECRET_KEYS", "short", "secret key"),
        ("ASCOLTO_DATABASE_URL", "nonsense", "database URL"),
        ("ASCOLTO_DATABASE_URL", "oracle://x", "database URL"),
    ],
)
def test_wrong_setting_is_named(ready: Cli, name: str, value: str, words: str) -> None:
    ready.monkeypatch.setenv(name, value)
    ended = ready("user", "list")
    assert ended.code == ExitCode.CONFIGURATION
    assert words in ended.err


def test_misspelt_setting_in_the_file_is_refused(ready: Cli) -> None:
    (ready.folder / "ascolto.toml").write_text("prot = 8000\n")
    ended = ready("user", "list")
    assert ended.code == ExitCode.CONFIGURATION
    assert "prot" in ended.err


def test_settings_file_can_be_named(ready: Cli) -> None:
    (ready.folder / "other.toml").write_text("not toml at all [")
    ended = ready("--config", "other.toml", "user", "list")
    assert ended.code == ExitCode.CONFIGURATION


def test_unreachable_database_is_told_without_the_password(cli: Cli) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cli.monkeypatch.setenv("ASCOLTO_DATABASE_URL", f"postgresql+psycopg://u:hidden-word@127.0.0.1:{port}/x")
    ended = cli("user", "list")
    assert ended.code == ExitCode.STORAGE
    assert "hidden-word" not in ended.err + ended.out
    doctor = cli("doctor")
    assert doctor.code == ExitCode.FAILED
    assert "hidden-word" not in doctor.out


# --- people ------------------------------------------------------------------------------------------------


def test_people_are_added_and_get_new_passwords(ready: Cli) -> None:
    made = ready.ok("user", "add", "Marco@Example.com", "--name", "Marco", "--generate", "--json").json
    assert made["email"] == "marco@example.com"
    assert len(made["password"]) >= 16
    assert ready.ok("user", "passwd", "marco@example.com", "--password-stdin", stdin=f"{PASSWORD}\n").out == ""
    people = ready.ok("user", "list", "--json").json
    assert [(one["email"], one["role"]) for one in people] == [
        ("anna@example.com", "admin"),
        ("marco@example.com", "agent"),
    ]


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [
        (("add", "anna@example.com", "--generate"), "", ExitCode.CONFLICT),
        (("add", "no-address", "--generate"), "", ExitCode.USAGE),
        (("add", "b@example.com", "--password-stdin"), "short\n", ExitCode.USAGE),
        (("add", "b@example.com"), "", ExitCode.USAGE),
        (("add", "b@example.com", "--generate", "--password-stdin"), "", ExitCode.USAGE),
        (("passwd", "nobody@example.com", "--generate"), "", ExitCode.NOT_FOUND),
    ],
)
def test_mistakes_about_people_have_their_codes(
    ready: Cli, arguments: tuple[str, ...], stdin: str, code: ExitCode
) -> None:
    ended = ready("user", *arguments, stdin=stdin)
    assert ended.code == code
    assert ended.err.startswith("ascolto: ")
    assert "Traceback" not in ended.err


# --- sources -----------------------------------------------------------------------------------------------


def test_source_is_added_polled_paused_and_resumed(listening: Cli) -> None:
    (source,) = listening.ok("source", "list", "--json").json
    assert (source["name"], source["network"], source["account"], source["can_publish"]) == (
        "Masto",
        "mastodon",
        "fiordaliso@mastodon.example",
        True,
    )
    polled = listening.ok("source", "poll", "Masto", "--json").json
    assert (polled["stored"], polled["quarantined"], polled["error"]) == (2, 0, None)
    assert "fiordaliso" in listening.ok("source", "check", str(source["id"])).out
    listening.ok("source", "pause", "Masto")
    ended = listening("source", "poll", "Masto")
    assert ended.code == ExitCode.CONFLICT
    listening.ok("source", "resume", "Masto")
    assert listening.ok("source", "poll", "Masto", "--json").json["stored"] == 0


def test_backfill_brings_what_the_first_reading_left_out(listening: Cli) -> None:
    report = listening.ok("source", "backfill", "Masto", "--days", "30", "--json").json
    assert report["stored"] == 2


def test_token_is_neither_shown_nor_stored_in_the_open(listening: Cli, town: Town) -> None:
    token = town.mastodon.token_for("fiordaliso")
    shown = listening.ok("source", "check", "Masto", "--json").out + listening.ok("source", "list", "--json").out
    assert token not in shown
    for path in (listening.folder / "data").iterdir():
        assert token.encode() not in path.read_bytes()


def test_feed_is_added_from_a_file(ready: Cli, town: Town) -> None:
    town.feeds.add_account("news", "Notizie")
    town.feeds.add_post("news", "Fiordaliso apre a Bari", title="Bari")
    (ready.folder / "feed.toml").write_text(f'url = "{town.url}/feeds/news.xml"\n')
    ready.ok("source", "add", "rss", "--brand", "fiordaliso", "--name", "Blog", "--file", "feed.toml")
    assert ready.ok("source", "poll", "Blog", "--json").json["stored"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("add", "icq", "--brand", "fiordaliso", "--name", "a"), ExitCode.NOT_FOUND, "icq"),
        (("add", "rss", "--brand", "nobody", "--name", "a"), ExitCode.NOT_FOUND, "fiordaliso, lampara"),
        (("add", "rss", "--brand", "fiordaliso", "--name", "a"), ExitCode.USAGE, "url"),
        (("add", "rss", "--brand", "fiordaliso", "--name", "a", "--set", "url"), ExitCode.USAGE, "name=value"),
        (("add", "rss", "--brand", "fiordaliso", "--name", "a", "--set", "url=env:NOPE"), ExitCode.USAGE, "NOPE"),
        (
            ("add", "rss", "--brand", "fiordaliso", "--name", "a", "--set", "url=file:///etc/passwd"),
            ExitCode.USAGE,
            "http",
        ),
        (
            ("add", "rss", "--brand", "fiordaliso", "--name", "a", "--set", "url=http://127.0.0.1:9/x"),
            ExitCode.NETWORK,
            "cannot be reached",
        ),
        (("add", "rss", "--brand", "fiordaliso", "--name", "a", "--set", "colour=red"), ExitCode.USAGE, "colour"),
        (("poll", "nope"), ExitCode.NOT_FOUND, "nope"),
        (("networks", "icq"), ExitCode.NOT_FOUND, "icq"),
    ],
)
def test_mistakes_about_sources_are_told(ready: Cli, arguments: tuple[str, ...], code: ExitCode, words: str) -> None:
    ended = ready("source", *arguments)
    assert ended.code == code, ended.err
    assert words in ended.err


def test_refused_credentials_are_a_network_failure(ready: Cli, town: Town) -> None:
    ended = ready(
        "source", "add", "mastodon", "--brand", "fiordaliso", "--name", "m",
        "--set", f"api_url={town.url}/mastodon", "--set", "server=m.example", "--set", "access_token=wrong-token",
    )  # fmt: skip
    assert ended.code == ExitCode.NETWORK
    assert "wrong-token" not in ended.err
    assert ready.ok("source", "list", "--json").json == []


def test_failing_network_is_told_and_noted(listening: Cli, town: Town) -> None:
    town.faults.add(Fault(kind="500", network="mastodon", times=50))
    ended = listening("source", "poll", "Masto")
    assert ended.code == ExitCode.NETWORK
    assert "Traceback" not in ended.err


def test_name_shared_by_two_brands_needs_the_brand(listening: Cli, town: Town) -> None:
    town.feeds.add_account("news", "Notizie")
    listening.ok(
        "source", "add", "rss", "--brand", "lampara", "--name", "Masto", "--set", f"url={town.url}/feeds/news.xml"
    )
    assert listening("source", "check", "Masto").code == ExitCode.USAGE
    listening.ok("source", "check", "Masto", "--brand", "lampara")


def test_networks_name_their_settings(cli: Cli) -> None:
    fields = {field["name"]: field for field in cli.ok("source", "networks", "mastodon", "--json").json}
    assert fields["access_token"]["is_secret"]
    assert "query.required" in fields


# --- answers, audit, keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("retry", "99"), ExitCode.NOT_FOUND),
        (("resolve", "99", "--sent"), ExitCode.NOT_FOUND),
        (("resolve", "99"), ExitCode.USAGE),
        (("list", "--state", "nonsense"), ExitCode.USAGE),
        (("retry", "99", "--by", "nobody@example.com"), ExitCode.NOT_FOUND),
    ],
)
def test_mistakes_about_answers_have_their_codes(ready: Cli, arguments: tuple[str, ...], code: ExitCode) -> None:
    assert ready("reply", *arguments).code == code


def test_two_administrators_must_say_in_whose_name(ready: Cli) -> None:
    ready.ok("user", "add", "b@example.com", "--role", "admin", "--generate")
    ended = ready("reply", "retry", "1")
    assert ended.code == ExitCode.USAGE
    assert "--by" in ended.err


def test_audit_trail_is_verified_and_its_end_can_be_pinned(ready: Cli) -> None:
    report = ready.ok("audit", "verify", "--json").json
    assert report["is_intact"]
    ready.ok("user", "add", "b@example.com", "--generate")
    ready.ok("audit", "verify", "--head", report["head"])
    with sqlite3.connect(ready.folder / "data" / "ascolto.sqlite3") as connection:
        connection.execute("DELETE FROM audit_event WHERE id > 1")
    assert ready("audit", "verify").code == 0
    assert ready("audit", "verify", "--head", report["head"]).code == ExitCode.FAILED
    with sqlite3.connect(ready.folder / "data" / "ascolto.sqlite3") as connection:
        connection.execute("UPDATE audit_event SET entity = 'x'")
    ended = ready("audit", "verify")
    assert ended.code == ExitCode.FAILED
    assert "event 1" in ended.err


def test_keys_are_rotated_and_the_sources_still_open(listening: Cli) -> None:
    key = listening.folder / "data" / "secret.key"
    old = key.read_text().split()
    report = listening.ok("secrets", "rotate", "--json").json
    assert (report["encrypted"], report["keys"]) == (1, 2)
    listening.ok("source", "check", "Masto")
    dropped = listening.ok("secrets", "rotate", "--drop-old", "--json").json
    assert dropped["keys"] == 1
    assert not set(old) & set(key.read_text().split())
    listening.ok("source", "check", "Masto")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_wrong_key_is_told_in_words(listening: Cli) -> None:
    (listening.folder / "data" / "secret.key").unlink()
    ended = listening("source", "check", "Masto")
    assert ended.code == ExitCode.CONFIGURATION
    assert "another key" in ended.err
    checks = {check["name"]: check for check in listening("doctor", "--json").json["checks"]}
    assert checks["credentials"]["state"] == "fail"
    assert "Masto" in checks["credentials"]["words"]


# --- backup, restore, doctor -------------------------------------------------------------------------------


def test_backup_and_restore_are_one_command_each(listening: Cli) -> None:
    listening.ok("source", "poll", "Masto")
    path = listening.ok("backup").out.strip()
    assert listening.ok("backup", "copy.tar", "--json").json["rows"]["post"] == 2
    assert listening("backup", "copy.tar").code == ExitCode.FAILED
    assert listening("restore", path).code == ExitCode.FAILED
    listening.monkeypatch.setenv("ASCOLTO_DATA_DIR", str(listening.folder / "new"))
    restored = listening.ok("restore", path, "--json").json
    assert (restored["rows"]["post"], restored["fits_key"], restored["publishing"]) == (2, False, "paused")
    (listening.folder / "new" / "secret.key").write_bytes((listening.folder / "data" / "secret.key").read_bytes())
    listening.ok("source", "check", "Masto")
    checks = {check["name"]: check for check in listening("doctor", "--json").json["checks"]}
    assert "reconcile" in checks["publishing"]["cure"]
    assert listening.ok("reply", "reconcile", "--resume", "--json").json["resumed"]
    checks = {check["name"]: check for check in listening.ok("doctor", "--json").json["checks"]}
    assert checks["publishing"]["state"] == "ok"


def test_restore_of_something_else_is_refused(cli: Cli) -> None:
    (cli.folder / "x.tar").write_bytes(b"hello")
    assert cli("restore", "x.tar").code == ExitCode.FAILED
    assert cli("restore", "missing.tar").code == ExitCode.USAGE


def test_doctor_finds_a_healthy_house_healthy(listening: Cli) -> None:
    listening.ok("source", "poll", "Masto")
    report = listening.ok("doctor", "--json").json
    assert report["is_healthy"]
    assert {check["state"] for check in report["checks"]} <= {"ok", "skip"}


@pytest.mark.parametrize(
    ("harm", "name", "state"),
    [
        ("no data folder", "data folder", "fail"),
        ("open key", "secret key", "warn"),
        ("broken key", "secret key", "fail"),
        ("no database", "database", "fail"),
        ("other schema", "schema", "fail"),
        ("damaged", "integrity", "fail"),
        ("tampered", "audit trail", "fail"),
        ("no credentials", "sources", "warn"),
        ("silence", "schedule", "warn"),
    ],
)
def test_doctor_names_each_illness_with_its_cure(listening: Cli, harm: str, name: str, state: str) -> None:
    listening.ok("source", "poll", "Masto")
    do_harm(listening, harm)
    ended = listening("doctor", "--json")
    found = [check for check in ended.json["checks"] if check["name"] == name]
    assert [check["state"] for check in found] == [state], ended.out
    assert found[0]["cure"] or name == "audit trail"
    assert ended.code == (ExitCode.FAILED if state == "fail" else ExitCode.OK)


def do_harm(cli: Cli, harm: str) -> None:
    data = cli.folder / "data"
    statements = {
        "other schema": "UPDATE alembic_version SET version_num = '0000_older'",
        "damaged": "DELETE FROM brand",
        "tampered": "UPDATE audit_event SET action = 'x' WHERE id = 1",
        "no credentials": "UPDATE source SET state = 'auth_needed', state_reason = 'token expired'",
        "silence": "UPDATE poll_run SET started_at = '2026-01-01 00:00:00.000000'",
    }
    if harm in statements:
        with sqlite3.connect(data / "ascolto.sqlite3") as connection:
            connection.execute(statements[harm])
    elif harm == "no data folder":
        data.rename(cli.folder / "moved")
    elif harm == "open key":
        (data / "secret.key").chmod(0o644)
    elif harm == "broken key":
        (data / "secret.key").write_text("x\n")
    else:
        (data / "ascolto.sqlite3").unlink()


# --- data in and out ---------------------------------------------------------------------------------------


def test_posts_are_exported_safely(listening: Cli) -> None:
    listening.ok("source", "poll", "Masto")
    lines = listening.ok("export", "posts", "--brand", "fiordaliso").out.splitlines()
    assert [json.loads(line)["author_name"] for line in lines] == ["=Ugo()", "=Ugo()"]
    listening.ok("export", "posts", "--brand", "fiordaliso", "--format", "csv", "-o", "posts.csv")
    text = (listening.folder / "posts.csv").read_text("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["author_name"] for row in rows] == ["'=Ugo()", "'=Ugo()"]
    assert not [name for name in os.listdir(listening.folder) if "partial" in name]  # noqa: PTH208 - names only


@pytest.mark.parametrize(("since", "count"), [("2020-01-01", 2), ("2090-01-01", 0)])
def test_export_is_limited_by_days(listening: Cli, since: str, count: int) -> None:
    listening.ok("source", "poll", "Masto")
    assert len(listening.ok("export", "posts", "--brand", "fiordaliso", "--since", since).out.splitlines()) == count


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("posts", "--brand", "nobody"), ExitCode.NOT_FOUND),
        (("posts", "--brand", "fiordaliso", "--since", "yesterday"), ExitCode.USAGE),
        (("people", "--brand", "fiordaliso"), ExitCode.USAGE),
        (("posts", "--brand", "fiordaliso", "-o", "no/such/folder/x"), ExitCode.NOT_FOUND),
    ],
)
def test_mistakes_about_exports_have_their_codes(ready: Cli, arguments: tuple[str, ...], code: ExitCode) -> None:
    assert ready("export", *arguments).code == code


def test_conversations_of_nothing_are_an_empty_export(ready: Cli) -> None:
    assert ready.ok("export", "conversations", "--brand", "fiordaliso", "--format", "csv").out == ""


ARCHIVE = """\
{"id": "1", "text": "Bolletta sbagliata", "author": "ugo", "created_at": "2026-11-01T10:00:00Z"}
{"id": "2", "text": "Ci scusiamo", "author": "fiordaliso", "created_at": "2026-11-01T11:00:00Z", "parent_id": "1"}
broken
{"id": "2", "text": "Ci scusiamo", "author": "fiordaliso", "created_at": "2026-11-01T11:00:00Z", "parent_id": "1"}
"""


def test_archive_is_imported_and_can_be_resumed(ready: Cli) -> None:
    (ready.folder / "posts.jsonl").write_text(ARCHIVE)
    report = ready.ok("import", "posts.jsonl", "--brand", "fiordaliso", "--rejects", "bad.jsonl", "--json").json
    assert (report["read"], report["stored"], report["duplicates"], report["quarantined"]) == (4, 2, 1, 1)
    assert "broken" in (ready.folder / "bad.jsonl").read_text()
    again = ready.ok("import", "posts.jsonl", "--brand", "fiordaliso", "--resume", "--json").json
    assert again["stored"] in {0, 2}  # finished: told again, or found known
    assert len(ready.ok("export", "posts", "--brand", "fiordaliso").out.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("posts.jsonl", "--brand", "nobody"), ExitCode.NOT_FOUND),
        (("none.jsonl", "--brand", "fiordaliso"), ExitCode.USAGE),
    ],
)
def test_mistakes_about_imports_have_their_codes(ready: Cli, arguments: tuple[str, ...], code: ExitCode) -> None:
    (ready.folder / "posts.jsonl").write_text(ARCHIVE)
    assert ready("import", *arguments).code == code


# --- running -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["web", "worker", "schedule"])
def test_parts_need_postgres_and_say_so(ready: Cli, command: str) -> None:
    ended = ready(command)
    assert ended.code == ExitCode.CONFIGURATION
    assert "PostgreSQL" in ended.err


def test_busy_port_is_told_in_words(ready: Cli) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        ended = ready("serve", "--port", str(holder.getsockname()[1]))
    assert ended.code == ExitCode.BUSY
    assert re.search(r"Port \d+ on 127\.0\.0\.1 cannot be taken", ended.err)


def test_second_server_on_one_data_folder_is_refused(ready: Cli) -> None:
    import fcntl

    with (ready.folder / "data" / "ascolto.pid").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("4711\n")
        held.flush()
        ended = ready("serve", "--port", "0")
    assert ended.code == ExitCode.BUSY
    assert "4711" in ended.err


def test_address_of_another_machine_is_refused(ready: Cli) -> None:
    assert ready("serve", "--host", "no-such-host.invalid", "--port", "0").code == ExitCode.CONFIGURATION


# --- answers of an installation at work --------------------------------------------------------------------


def test_answers_are_listed_settled_and_sent_again(ready: Cli) -> None:
    path = ready.folder / "data" / "ascolto.sqlite3"
    store = Store(f"sqlite:///{path}")
    reply_id = Desk(store, FakeClock(datetime.now(UTC)), ScriptedNetwork()).queue("Ci dispiace,\x1b[2J scusi!")
    store.dispose()
    change = "UPDATE reply SET state = ?, is_retryable = 1"
    with sqlite3.connect(path) as connection:
        connection.execute(change, ("failed",))
    listed = ready.ok("reply", "list", "--state", "failed")
    assert "\x1b" not in listed.out
    ready.ok("reply", "retry", str(reply_id), "--by", "anna@example.com")
    assert [reply["state"] for reply in ready.ok("reply", "list", "--json").json] == ["queued"]
    assert ready("reply", "retry", str(reply_id), "--by", "anna@example.com").code == ExitCode.CONFLICT
    with sqlite3.connect(path) as connection:
        connection.execute(change, ("unknown",))
    assert "unknown" in ready.ok("doctor").out
    ready.ok("reply", "resolve", str(reply_id), "--sent", "--external-id", "77", "--by", "anna@example.com")
    (reply,) = ready.ok("reply", "list", "--json").json
    assert (reply["state"], reply["external_id"]) == ("sent", "77")
    again = ready("reply", "resolve", str(reply_id), "--not-sent", "--by", "anna@example.com")
    assert again.code == ExitCode.CONFLICT
    assert ready.ok("audit", "verify", "--json").json["is_intact"]

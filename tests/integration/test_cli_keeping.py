"""Answers, audit trail, keys, backup, doctor, data in and out at the command line."""

import csv
import io
import json
import os
import re
import socket
import sqlite3
import stat
from datetime import UTC, datetime

import pytest

from ascolto.cli.exits import ExitCode
from inbox.store.engine import Store
from tests.cli_factory import Cli
from tests.conftest import FakeClock
from tests.encoder_factory import write_encoder_model
from tests.outbox_factory import Desk, ScriptedNetwork

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
        ("torn model", "language model", "warn"),
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
    elif harm == "torn model":
        folder = write_encoder_model(cli.folder / "encoder-v9")
        (folder / "heads.npz").write_bytes(b"PK")
        cli.monkeypatch.setenv("ASCOLTO_NLP_MODEL", str(folder))
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


def test_import_begins_a_brand_only_when_asked_to(ready: Cli) -> None:
    (ready.folder / "posts.jsonl").write_text(ARCHIVE)
    refused = ready("import", "posts.jsonl", "--brand", "nuova")
    assert (refused.code, "--create-brand" in refused.err) == (ExitCode.NOT_FOUND, True)
    begun = ready.ok("import", "posts.jsonl", "--brand", "nuova", "--create-brand", "--json").json
    assert begun["stored"] == 2
    assert len(ready.ok("export", "posts", "--brand", "nuova").out.splitlines()) == 2


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


# --- reading again -----------------------------------------------------------------------------------------


def test_posts_with_an_older_taggers_tags_are_read_again(ready: Cli) -> None:
    rows = [
        {"id": str(number), "author": "ugo", "text": text, "created_at": f"2026-11-0{number}T09:00:00Z"}
        for number, text in enumerate(("Pacco in ritardo, vergogna", "Grazie mille, bravissimi", "Quando aprite?"), 1)
    ]
    (ready.folder / "posts.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    ready.ok("import", "posts.jsonl", "--brand", "fiordaliso")
    database = ready.folder / "data" / "ascolto.sqlite3"
    with sqlite3.connect(database) as connection:
        (posts,) = connection.execute("SELECT count(*) FROM post").fetchone()
        connection.execute("UPDATE post SET state = 'routed'")
        connection.execute(
            "INSERT INTO post_tags (brand_id, post_id, tagger, language, language_confidence, sentiment_label,"
            " sentiment_confidence, sentiment_unsure, sentiment, intent_labels, intents_unsure, intents, emotion_label,"
            " emotion_unsure, emotion, toxicity, toxicity_unsure, urgency, urgency_unsure, urgency_probabilities,"
            " rules, entities, tagged_at) SELECT brand_id, id, 'older.v0', 'it', 1, 'neutral', 1, 0, '{}', '[]', 0,"
            " '{}', 'none', 1, '{}', 0, 1, 1, 1, '{}', '[]', '[]', '2026-11-01 09:00:00.000000' FROM post"
        )
    assert ready.ok("retag", "--count", "--json").json["old"] == posts == 3
    assert ready.ok("retag", "--since", "2026-11-02", "--count", "--json").json["old"] == 2
    first = ready.ok("retag", "--limit", "1", "--json").json
    assert (first["retagged"], first["old"]) == (1, 2)
    assert ready("retag", "--brand", "nobody").code == ExitCode.NOT_FOUND
    assert "2 posts read again" in ready.ok("retag").err
    with sqlite3.connect(database) as connection:
        found = connection.execute("SELECT post_id, tagger FROM post_tags ORDER BY post_id").fetchall()
    assert {tagger for _, tagger in found} == {first["tagger"]}
    assert ready.ok("retag", "--json").json == {"tagger": first["tagger"], "retagged": 0, "old": 0}

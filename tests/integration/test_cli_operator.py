"""Beginning, people and sources at the command line, on real databases and against the town's networks."""

import socket
import sqlite3
import stat

import pytest

from ascolto.cli.exits import ExitCode
from ascolto.demo.town import Fault, Town
from tests.cli_factory import PASSWORD, Cli

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

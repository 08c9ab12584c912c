"""Logs: what is struck out, at which level, in both forms."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr

from ascolto.demo.town import Town
from config.logs import configure_logs, redact_text
from config.settings import LogFormat
from connectors.transport import Transport
from connectors.x import XConnector
from connectors.x_client import XConfig


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def logged(level: str = "INFO", log_format: LogFormat = LogFormat.JSON) -> io.StringIO:
    stream = io.StringIO()
    configure_logs(level=level, log_format=log_format, stream=stream)
    return stream


def test_json_line_holds_event_ids_and_time() -> None:
    stream = logged()
    structlog.get_logger("inbox.listening.poll").info("poll.failed", source=12, retry_seconds=60)
    line = json.loads(stream.getvalue())
    assert line["event"] == "poll.failed"
    assert (line["source"], line["retry_seconds"], line["level"]) == (12, 60, "info")
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("field", ["token", "client_secret", "Authorization", "api_key", "set-cookie", "password"])
@pytest.mark.parametrize("level", ["info", "debug"])
def test_secret_fields_are_struck_out_at_every_level(field: str, level: str) -> None:
    stream = logged("DEBUG")
    getattr(structlog.get_logger("x"), level)("e", **{field: "s3cr3t-value", "inner": {field: ["s3cr3t-value"]}})
    assert "s3cr3t" not in stream.getvalue()


@pytest.mark.parametrize("field", ["text", "handle", "display_name", "author", "email", "raw", "preview"])
def test_words_and_names_stay_out_above_debug(field: str) -> None:
    stream = logged("DEBUG")
    log = structlog.get_logger("x")
    log.info("e", post=5, **{field: "Anna Bianchi"})
    assert "Anna" not in stream.getvalue()
    log.debug("e", **{field: "Anna Bianchi"})
    assert "Anna" in stream.getvalue()


def test_libraries_lines_are_redacted_too() -> None:
    stream = logged()
    logging.getLogger("uvicorn.error").warning("GET /me?access_token=EAAB12345&x=1 failed for https://u:pw1234@host/")
    line = json.loads(stream.getvalue())
    assert "EAAB12345" not in stream.getvalue()
    assert "pw1234" not in stream.getvalue()
    assert line["level"] == "warning"


def test_tracebacks_are_redacted() -> None:
    stream = logged()
    try:
        int("Authorization: Bearer abcdef1234567890")
    except ValueError:
        structlog.get_logger("x").exception("job.failed")
    assert "abcdef1234567890" not in stream.getvalue()
    assert "ValueError" in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abc.def-123456",
        "client_secret='abcdef123'",
        '"refresh_token": "abcdef123"',
        "postgresql://ascolto:abcdef123@db/x",
        "gAAAAABabcdef123abcdef123abcdef123",
    ],
)
def test_credentials_inside_texts_are_struck_out(text: str) -> None:
    assert "abcdef123" not in redact_text(text)
    assert "abc.def-123456" not in redact_text(text)


def test_ordinary_words_are_left_alone() -> None:
    text = "poll.failed: the tokens of the key account were spent at 10:30"
    assert redact_text(text) == text


def test_console_lines_have_no_colours_in_a_file_and_survive_bad_text() -> None:
    stream = logged(log_format=LogFormat.CONSOLE)
    structlog.get_logger("x").info("e", reason="nul \x00 and bell \x07")
    assert "\x1b[" not in stream.getvalue()


def test_level_is_respected() -> None:
    stream = logged("WARNING")
    structlog.get_logger("x").info("quiet")
    logging.getLogger("urllib3").info("quiet")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    "library", ["tweepy", "tweepy.client", "prawcore", "urllib3.connectionpool", "requests_oauthlib"]
)
def test_client_libraries_never_write_their_requests(library: str) -> None:
    stream = logged("DEBUG")
    logging.getLogger(library).debug("Headers: %s Data: %s", {"X-Key": "s3cr3t"}, [("code", "s3cr3t")])
    assert stream.getvalue() == ""
    logging.getLogger(library).warning("pool is full")
    assert "pool is full" in stream.getvalue()


def test_a_real_request_at_debug_gives_no_token_away(town: Town) -> None:
    stream = logged("DEBUG")
    account = town.x.add_account("brand")
    config = XConfig(api_url=f"{town.url}/x", oauth2_token=SecretStr("town-x-brand"), account_id=account.id)
    XConnector(config, transport=Transport()).check()
    assert "town-x-brand" not in stream.getvalue()

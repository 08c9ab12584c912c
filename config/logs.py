"""Structured logs for people or machines, with secrets removed and people's words kept out.

Every line, ours or a library's, goes through the same processors: values that look like credentials are
struck out at every level, and the fields that hold posts' texts or people's names are struck out above DEBUG.
"""

import logging
import re
import sys
from typing import TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from config.settings import LogFormat

STRUCK_OUT = "[removed]"
SECRET_FIELD = re.compile(
    r"(?i)(secret|password|passwd|token|authorization|cookie|api_?key|access_?key|private_?key|credential|signature)"
)
# Counters and switches about secrets are no secrets.
_HARMLESS_FIELDS = frozenset({"token_count", "tokens", "has_token", "tokenizer"})
PERSONAL_FIELDS = frozenset(
    {
        "text", "title", "preview", "body", "raw", "content", "caption", "name", "display_name", "full_name",
        "user_name", "handle", "author", "author_handle", "account_handle", "person", "email", "bio", "note",
    }
)  # fmt: skip
_PATTERNS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), r"\1 " + STRUCK_OUT),
    (re.compile(r"(://[^\s:/@]+):[^\s/@]+@"), r"\1:" + STRUCK_OUT + "@"),
    (
        re.compile(
            r"(?i)\b((?:access_|refresh_|client_|api_|oauth_|app)?(?:token|secret|key|password|secret_proof)"
            r"|oauth_signature|signature|authorization)([\"']?\s*[=:]\s*[\"']?)[^\s&\"',;}]{4,}"
        ),
        r"\1\2" + STRUCK_OUT,
    ),
    (re.compile(r"\bgAAAA[A-Za-z0-9_=-]{20,}"), STRUCK_OUT),  # Fernet tokens
)
# Libraries that speak of every request at INFO.
_CHATTY = ("apscheduler", "alembic", "procrastinate")
# Libraries that at DEBUG write whole requests, their tokens and what people wrote: never below INFO.
_SPILLING = (
    "urllib3",
    "requests",
    "requests_oauthlib",
    "oauthlib",
    "httpx",
    "httpcore",
    "httpx2",
    "praw",
    "prawcore",
    "tweepy",
    "mastodon",
    "facebook",
)


def configure_logs(*, level: str, log_format: LogFormat, stream: TextIO | None = None) -> None:
    """Set up logging for this process: structlog and the standard library write the same lines to `stream`.

    `stream` is standard error unless given, so that a command's own output stays clean.
    """
    target = stream if stream is not None else sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                _renderer(log_format, target),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(level if level == "DEBUG" else "WARNING")
    for name in _SPILLING:
        logging.getLogger(name).setLevel("INFO" if level == "DEBUG" else "WARNING")


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Strike out secrets always, and texts and names above DEBUG."""
    keeps_people = event.get("level") == "debug"
    return {name: _redact_field(name, value, keeps_people=keeps_people) for name, value in event.items()}


def redact_text(text: str) -> str:
    """Strike out what looks like a credential inside a text."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def _redact_field(name: str, value: object, *, keeps_people: bool) -> object:
    if SECRET_FIELD.search(name) and name not in _HARMLESS_FIELDS and not isinstance(value, bool | None):
        return STRUCK_OUT
    if not keeps_people and name in PERSONAL_FIELDS:
        return STRUCK_OUT
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {key: _redact_field(str(key), inner, keeps_people=keeps_people) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redact_field("", inner, keeps_people=keeps_people) for inner in value]
    return value


def _renderer(log_format: LogFormat, stream: TextIO) -> Processor:
    if log_format is LogFormat.JSON:
        return structlog.processors.JSONRenderer(ensure_ascii=True)
    return structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)

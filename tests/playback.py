"""Plays recorded answers to real client libraries over loopback HTTP: any recording, any connector.

Answers are chosen by method and path; where a path was recorded several times, by an equal query first, then in
the order of the recording, the last one for ever. What was asked stands in `asked`.
"""

import base64
import gzip
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

_PLACEHOLDER = re.compile(r"<[A-Z_]+>")


@dataclass(slots=True)
class Recorded:
    """One recorded exchange; `body` decompressed."""

    method: str
    path: str
    query: dict[str, list[str]]
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """The answer read."""
        return json.loads(self.body)


def load_cassette(path: Path) -> list[Recorded]:
    """Read a VCR file, YAML or JSON; placeholders such as <USERNAME> become plain words."""
    text = path.read_text(encoding="utf-8")
    stored = json.loads(text) if path.suffix == ".json" else yaml.load(text, Loader=yaml.CSafeLoader)
    return [_recorded(interaction) for interaction in stored["interactions"]]


def answer_from(body: object, path: str, *, method: str = "GET", status: int = 200) -> Recorded:
    """Make an exchange of a file that holds an answer only."""
    return Recorded(method, path, {}, status, json.dumps(body).encode())


def _recorded(interaction: Mapping[str, Any]) -> Recorded:
    request, response = interaction["request"], interaction["response"]
    url = urllib.parse.urlsplit(request.get("uri") or request.get("url"))
    status = response["status"]
    content_types = [v for k, v in response.get("headers", {}).items() if k.lower() == "content-type"]
    kind = content_types[0] if content_types else "application/json"
    return Recorded(
        method=request["method"],
        path=url.path,
        query=urllib.parse.parse_qs(url.query),
        status=status["code"] if isinstance(status, dict) else int(status),
        body=_body(response["body"]),
        headers={"Content-Type": kind[0] if isinstance(kind, list) else kind},
    )


def _body(stored: Any) -> bytes:
    value = stored if isinstance(stored, (str, bytes)) else stored.get("string", stored.get("base64_string", ""))
    raw = value.encode() if isinstance(value, str) else value
    if isinstance(stored, dict) and "base64_string" in stored:
        raw = base64.b64decode(raw)
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    return _PLACEHOLDER.sub(lambda match: match.group().strip("<>").lower(), raw.decode()).encode()


class Playback:
    """A loopback server that gives recorded answers."""

    def __init__(self, exchanges: list[Recorded]) -> None:
        self.asked: list[tuple[str, str, dict[str, list[str]]]] = []
        self._waiting = list(exchanges)
        self._last: dict[tuple[str, str], Recorded] = {}
        playback = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
                """Write nothing."""

            def _serve(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                url = urllib.parse.urlsplit(self.path)
                answer = playback._choose(self.command, url.path, urllib.parse.parse_qs(url.query))
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                if self.close_connection:
                    self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server's own names

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _choose(self, method: str, path: str, query: dict[str, list[str]]) -> Recorded:
        self.asked.append((method, path, query))
        fitting = [r for r in self._waiting if r.method == method and r.path.rstrip("/") == path.rstrip("/")]
        key = (method, path.rstrip("/"))
        if not fitting:
            return self._last.get(key, Recorded(method, path, {}, 404, b'{"error": "not recorded"}'))
        chosen = next((r for r in fitting if r.query == query), fitting[0])
        self._waiting.remove(chosen)
        self._last[key] = chosen
        return chosen


@contextmanager
def playing(exchanges: list[Recorded]) -> Iterator[Playback]:
    """Serve recorded answers for the time of a test."""
    playback = Playback(exchanges)
    thread = threading.Thread(target=playback._server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield playback
    finally:
        playback._server.shutdown()
        playback._server.server_close()
        thread.join(5)

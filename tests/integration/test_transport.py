"""Transport: time-outs, rewriting, caps, redaction, and the naming of errors."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from connectors.errors import (
    AmbiguousError,
    AuthError,
    BudgetExceededError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
    SourceGoneError,
    TransientError,
)
from connectors.transport import (
    Transport,
    error_from_exception,
    error_from_status,
    parse_retry_after,
    redact,
    rewrite_url,
)

OFFICIAL = "https://api.official.example"
Answer = Callable[[BaseHTTPRequestHandler], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Answer
    seen: list[tuple[str, dict[str, str]]]

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        self.server.answer(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        """Write nothing."""


@pytest.fixture
def server() -> Iterator[_Server]:
    running = _Server(("127.0.0.1", 0), _Handler)
    running.seen = []
    running.answer = lambda handler: send(handler, b"{}")
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def url_of(server: _Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_calls_to_the_official_host_go_to_api_url_with_its_path(server: _Server) -> None:
    session = Transport(user_agent="Test/1").session(OFFICIAL, url_of(server) + "/x/")
    session.get(OFFICIAL + "/2/tweets?a=1&b=%20", headers={"Authorization": "Bearer t"})
    path, headers = server.seen[0]
    assert path == "/x/2/tweets?a=1&b=%20"
    assert headers["User-Agent"] == "Test/1"
    assert headers["Authorization"] == "Bearer t"
    assert headers["Host"] == f"127.0.0.1:{server.server_port}"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://api.official.example/2/x?q=1", "http://127.0.0.1:8/base/2/x?q=1"),
        ("https://api.official.example", "http://127.0.0.1:8/base/"),
        ("https://other.example/2/x", "https://other.example/2/x"),
        ("https://api.official.example.evil/2/x", "https://api.official.example.evil/2/x"),
    ],
)
def test_only_the_official_host_is_rewritten(url: str, wanted: str) -> None:
    assert rewrite_url(url, OFFICIAL, "http://127.0.0.1:8/base/") == wanted


def test_last_response_keeps_status_and_headers_without_secrets(server: _Server) -> None:
    server.answer = lambda handler: send(handler, b"no", 429, Retry_After="7")
    session = Transport().session(OFFICIAL, url_of(server))
    session.get(OFFICIAL + "/?access_token=geheim")
    assert session.last_response is not None
    assert session.last_response.status == 429
    assert session.last_response.headers["retry-after"] == "7"
    assert "geheim" not in session.last_response.url


def test_a_silent_server_ends_in_a_time_out(server: _Server) -> None:
    tested = threading.Event()

    def say_nothing(_handler: BaseHTTPRequestHandler) -> None:
        tested.wait(120)

    server.answer = say_nothing
    started = time.perf_counter()
    with pytest.raises(TransientError, match="time-out"):
        Transport(timeout_seconds=0.2).get(url_of(server))
    assert time.perf_counter() - started < 60
    tested.set()


def test_a_dripping_server_ends_too(server: _Server) -> None:
    tested = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not tested.wait(0.05):
            handler.wfile.write(b"x")

    server.answer = drip
    started = time.perf_counter()
    with pytest.raises(TransientError):
        Transport(timeout_seconds=0.2).get(url_of(server))
    assert time.perf_counter() - started < 60  # it would drip for more than an hour
    tested.set()


def test_a_huge_answer_is_dropped(server: _Server) -> None:
    server.answer = lambda handler: send(handler, b"x" * 300_000)
    with pytest.raises(TransientError, match="larger"):
        Transport(max_bytes=100_000).get(url_of(server))


def test_a_compressed_bomb_is_dropped(server: _Server) -> None:
    import gzip

    server.answer = lambda handler: send(handler, gzip.compress(b"x" * 50_000_000), Content_Encoding="gzip")
    with pytest.raises(TransientError, match="larger"):
        Transport(max_bytes=1_000_000).get(url_of(server))


def test_chunked_compressed_answers_come_whole_and_the_connection_is_kept(server: _Server) -> None:
    import gzip

    body = gzip.compress(b"".join(str(number).encode() for number in range(50_000)))

    def chunked(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.close_connection = False
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        for start in range(0, len(body), 1000):
            piece = body[start : start + 1000]
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    server.answer = chunked
    session = Transport().session(OFFICIAL, url_of(server))
    for _ in range(2):
        answer = session.get(OFFICIAL + "/")
        assert answer.content == gzip.decompress(body)
        assert b"".join(answer.iter_content(1000)) == answer.content


def test_half_an_answer_is_no_answer(server: _Server) -> None:
    def half(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"x" * 10)

    server.answer = half
    with pytest.raises(TransientError):
        Transport().get(url_of(server))


def test_credentials_do_not_follow_a_redirect_to_another_host(server: _Server) -> None:
    other = f"http://localhost:{server.server_port}/there"
    server.answer = lambda handler: (
        send(handler, b"", 302, Location=other) if handler.path == "/" else send(handler, b"ok")
    )
    session = Transport().session(url_of(server))
    session.get(url_of(server) + "/", headers={"Authorization": "Bearer t"})
    assert server.seen[1][0] == "/there"
    assert "Authorization" not in server.seen[1][1]


def test_netrc_passwords_are_never_sent(server: _Server, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w", encoding="ascii") as file:  # noqa: PTH123 - a plain path for the environment
        file.write("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", netrc)
    Transport().session(OFFICIAL, url_of(server)).get(OFFICIAL + "/")
    assert "Authorization" not in server.seen[0][1]


@pytest.mark.parametrize(
    ("status", "sent", "wanted"),
    [
        (400, False, PermanentError),
        (401, False, AuthError),
        (401, True, AuthError),
        (402, True, BudgetExceededError),
        (403, False, AuthError),
        (403, True, PermanentError),
        (404, False, SourceGoneError),
        (404, True, PermanentError),
        (410, False, SourceGoneError),
        (408, False, TransientError),
        (408, True, AmbiguousError),
        (422, True, PermanentError),
        (429, True, RateLimitedError),
        (500, False, TransientError),
        (500, True, AmbiguousError),
        (503, True, AmbiguousError),
        (302, False, TransientError),
    ],
)
def test_status_is_named_for_what_to_do_next(status: int, sent: bool, wanted: type[ConnectorError]) -> None:  # noqa: FBT001 - table
    assert type(error_from_status(status, {}, network="X", sent=sent)) is wanted


def test_networks_words_are_clipped_and_redacted() -> None:
    detail = "bad access_token=abc123 " + "x" * 500
    error = error_from_status(400, {}, network="X", sent=False, detail=detail)
    assert "abc123" not in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "0"}, 1),
        ({"Retry-After": "1e9"}, 86_400),
        ({"Retry-After": "Tue, 10 Nov 2026 09:02:00 GMT", "Date": "Tue, 10 Nov 2026 09:00:00 GMT"}, 120),
        ({"Retry-After": "Tue, 10 Nov 2026 08:00:00 GMT", "Date": "Tue, 10 Nov 2026 09:00:00 GMT"}, 1),
        ({"x-rate-limit-reset": "1794301230"}, 30),
        ({"X-RateLimit-Reset": "2026-11-10T09:00:45.000Z"}, 45),
        ({"X-RateLimit-Reset": "90"}, 90),
        ({"Retry-After": "soon", "x-ratelimit-reset": "5"}, 5),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "nan"}, None),
        ({}, None),
    ],
)
def test_waiting_time_is_read_from_every_form(headers: dict[str, str], seconds: int | None) -> None:
    now = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)
    assert int(now.timestamp()) == 1794301200
    wait = parse_retry_after(headers, now)
    assert wait == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize("sent", [False, True])
def test_connection_never_made_leaves_no_doubt(sent: bool) -> None:  # noqa: FBT001 - table
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    session = Transport().session(OFFICIAL, f"http://127.0.0.1:{port}")
    with pytest.raises(requests.ConnectionError) as caught:
        session.post(OFFICIAL + "/x", data={"a": "b"})
    assert type(error_from_exception(caught.value, sent=sent)) is TransientError


def test_a_cause_deep_in_a_librarys_exception_is_found() -> None:
    class LibraryError(Exception):
        def __init__(self, original: Exception) -> None:
            super().__init__("library failed")
            self.original_exception = original

    assert isinstance(error_from_exception(LibraryError(requests.ReadTimeout()), sent=True), AmbiguousError)
    assert isinstance(error_from_exception(LibraryError(requests.ConnectTimeout()), sent=True), TransientError)
    assert "time-out" in error_from_exception(LibraryError(requests.ReadTimeout()), sent=False).message
    ours = AuthError("no")
    assert error_from_exception(LibraryError(ours), sent=True) is ours


@pytest.mark.parametrize("url", ["ftp://a.example/", "nonsense", "file:///etc/passwd", "http://"])
def test_an_address_that_is_none_is_permanent(url: str) -> None:
    with pytest.raises(PermanentError):
        Transport().get(url)


@pytest.mark.parametrize(
    "text",
    [
        "GET /?access_token=geheim&x=1",
        "Authorization: Bearer geheim1",
        'body {"client_secret": "geheim"}',
        "https://user:geheim@host.example/",
        "password=geheim",
        "mine is geheim here",
    ],
)
def test_secrets_are_redacted(text: str) -> None:
    assert "geheim" not in redact(text, secrets=("geheim", "geheim1"))
    if "mine" not in text:
        assert "geheim" not in redact(text)

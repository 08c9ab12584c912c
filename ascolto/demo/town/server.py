"""The town's HTTP server: routes requests to networks, and breaks connections when a fault says so."""

import json
import socket
import struct
import threading
import urllib.parse
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ascolto.demo.town.faults import Fault, FaultBook
from ascolto.demo.town.state import TownNetwork, TownRequest, TownResponse

CONTROL = "_town"
Control = Callable[[TownRequest], TownResponse]


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request as it came, with what it was answered ("fault:…" where a fault struck)."""

    network: str
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    answer: str


class TownServer(ThreadingHTTPServer):
    """Serves the networks on a loopback port of its own choosing."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, networks: dict[str, TownNetwork], control: Control, *, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.networks = networks
        self.control = control
        self.faults = FaultBook()
        self.log: deque[LoggedRequest] = deque(maxlen=100_000)
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        """Where the town stands."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that went away: that is what the faults are for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120
    disable_nagle_algorithm = True
    server: TownServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        """Write nothing to standard error; the request log holds it."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        address = urllib.parse.urlsplit(self.path)
        name, _, rest = address.path.lstrip("/").partition("/")
        request = TownRequest(
            method=self.command,
            path="/" + rest,
            query=urllib.parse.parse_qs(address.query, keep_blank_values=True),
            headers={key.lower(): value for key, value in self.headers.items()},
            body=body,
            base_url=f"{self.server.url}/{name}",
        )
        network = self.server.networks.get(name)
        if name == CONTROL:
            self._send(self.server.control(request))
        elif network is None:
            self._send(TownResponse.json({"error": f"no network {name!r} in this town"}, status=404))
        else:
            self._serve_network(network, request)

    def _serve_network(self, network: TownNetwork, request: TownRequest) -> None:
        fault = self.server.faults.strike(network.name, request.method, request.path)
        response: TownResponse | None = None
        if fault is None or fault.kind in {"half", "commit_then_fail"}:
            response = network.handle(request)
        self.server.log.append(
            LoggedRequest(
                network.name,
                request.method,
                request.path,
                {key: list(values) for key, values in request.query.items()},
                dict(request.headers),
                request.body,
                f"fault:{fault.kind}" if fault else str(response.status if response else 0),
            )
        )
        if fault is not None:
            self._break(network, fault, response)
        elif response is not None:
            self._send(response)

    def _break(self, network: TownNetwork, fault: Fault, response: TownResponse | None) -> None:
        """Fail as the fault says; the work, if any, is done by now."""
        way = fault.then if fault.kind == "commit_then_fail" else fault.kind
        if way == "half" and response is not None:
            self._send(response, upto=len(response.body) // 2)
            self._reset()
        elif way == "hang":
            self.server.closing.wait(fault.hang_seconds)
            self.close_connection = True
        elif way.isdigit():
            failure = network.error(int(way), "The town has a bad day")
            if way == "429":
                failure = TownResponse(
                    failure.status, failure.body, {**failure.headers, "Retry-After": f"{fault.retry_after:g}"}
                )
            self._send(failure)
        else:
            self._reset()

    def _send(self, response: TownResponse, *, upto: int | None = None) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:  # the client asked for it: say so, or it would use the connection again
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and response.status != 304:
            self.wfile.write(response.body[:upto])
        self.wfile.flush()

    def _reset(self) -> None:
        """Reset the connection (RST), so that the client sees it broken and not merely closed."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815 - http.server's own names


def control_json(value: object, status: int = 200) -> TownResponse:
    """Give a control answer."""
    return TownResponse(status, json.dumps(value, default=str).encode(), {"Content-Type": "application/json"})

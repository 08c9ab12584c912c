"""A server told to stop stops at once, though a browser listens to its stream."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from inbox.people.users import start_sign_in
from inbox.store.engine import Store
from tests.web_factory import World

ROOT = Path(__file__).resolve().parents[2]
SERVE = """
import socket, sys
from ascolto.web.app import create_app
from ascolto.web.server import make_server
from ascolto.wiring import build_house
from config.settings import Settings
house = build_house(Settings(data_dir=sys.argv[1]))
server = make_server(create_app(house), host="127.0.0.1", port=0)
server.config.timeout_graceful_shutdown = 120  # patience must not be what ends it
server.run(sockets=[socket.socket(fileno=int(sys.argv[2]))])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_though_a_stream_is_open(seeded: tuple[Path, World], tmp_path: Path, number: signal.Signals) -> None:
    import shutil
    from datetime import UTC, datetime

    shutil.copy(seeded[0], tmp_path / "ascolto.sqlite3")
    store = Store(f"sqlite:///{tmp_path / 'ascolto.sqlite3'}")
    with store.write() as session:
        token = start_sign_in(session, seeded[1].anna_id, user_agent="t", now=datetime.now(UTC))
    store.dispose()
    with socket.socket() as ours:  # bound here and handed over: nobody can take the port in between
        ours.bind(("127.0.0.1", 0))
        port = ours.getsockname()[1]
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(tmp_path), str(ours.fileno())],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            pass_fds=[ours.fileno()],
        )
    try:
        wait_for(port)
        with httpx2.stream("GET", f"http://127.0.0.1:{port}/events", cookies={"sid": token}, timeout=60) as stream:
            assert stream.status_code == 200
            lines = stream.iter_lines()
            assert any("resync" in line for line in lines)
            server.send_signal(number)
            server.wait(timeout=60)
    finally:
        server.kill()
        server.wait()


def wait_for(port: int) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        try:
            httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=10)
        except httpx2.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the server did not start")

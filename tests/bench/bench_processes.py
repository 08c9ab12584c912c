"""Measures whole processes: the tag command's speed, the server's start and memory."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

START_SECONDS = 60


def run_tag(posts: Path, count: int, folder: Path) -> dict[str, float]:
    """Pipe a JSONL file through `ascolto tag`; give posts per second of the whole process and its peak memory."""
    out = folder / "tagged.jsonl"
    start = time.perf_counter()
    with posts.open("rb") as source, out.open("wb") as target:
        process = subprocess.Popen(
            [sys.executable, "-m", "ascolto", "tag"], stdin=source, stdout=target, env=_environment(folder)
        )
        watched, peak = psutil.Process(process.pid), 0
        while process.poll() is None:
            try:
                peak = max(peak, watched.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.05)
        process.wait()
    seconds = time.perf_counter() - start
    if process.returncode != 0:
        raise RuntimeError(f"ascolto tag ended with {process.returncode}")
    with out.open() as lines:
        tagged = sum("tags" in json.loads(line) for line in lines)
    if tagged != count:
        raise RuntimeError(f"{tagged} of {count} lines came back tagged")
    return {"posts/s": count / seconds, "peak RSS, MB": peak / 1e6}


def run_serve(folder: Path) -> dict[str, float]:
    """Start `ascolto serve` on an empty database; give seconds to the first page and megabytes when idle."""
    environment = _environment(folder)
    subprocess.run([sys.executable, "-m", "ascolto", "db", "upgrade"], check=True, capture_output=True, env=environment)
    port = free_port()
    start = time.perf_counter()
    with (folder / "serve.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "ascolto", "serve", "--port", str(port)], stdout=log, stderr=log, env=environment
        )
    try:
        while not is_up(f"http://127.0.0.1:{port}/healthz"):
            if server.poll() is not None or time.perf_counter() - start > START_SECONDS:
                raise RuntimeError((folder / "serve.log").read_text()[-2000:])
            time.sleep(0.05)
        seconds = time.perf_counter() - start
        time.sleep(5)
        rss = psutil.Process(server.pid).memory_info().rss
    finally:
        server.terminate()
        server.wait(20)
    return {"start to first page, s": seconds, "RSS idle, MB": rss / 1e6}


def is_up(url: str) -> bool:
    """Whether a server answers there."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ASCOLTO_")}
    return {**kept, "ASCOLTO_DATA_DIR": str(folder), "ASCOLTO_CONFIG": str(folder / "none.toml")}


def free_port() -> int:
    """A loopback port nobody holds just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

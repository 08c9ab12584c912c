"""Processes that stay: they say where they answer, serve, and end at once and cleanly when told to."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.databases import postgres_database

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 150
STOP_SECONDS = 60  # a busy machine; none of the processes has work to finish


def environment(folder: Path, url: str = "") -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "ASCOLTO_DATA_DIR": str(folder / "data"),
        "ASCOLTO_DATABASE_URL": url,
    }


def prepare(folder: Path, url: str = "") -> None:
    subprocess.run(
        [sys.executable, "-m", "ascolto", "init"],
        cwd=folder,
        env=environment(folder, url),
        check=True,
        capture_output=True,
    )


@contextmanager
def running(folder: Path, *arguments: str, url: str = "") -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    log = folder / f"{arguments[0]}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "ascolto", *arguments],
            cwd=folder,
            env=environment(folder, url),
            stdout=file,
            stderr=file,
        )
    try:
        yield process, log
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def wait_for(log: Path, pattern: str, process: "subprocess.Popen[bytes]") -> re.Match[str]:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        found = re.search(pattern, log.read_text("utf-8", "replace"))
        if found:
            return found
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    pytest.fail(f"{pattern} never came: {log.read_text()}")


def stop(process: "subprocess.Popen[bytes]", log: Path, number: signal.Signals) -> None:
    process.send_signal(number)
    try:
        code = process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.fail(f"did not stop: {log.read_text()}")
    words = log.read_text()
    assert "Traceback" not in words, words
    assert code in {0, 130, -number}, (code, words)


def get(address: str, path: str) -> int:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with browser.open(address + path, timeout=60) as answer:
        status: int = answer.status
        return status


def test_serve_answers_invites_to_the_first_steps_and_stops_when_told(tmp_path: Path) -> None:
    prepare(tmp_path)
    with running(tmp_path, "serve", "--port", "0") as (process, log):
        address = wait_for(log, r"answers at (http://[\d.:]+)", process).group(1)
        assert get(address, "/healthz") == 200
        invitation = wait_for(log, r"(http://[\d.:]+)(/setup\?token=\S+)", process)
        assert get(invitation.group(1), invitation.group(2)) == 200
        second = subprocess.run(
            [sys.executable, "-m", "ascolto", "serve", "--port", "0"],
            cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert second.returncode == 7
        assert str(process.pid) in second.stderr
        stop(process, log, signal.SIGINT)


def test_parts_run_side_by_side_on_postgres(tmp_path: Path, postgres_url: str) -> None:
    with postgres_database(postgres_url) as url:
        prepare(tmp_path, url)
        with (
            running(tmp_path, "web", "--port", "0", url=url) as (web, web_log),
            running(tmp_path, "worker", url=url) as (worker, worker_log),
            running(tmp_path, "schedule", url=url) as (schedule, schedule_log),
        ):
            address = wait_for(web_log, r"answers at (http://[\d.:]+)", web).group(1)
            assert get(address, "/readyz") == 200
            time.sleep(3)  # long enough for a worker or a schedule that cannot start to have ended
            assert (worker.poll(), schedule.poll()) == (None, None), worker_log.read_text() + schedule_log.read_text()
            for process, log in ((web, web_log), (worker, worker_log), (schedule, schedule_log)):
                stop(process, log, signal.SIGTERM)

"""Raises victims fast: a warmed process forks one for each life, and kills it at its moment.

Run as a process (`python -m tests.faults.nursery`): a job as JSON on each line in, how its life ended on each
line out.
"""

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy.orm import configure_mappers

from tests.faults.victim import Job, run

HEAVY = ("tweepy", "mastodon", "numpy", "psycopg", "sqlalchemy.dialects.postgresql.psycopg")
ROOT = Path(__file__).resolve().parents[2]


class Nursery:
    """The parent's end: `live` gives "killed" or "done", and raises when a victim fails by itself."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def live(self, job: Job) -> str:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(job.to_json() + "\n")
        stdin.flush()
        answer: dict[str, Any] = json.loads(stdout.readline())
        if answer["signal"] == signal.SIGKILL:
            return "killed"
        if answer["code"] != 0:
            raise RuntimeError(f"the victim failed by itself: {answer}")
        return "done"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(60)


def serve() -> None:
    """Fork a victim for each line."""
    for name in HEAVY:  # the connectors import these late: warm them once, not in every life
        importlib.import_module(name)
    configure_mappers()
    gc.freeze()
    for line in sys.stdin:
        job = Job(**json.loads(line))
        pid = os.fork()
        if pid == 0:
            _live_and_die(job)
        status = _wait(pid, job.kill_after)
        print(  # noqa: T201 - this is the answer
            json.dumps({"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
                        "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1}),
            flush=True,
        )  # fmt: skip


def _live_and_die(job: Job) -> None:
    code = 0
    try:
        run(job)
    except BaseException:  # noqa: BLE001 - a forked child must never return into its parent's loop
        traceback.print_exc()
        code = 1
    finally:
        os._exit(code)


def _wait(pid: int, kill_after: float | None) -> int:
    if kill_after is None:
        return os.waitpid(pid, 0)[1]
    deadline = time.monotonic() + kill_after
    while (left := deadline - time.monotonic()) > 0:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(min(0.002, left))
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


if __name__ == "__main__":
    serve()

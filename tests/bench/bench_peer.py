"""Runs Obsei 1.1.1, the open-source peer, on the same file as ours: file → redaction → DuckDB, no classifier.

It needs an environment of its own, named by ASCOLTO_PEER_PYTHON (`python -m venv peer`, then
`peer/bin/pip install obsei==1.1.1`); without it the figures are left out and the report says so.
"""

import os
import subprocess
import time
from pathlib import Path

PIPELINE = """version: 1
store: {path: bench.duckdb, unencrypted: true}
pipelines:
  - name: bench
    sources:
      - key: posts
        type: jsonl
        config: {path: posts.jsonl}
"""


def run(posts: Path, count: int, folder: Path) -> dict[str, float] | None:
    """Give posts per second of the whole process, and of its CPU time; None where the peer is not installed."""
    python = os.environ.get("ASCOLTO_PEER_PYTHON")
    if not python:
        return None
    (folder / "obsei.yaml").write_text(PIPELINE)
    (folder / "posts.jsonl").write_bytes(posts.read_bytes())
    before = os.times()
    start = time.perf_counter()
    subprocess.run(
        [str(Path(python).parent / "obsei"), "run"],
        cwd=folder,
        env={**os.environ, "OBSEI_PSEUDONYM_SALT": "a" * 64},
        check=True,
        capture_output=True,
    )
    wall = time.perf_counter() - start
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"posts/s": count / wall, "posts/CPU s": count / cpu}

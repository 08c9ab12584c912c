"""`make bench`: measures, and writes docs/benchmarks.md with machine, date and commit."""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from inbox.store.engine import Store
from inbox.store.migrate import upgrade
from nlp.pipeline import TIER_0, TIER_1
from tests.bench import bench_inbox, bench_ingest, bench_peer, bench_processes, bench_tag, bench_topics
from tests.databases import postgres_database, postgres_server

REPORT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
SCALES = {"small": (5_000, 50_000), "1m": (30_000, 1_000_000)}
TOPIC_POSTS = 100_000
SUBJECTS = (
    "Il pacco",
    "La bolletta",
    "L'app",
    "The delivery",
    "My order",
    "Il treno",
    "The support line",
    "La macchina",
)
VERBS = ("non è arrivato", "è fantastico, grazie", "keeps crashing", "was great", "costa troppo", "quando riapre?",
         "never answers", "funziona bene ma è lento")  # fmt: skip
ENDS = ("da {n} giorni", "again, {n} times", "😡", "😍 @brand", "numero {n}", "order {n}, help", "", "#brand")


def main() -> int:
    """Run everything at the scale asked for and write the report."""
    parser = argparse.ArgumentParser(description="Measure Ascolto and write docs/benchmarks.md")
    parser.add_argument("--scale", choices=sorted(SCALES), default="1m")
    posts, conversations = SCALES[parser.parse_args().scale]
    sections: dict[str, dict[str, float] | None] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "corpus.jsonl"
        _write_posts(file, posts)
        with _sqlite(folder / "ingest") as store:
            title = f"Ingest, SQLite, labels by the n-gram heads ({posts:,} posts)"
            sections[title] = bench_ingest.run(store, posts, model=TIER_0)
        with _sqlite(folder / "ingest-encoder") as store:
            title = f"Ingest, SQLite, labels by the encoder, as it comes ({posts // 5:,} posts)"
            sections[title] = bench_ingest.run(store, posts // 5, model=TIER_1)
        with _postgres() as store:
            title = f"Ingest, PostgreSQL, labels by the n-gram heads ({posts:,} posts)"
            sections[title] = bench_ingest.run(store, posts, model=TIER_0)
        sections[f"The peer: Obsei 1.1.1, no classifier ({posts:,} posts of the same size)"] = bench_peer.run(
            file, posts, _made(folder / "peer")
        )
        sections["Tagger by tier, one core (quality: docs/models.md)"] = bench_tag.run()
        sections[f"`ascolto tag`, whole process ({posts:,} posts)"] = bench_processes.run_tag(
            file, posts, _made(folder / "tag")
        )
        sections["`ascolto serve`, empty database"] = bench_processes.run_serve(_made(folder / "serve"))
        with _sqlite(folder / "topics") as store:
            sections[f"Topics, SQLite ({TOPIC_POSTS:,} complaints and questions)"] = bench_topics.run(
                store, TOPIC_POSTS
            )
        with _sqlite(folder / "inbox") as store:
            sections[f"Inbox lists, SQLite, {conversations:,} conversations (ms)"] = bench_inbox.run(
                store, conversations
            )
    REPORT.write_text(_report(sections), encoding="utf-8")
    print(REPORT.read_text())  # noqa: T201 - a command's output
    return 0


def _write_posts(path: Path, count: int) -> None:
    rng = random.Random(3)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    with path.open("w", encoding="utf-8") as lines:
        for number in range(count):
            text = f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(ENDS).format(n=number)} {number}"
            lines.write(
                json.dumps(
                    {
                        "id": str(number),
                        "text": text,
                        "author": f"user{number % 900}",
                        "created_at": (start + timedelta(seconds=number)).isoformat(),
                    },
                    ensure_ascii=False,
                )
                + "\n"
            )


@contextmanager
def _sqlite(folder: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{_made(folder) / 'bench.sqlite3'}")
    upgrade(store)
    yield store
    store.dispose()


@contextmanager
def _postgres() -> Iterator[Store]:
    with postgres_server() as server, postgres_database(server) as url:
        store = Store(url)
        upgrade(store)
        yield store
        store.dispose()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _report(sections: dict[str, dict[str, float] | None]) -> str:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    memory = psutil.virtual_memory().total / 2**30
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`. Absolute figures are of one shared machine and swing by tens of per cent; ratios",
        "between rows of one run say more.",
        "",
        f"- date: {datetime.now(UTC):%Y-%m-%d}",
        f"- commit: {commit.stdout.strip()}",
        (
            f"- machine: {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB; {platform.system()}, "
            f"Python {platform.python_version()}"
        ),
        "",
    ]
    for title, figures in sections.items():
        lines += [f"## {title}", ""]
        if figures is None:
            lines += ["Not measured: the peer is not installed (see tests/bench/bench_peer.py).", ""]
            continue
        lines += ["| what | figure |", "|---|---|"]
        lines += [f"| {name} | {value:,.2f} |" if value < 100 else f"| {name} | {value:,.0f} |"
                  for name, value in figures.items()]  # fmt: skip
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

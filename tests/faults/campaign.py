"""The fault campaign: `python -m tests.faults.campaign --rounds 200 --seed 7` kills, counts, and prints a table.

Exits with 1 when anything was lost, doubled or left unsettled, or when blind retry was not seen.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from ascolto.demo.town import Fault, Town
from inbox.store.engine import Store
from inbox.store.migrate import upgrade
from tests.databases import postgres_database, postgres_server
from tests.faults.nursery import Nursery
from tests.faults.rounds import (
    REPLIES,
    Ground,
    Verdict,
    kill_at_random,
    postgres_databases,
    publish_round,
    quick_folder,
    say_posts,
    sqlite_databases,
    take_in_round,
)

Round = Callable[..., tuple[Verdict, list[str]]]
WRITE_PATH = {"x": r"/2/tweets$", "mastodon": r"/api/v1/statuses$"}
COMMITTED_THEN = ("500", "503", "reset", "429", "hang")
console = Console(width=None if sys.stdout.isatty() else 130)


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="random kills per step and database")
    parser.add_argument("--repeat", type=int, default=5, help="kills at each named point")
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--engine", choices=["sqlite", "postgres"], action="append", help="default: both")
    chosen = parser.parse_args()
    rows: list[tuple[str, str, Verdict, float]] = []
    with ExitStack() as stack:
        folder = stack.enter_context(quick_folder(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        nursery = stack.enter_context(Nursery())
        for engine in chosen.engine or ["sqlite", "postgres"]:
            databases = stack.enter_context(_databases(engine, folder))
            for name, run in _parts(chosen.rounds, chosen.repeat, chosen.seed):
                started = time.monotonic()
                with _ground(nursery, folder, databases, network=name.split()[-1]) as ground:
                    verdict = run(ground)
                rows.append((engine, name, verdict, time.monotonic() - started))
    return _print(rows)


def _parts(rounds: int, repeat: int, seed: int) -> Iterator[tuple[str, Callable[[Ground], Verdict]]]:
    for network in ("x", "mastodon"):
        yield f"publish, named points, {network}", partial(_named, publish_round, repeat=repeat)
        yield f"publish, random moments, {network}", partial(_random, publish_round, rounds=rounds, seed=seed)
        yield f"publish, committed then failed, {network}", partial(_faulty, rounds=rounds, seed=seed)
        yield f"take in, named points, {network}", partial(_named, take_in_round, repeat=repeat)
        yield f"take in, random moments, {network}", partial(_random, take_in_round, rounds=rounds, seed=seed)
    yield "blind retry (must double), x", _blind


def _named(one_round: Round, ground: Ground, *, repeat: int) -> Verdict:
    if one_round is take_in_round:
        say_posts(ground)
    total, points = one_round(ground)
    for point in track(points * repeat, "named points", console=console, transient=True):
        total.add(one_round(ground, kill_at=point)[0])
    return total


def _random(one_round: Round, ground: Ground, *, rounds: int, seed: int) -> Verdict:
    if one_round is take_in_round:
        say_posts(ground)
    return kill_at_random(partial(one_round, ground), random.Random(seed), rounds)


def _faulty(ground: Ground, *, rounds: int, seed: int) -> Verdict:
    rng = random.Random(seed)
    total = Verdict()
    for _ in track(range(max(5, rounds // 5)), "faults and kills", console=console, transient=True):
        fault = Fault(
            kind="commit_then_fail", then=rng.choice(COMMITTED_THEN), network=ground.network, method="POST",
            path=WRITE_PATH[ground.network], times=rng.randint(1, 2), hang_seconds=3, retry_after=1,
        )  # fmt: skip
        total.add(publish_round(ground, faults=[fault], kill_after=rng.uniform(0.2, 3.0), timeout_seconds=2.0)[0])
    return total


def _blind(ground: Ground) -> Verdict:
    total = Verdict()
    for number in range(1, REPLIES + 1):
        total.add(publish_round(ground, kill_at=f"reply:{number}:after", is_blind=True)[0])
    return total


@contextmanager
def _ground(nursery: Nursery, folder: Path, databases: Callable[[], object], *, network: str) -> Iterator[Ground]:
    town = Town()
    town.start()
    try:
        yield Ground(town=town, nursery=nursery, folder=folder, new_database=databases, network=network)
    finally:
        town.stop()


@contextmanager
def _databases(engine: str, folder: Path) -> Iterator[Callable[[], object]]:
    if engine == "sqlite":
        template = folder / "template.sqlite3"
        _migrate(f"sqlite:///{template}")
        yield partial(sqlite_databases, template, folder)
        return
    with postgres_server() as server, postgres_database(server) as url:
        name = _migrate(url)
        with postgres_databases(server, name) as databases:
            yield databases


def _migrate(url: str) -> str:
    store = Store(url)
    upgrade(store)
    store.dispose()
    return str(store.url.database)


def _print(rows: list[tuple[str, str, Verdict, float]]) -> int:
    table = Table(title="Fault campaign")
    for column in ("database", "part", "rounds", "killed", "lost", "doubled", "unsettled", "damaged", "seconds", ""):
        table.add_column(column, justify="left" if column in {"database", "part"} else "right")
    failed = 0
    for engine, name, verdict, seconds in rows:
        is_good = verdict.doubled > 0 if name.startswith("blind") else verdict.is_clean
        failed += not is_good
        table.add_row(
            engine, name, *(str(getattr(verdict, column)) for column in
                            ("rounds", "killed", "lost", "doubled", "unsettled", "damaged")),
            f"{seconds:.0f}", "ok" if is_good else "FAILED",
        )  # fmt: skip
        for words in verdict.words[:5] if not is_good else []:
            console.print(f"{engine} {name}: {words}")
    console.print(table)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

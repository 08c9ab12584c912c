"""One round of the fault campaign: prepare, kill, start again, count."""

import json
import os
import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ascolto.demo.town import Fault, Town, TownNetwork
from connectors.base import utc_now
from inbox.store.engine import Store
from inbox.store.tables import Brand, Cell, Conversation, DirtyBucket, Post, Reply
from inbox.store.types import PostState, ReplyState
from tests.databases import postgres_database
from tests.faults.nursery import Nursery
from tests.faults.victim import Job
from tests.triage_factory import make_brand, make_conversation, make_identity, make_post, make_source

REPLIES = 2  # one goes out while the other waits; a third would pass the same points again
POSTS = 12  # two pages
QUIET_SECONDS = 60.0
ROOM = 50_000_000  # bytes
SERVER = "social.town.example"


@dataclass
class Verdict:
    """What a round, or many, came to."""

    rounds: int = 0
    killed: int = 0
    lost: int = 0
    doubled: int = 0
    unsettled: int = 0  # replies not "sent", posts not routed, counts that disagree
    damaged: int = 0
    words: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.unsettled or self.damaged)

    def add(self, other: "Verdict") -> None:
        for name in ("rounds", "killed", "lost", "doubled", "unsettled", "damaged"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.words += other.words


@dataclass
class Ground:
    """Where rounds take place: a town, a nursery, and fresh databases."""

    town: Town
    nursery: Nursery
    folder: Path
    new_database: Callable[[], Any]  # a context manager that gives a URL
    network: str = "x"
    count: int = 0

    def __post_init__(self) -> None:
        handle = f"acme{self.network}"
        account = self.side.add_account(handle, "Acme")
        self.handle, self.account_id = handle, account.id
        if self.network == "x":
            self.config: dict[str, Any] = {
                "api_url": f"{self.town.url}/x", "oauth2_token": f"town-x-{handle}", "account_id": account.id,
            }  # fmt: skip
        else:
            # Without the network's own protection: ours alone is on trial.
            self.town.mastodon.options["honour_idempotency"] = False
            self.config = {
                "server": SERVER,
                "api_url": f"{self.town.url}/mastodon",
                "access_token": self.town.mastodon.token_for(handle),
            }

    @property
    def side(self) -> TownNetwork:
        network: TownNetwork = self.town.networks[self.network]
        return network

    def job(self, step: str, url: str, **values: Any) -> Job:
        return Job(step=step, url=url, network=self.network, config=self.config, folder=str(self.folder), **values)

    @property
    def instance(self) -> str:
        return ""


def publish_round(ground: Ground, *, faults: list[Fault] | None = None, **kill: Any) -> tuple[Verdict, list[str]]:
    """Kill a process that sends, start it again, and count what stands in the town."""
    with ground.new_database() as url:
        store = Store(url)
        parents = queue_replies(ground, store)
        ground.town.faults.clear()
        for fault in faults or []:
            ground.town.faults.add(fault)
        is_blind = bool(kill.pop("is_blind", False))
        points = _live_twice(ground, ground.job("publish", url, is_blind=is_blind, **kill))
        verdict = Verdict(rounds=1, killed=int(points is None))
        for parent, text in parents.items():
            standing = Counter(post.text.removeprefix("@anna ") for post in ground.side.replies_to(parent))
            verdict.lost += text not in standing
            verdict.doubled += sum(standing.values()) - len(standing)
        with store.read() as session:
            for reply in session.scalars(sa.select(Reply)):
                if reply.state is not ReplyState.SENT or not reply.external_id:
                    verdict.unsettled += 1
                    verdict.words.append(f"reply {reply.id} is {reply.state.value}: {reply.reason}")
        _check_integrity(store, verdict)
        store.dispose()
        return verdict, points or []


def take_in_round(ground: Ground, **kill: Any) -> tuple[Verdict, list[str]]:
    """Kill a process that polls, tags and routes, start it again, and count rows."""
    with ground.new_database() as url:
        store = Store(url)
        with store.write() as session:
            brand = make_brand(session, now=utc_now())
            make_source(
                session, brand, now=utc_now(), network=ground.network, account_id=ground.account_id,
                account_handle=ground.handle, instance=ground.instance,
            )  # fmt: skip
        points = _live_twice(ground, ground.job("pipeline", url, **kill))
        verdict = Verdict(rounds=1, killed=int(points is None))
        said = {_number_of(post.text) for post in ground.side.posts.values() if post.author == "anna"}
        _count_posts(store, said, verdict)
        _check_integrity(store, verdict)
        store.dispose()
        return verdict, points or []


def say_posts(ground: Ground, count: int = POSTS) -> None:
    """Let the town speak to us, some of it in threads."""
    parent: str | None = None
    for number in range(count):
        text = f"@{ground.handle} messaggio {number}"
        said = ground.side.add_post("anna", text, parent_id=parent if number % 3 else None)
        parent = said if number % 3 == 0 else parent


def kill_at_random(one_round: Callable[..., tuple[Verdict, list[str]]], rng: random.Random, kills: int) -> Verdict:
    """Kill so many lives, each at a random moment of its length.

    How long a life takes is learnt as it goes, since machines are busy by turns: one that ended before its moment
    was shorter than thought. `one_round` takes `kill_after`.
    """
    one_round()  # the first life warms everything up
    started = time.monotonic()
    total, _ = one_round()
    seconds = time.monotonic() - started
    while total.killed < kills and total.rounds < 4 * kills:
        moment = rng.uniform(0, seconds)
        verdict, _ = one_round(kill_after=moment)
        seconds = seconds * 1.03 if verdict.killed else max(0.05, (seconds + moment) / 2)
        total.add(verdict)
    return total


@contextmanager
def quick_folder(otherwise: Path) -> Iterator[Path]:
    """Give a folder in memory where there is one with room.

    A killed process loses nothing it has handed to the kernel, so that waiting for the disk at each durable commit
    would prove nothing here, and would be most of a round's time.
    """
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < ROOM:
        yield otherwise
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="ascolto-faults-") as folder:
        yield Path(folder)


@contextmanager
def sqlite_databases(template: Path, folder: Path) -> Iterator[str]:
    """Give a fresh SQLite database."""
    path = folder / f"round-{time.monotonic_ns()}.sqlite3"
    shutil.copy(template, path)
    yield f"sqlite:///{path}"
    for left in folder.glob(path.name + "*"):
        left.unlink()


@contextmanager
def postgres_databases(server: str, template: str) -> Iterator[Callable[[], Any]]:
    """Give what gives an empty PostgreSQL database: one, emptied before each round, as copies take longer."""
    with postgres_database(server, template=template) as url:
        yield partial(_emptied, url)


@contextmanager
def _emptied(url: str) -> Iterator[str]:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        names = set(sa.inspect(connection).get_table_names()) - {"alembic_version"}
        quoted = ", ".join(f'"{name}"' for name in sorted(names))
        connection.exec_driver_sql(f"TRUNCATE {quoted} RESTART IDENTITY CASCADE")
    engine.dispose()
    yield url


def _live_twice(ground: Ground, job: Job) -> list[str] | None:
    # Die once, then live to the end. Gives the points passed when nothing killed the first life, None otherwise.
    report = ground.folder / "points.json"
    ending = ground.nursery.live(replace(job, report=str(report)))
    if ending == "done":
        points: list[str] = json.loads(report.read_text())
        return points
    _wait_for_quiet()
    ground.nursery.live(replace(job, kill_at="", kill_after=None))
    return None


def _wait_for_quiet() -> None:
    # The network's own lag: the town finishes what the dead process had asked for, however busy the machine.
    deadline = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < deadline:
        if not any("process_request" in thread.name for thread in threading.enumerate()):
            return
        time.sleep(0.005)


def queue_replies(ground: Ground, store: Store, *, count: int = REPLIES) -> dict[str, str]:
    """Queue replies that are due, each in a conversation of its own; gives parent → text."""
    ground.count += 1
    parents: dict[str, str] = {}
    with store.write() as session:
        brand: Brand = make_brand(session, now=utc_now())
        place = {"network": ground.network, "instance": ground.instance}
        source = make_source(
            session, brand, now=utc_now(), account_id=ground.account_id, account_handle=ground.handle, **place
        )
        anna = make_identity(session, brand, now=utc_now(), handle="anna", **place)
        for number in range(count):
            external_id = ground.side.add_post("anna", f"@{ground.handle} aiuto {ground.count}-{number}")
            conversation = make_conversation(session, brand, now=utc_now(), key=external_id, **place)
            post = make_post(
                session, brand, anna, now=utc_now(), external_id=external_id, state=PostState.ROUTED,
                conversation_id=conversation.id, source_id=source.id, **place,
            )  # fmt: skip
            text = f"Risposta {ground.count}-{number}"
            parents[external_id] = text
            session.add(
                Reply(
                    brand_id=brand.id, conversation_id=conversation.id, post_id=post.id, source_id=source.id,
                    text=text, state=ReplyState.QUEUED, not_before=utc_now(), queued_at=utc_now(),
                    created_at=utc_now(),
                )
            )  # fmt: skip
    return parents


def _number_of(text: str) -> str:
    # Networks render texts and ids each in their way; the number we gave a message stays.
    return text.rsplit(" ", 1)[-1]


def _count_posts(store: Store, said: set[str], verdict: Verdict) -> None:
    with store.read() as session:
        stored = Counter(_number_of(text) for text in session.scalars(sa.select(Post.text)))
        verdict.lost += len(said - set(stored))
        verdict.doubled += sum(stored.values()) - len(stored)
        unrouted = session.scalar(
            sa.select(sa.func.count())
            .select_from(Post)
            .where(sa.or_(Post.state != PostState.ROUTED, Post.conversation_id.is_(None)))
        )
        counted = session.scalar(sa.select(sa.func.sum(Conversation.post_count)))
        in_cells = session.scalar(sa.select(sa.func.sum(Cell.posts)))
        dirty = session.scalar(sa.select(sa.func.count()).select_from(DirtyBucket))
        total = sum(stored.values())
        facts = {"unrouted": unrouted, "counted": counted, "in_cells": in_cells, "dirty": dirty, "total": total}
        if unrouted or dirty or counted != total or in_cells != total:
            verdict.unsettled += 1
            verdict.words.append(str(facts))


def _check_integrity(store: Store, verdict: Verdict) -> None:
    if not store.is_sqlite:
        return
    with store.engine.connect() as connection:
        found = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if found != "ok" or broken is not None:
        verdict.damaged += 1
        verdict.words.append(f"integrity: {found}, {broken}")

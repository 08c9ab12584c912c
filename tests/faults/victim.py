"""What is killed: the product's own steps, run in a process of its own, with named points to die at.

The product knows nothing of this: commits are seen by a subclass of the store, calls by wrapping a connector's
methods. `blind` takes the memory of open attempts away from publishing, so that it retries without a look: the
mistake the campaign must be able to see.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ascolto.jobs import handlers
from ascolto.wiring import House
from config.settings import Publishing
from connectors.base import Connector, Limits, utc_now
from connectors.mastodon import MastodonConnector
from connectors.transport import Transport
from connectors.x import XConnector
from inbox.replies import outcomes
from inbox.replies.outbox import Patience, due_replies, publish_reply
from inbox.replies.reconcile import recover_interrupted
from inbox.store.engine import Store
from inbox.store.queries import replies
from inbox.store.tables import Source
from tests.jobs_factory import make_house

CONNECTORS: dict[str, type[Connector]] = {"x": XConnector, "mastodon": MastodonConnector}
LONGEST_SECONDS = 120.0
PAGE_SIZE = 10


@dataclass(frozen=True)
class Job:
    """One life of a victim. `kill_at` names a point ("commit:2:before"), "" lives to its end."""

    step: str  # publish | pipeline
    url: str
    network: str
    config: dict[str, Any]
    folder: str
    kill_at: str = ""
    kill_after: float | None = None  # seconds; done by the nursery
    is_blind: bool = False
    lag_seconds: float = 0.05
    claim_seconds: float = 0.3
    timeout_seconds: float = 15.0  # a busy town is not one that hangs
    report: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass
class Killer:
    """Counts the points passed, and dies at the one that was named."""

    kill_at: str
    passed: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def around(self, kind: str) -> Iterator[None]:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        number = self.counts[kind]
        self.reach(f"{kind}:{number}:before")
        yield
        self.reach(f"{kind}:{number}:after")

    def reach(self, point: str) -> None:
        self.passed.append(point)
        if point == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self.around(kind):
                return call(*args, **kwargs)

        return wrapped


class KillingStore(Store):
    """A store whose commits are points to die at: before the commit and after it."""

    killer: Killer

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Session]:
        number = self.killer.counts["commit"] = self.killer.counts.get("commit", 0) + 1
        with super().write(durable=durable) as session:
            yield session
            session.flush()
            self.killer.reach(f"commit:{number}:before")
        self.killer.reach(f"commit:{number}:after")


@dataclass(frozen=True)
class KillingHouse(House):
    """A house whose connectors' calls are points to die at."""

    make_connector: Callable[[], Connector]

    def connector_of(self, source: Source) -> Connector:  # noqa: ARG002 - the house's signature
        return self.make_connector()


def run(job: Job) -> None:
    """Live one life."""
    killer = Killer(job.kill_at)
    store = KillingStore(job.url)
    store.killer = killer

    def make_connector() -> Connector:
        connector_class = CONNECTORS[job.network]
        config = connector_class.config_class.model_validate(job.config)
        connector = connector_class(config, transport=Transport(timeout_seconds=job.timeout_seconds))
        for name in ("reply", "find_reply", "fetch"):
            setattr(connector, name, killer.wrap(name, getattr(connector, name)))
        return connector

    if job.is_blind:
        outcomes.open_attempts = lambda session, reply: []  # noqa: ARG005 - called by name too
    {"publish": publish_all, "pipeline": take_in_all}[job.step](job, store, make_connector)
    store.dispose()
    if job.report:
        Path(job.report).write_text(json.dumps(killer.passed))


def publish_all(job: Job, store: Store, make_connector: Callable[[], Connector]) -> None:
    """Send until nothing is on its way, as the schedule would."""
    patience = Patience(lag=timedelta(seconds=job.lag_seconds), lags={}, claim=timedelta(seconds=job.claim_seconds))
    if store.is_sqlite:
        with store.write(durable=True) as session:
            recover_interrupted(session, now=utc_now())
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        with store.read() as session:
            due = due_replies(session, utc_now())
            following = replies.next_due_at(session)
        for reply_id in due:
            publish_reply(
                store,
                reply_id,
                connector_of=lambda _source: make_connector(),
                publishing=Publishing.LIVE,
                clock=utc_now,
                patience=patience,
            )
        if following is None:
            return
        time.sleep(0.02)
    raise TimeoutError("replies are still on their way")


def take_in_all(job: Job, store: Store, make_connector: Callable[[], Connector]) -> None:
    """Poll, tag, route and recount until nothing is left to do."""
    house = make_house(store, Path(job.folder))
    killing = KillingHouse(
        **{name: getattr(house, name) for name in House.__dataclass_fields__}, make_connector=make_connector
    )
    killing = replace(killing, limits=Limits(page_size=PAGE_SIZE))
    with store.engine.begin() as connection:  # the next poll's time has come
        source_id = connection.scalar(sa.text("SELECT id FROM source"))
        connection.execute(sa.text("UPDATE source SET next_poll_at = NULL"))
    handlers.poll(killing, int(source_id or 0))
    for step in (handlers.tag, handlers.route, handlers.roll_up):
        while step(killing).rows:
            pass

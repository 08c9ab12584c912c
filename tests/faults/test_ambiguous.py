"""Where the network cannot show whether an answer stands, nothing is sent again by itself."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ascolto.demo.town import Fault
from config.settings import Publishing
from connectors.base import Connector, utc_now
from connectors.transport import Transport
from connectors.x import XConnector
from inbox.replies.outbox import Patience, due_replies, publish_reply
from inbox.store.engine import Store
from inbox.store.tables import Attempt, Reply, Source
from inbox.store.types import ReplyState
from tests.conftest import FakeClock
from tests.faults.rounds import Ground, queue_replies

pytestmark = pytest.mark.faults

BATCHES = 4


@pytest.fixture
def ground(make_ground: Callable[..., Ground]) -> Iterator[Ground]:
    ground = make_ground("sqlite")
    yield ground
    ground.town.faults.clear()


@pytest.mark.parametrize("case", ["listing is late", "listing is impossible"])
def test_ambiguous_answers_become_unknown_and_are_never_sent_again(
    ground: Ground, sqlite_store: Store, clock: FakeClock, case: str
) -> None:
    patience = Patience(lag=timedelta(seconds=15), lags={})
    if case == "listing is late":
        ground.side.options["listing_lag"] = 3600.0
        patience = Patience(lag=timedelta(hours=1), lags={})
    else:
        ground.town.faults.add(Fault(kind="403", network="x", method="GET", times=-1))
    ground.town.faults.add(
        Fault(kind="commit_then_fail", then="500", network="x", method="POST", path=r"/2/tweets$", times=-1)
    )
    parents = queue_replies(ground, sqlite_store, count=3 * BATCHES)

    def connector_of(_source: Source) -> Connector:
        config = XConnector.config_class.model_validate(ground.config)
        return XConnector(config, transport=Transport(timeout_seconds=2.0), clock=clock)

    clock.now = utc_now()
    for _ in range(2 * len(parents)):  # the source rests between failures, so this takes a while
        # Far in the future each time: whatever would be sent again by itself, would be by now.
        clock.advance(timedelta(hours=1))
        with sqlite_store.read() as session:
            due = due_replies(session, clock(), limit=1000)
        for reply_id in due:
            publish_reply(
                sqlite_store,
                reply_id,
                connector_of=connector_of,
                publishing=Publishing.LIVE,
                clock=clock,
                patience=patience,
            )
    with sqlite_store.read() as session:
        states = set(session.scalars(sa.select(Reply.state)))
        attempts = session.scalar(sa.select(sa.func.count()).select_from(Attempt))
    assert states == {ReplyState.UNKNOWN}
    assert attempts == len(parents)
    assert [len(ground.side.replies_to(parent)) for parent in parents] == [1] * len(parents)

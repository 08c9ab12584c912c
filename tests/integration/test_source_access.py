"""Connectors as the product uses them: at the pace of their account, with credentials that are renewed in time."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Lock
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from ascolto.demo.town import Fault, Town
from ascolto.wiring import House
from config.settings import Publishing
from connectors.base import Account, Connector, Pace, PostRef, utc_now
from connectors.errors import AuthError, NotAskedError, RateLimitedError, TransientError
from connectors.registry import load_registry
from connectors.x import XConnector
from connectors.x_client import XConfig
from inbox import pacing
from inbox.access import account_of
from inbox.listening.poll import PollReport, poll_source
from inbox.listening.sources import create_source
from inbox.pacing import Lane
from inbox.replies.outbox import queue_reply
from inbox.replies.publish import publish_reply
from inbox.store.engine import Store
from inbox.store.tables import Post, RateBucket, Source
from inbox.store.types import ReplyState, SourceState
from tests.conftest import FakeClock
from tests.jobs_factory import make_house
from tests.listening_factory import add_brand
from tests.triage_factory import make_user

PACE = Pace(calls=3, seconds=60)


@pytest.fixture
def clock() -> FakeClock:
    """The town lives in the present."""
    return FakeClock(utc_now())


@pytest.fixture
def house(store: Store, tmp_path: Path, clock: FakeClock, town: Town) -> House:
    town.x.options["tokens_rotate"] = True
    return replace(make_house(store, tmp_path, clock=clock), registry=load_registry())


@pytest.fixture
def brand_id(house: House) -> int:
    with house.store.write() as session:
        return add_brand(session).id


def add_x_source(house: House, town: Town, brand_id: int, name: str = "mentions", **changes: Any) -> int:
    """A source of @brand on the town's X, with an access token and the one refresh token that goes with it."""
    account = town.x.add_account("brand")
    config = XConfig.model_validate(
        {
            "api_url": f"{town.url}/x",
            "oauth2_token": SecretStr("town-x-brand"),
            "refresh_token": SecretStr(town.x.refresh_token_for("brand")),
            "client_id": "client",
            "account_id": account.id,
            **changes,
        }
    )
    with house.store.write() as session:
        source = create_source(
            session,
            house.vault,
            brand_id=brand_id,
            connector=XConnector(config, transport=house.transport),
            name=name,
            account=Account(account.id, "brand"),
            poll_seconds=60,
            can_publish=True,
            now=house.clock(),
        )
        return source.id


def expire(town: Town) -> None:
    """The two hours of the latest access token are over."""
    town.x.expired.add(town.x.access_token_for("brand"))


def poll(house: House, source_id: int) -> PollReport:
    return poll_source(house.store, source_id, connector_of=house.connector_of, limits=house.limits, clock=house.clock)


def source_of(house: House, source_id: int) -> Source:
    with house.store.read() as session:
        return session.get_one(Source, source_id)


def renewals(town: Town) -> int:
    return sum(one.path == "/2/oauth2/token" for one in town.requests)


def test_a_poll_renews_access_that_ran_out_and_goes_on(house: House, town: Town, brand_id: int) -> None:
    source_id = add_x_source(house, town, brand_id)
    for number in range(3):  # each pair dies in its turn
        said = town.x.add_post("anna", f"@brand ciao {number}")
        expire(town)
        report = poll(house, source_id)
        assert (report.state, report.error, report.stored) == (SourceState.OK, None, 1)
        with house.store.read() as session:
            assert said in session.scalars(sa.select(Post.external_id)).all()
    assert renewals(town) == 3
    source = source_of(house, source_id)
    assert house.vault.decrypt(source.secrets or "")["refresh_token"] == town.x.refresh_token_for("brand")
    assert "refresh-brand" not in str(source.secrets)


def test_an_answer_goes_out_once_with_renewed_access(house: House, town: Town, brand_id: int, clock: FakeClock) -> None:
    source_id = add_x_source(house, town, brand_id)
    said = town.x.add_post("anna", "@brand aiuto")
    poll(house, source_id)
    from ascolto.jobs import handlers

    handlers.tag(house)
    handlers.route(house)
    with house.store.write() as session:
        post = session.scalars(sa.select(Post).where(Post.external_id == said)).one()
        assert post.conversation_id is not None
        user = make_user(session, now=clock())
        version = session.scalar(
            sa.text("SELECT version FROM conversation WHERE id = :id"), {"id": post.conversation_id}
        )
        reply = queue_reply(
            session,
            conversation_id=post.conversation_id,
            post_id=post.id,
            text="Eccoci",
            user_id=user.id,
            expected_version=int(version or 0),
            undo_seconds=0,
            now=clock(),
        )
        reply_id = reply.id
    expire(town)
    state = publish_reply(
        house.store, reply_id, connector_of=house.connector_of, publishing=Publishing.LIVE, clock=clock
    )
    assert state is ReplyState.SENT
    assert [one.text for one in town.x.replies_to(said)] == ["@anna Eccoci"]


def test_a_dead_refresh_token_asks_for_a_person_and_is_tried_once(house: House, town: Town, brand_id: int) -> None:
    source_id = add_x_source(house, town, brand_id, refresh_token=SecretStr("refresh-brand-77"))
    expire(town)
    report = poll(house, source_id)
    assert report.state is SourceState.AUTH_NEEDED
    assert "connect the account again" in str(report.error)
    assert renewals(town) == 1


def test_without_a_refresh_token_nothing_is_tried(house: House, town: Town, brand_id: int) -> None:
    source_id = add_x_source(house, town, brand_id, refresh_token=None)
    expire(town)
    assert poll(house, source_id).state is SourceState.AUTH_NEEDED
    assert renewals(town) == 0


def test_a_network_that_is_down_keeps_the_old_pair_for_the_next_try(house: House, town: Town, brand_id: int) -> None:
    source_id = add_x_source(house, town, brand_id)
    expire(town)
    town.faults.add(Fault(kind="500", network="x", path="/2/oauth2/token"))
    assert poll(house, source_id).error_kind == TransientError.__name__
    assert poll(house, source_id).error is None


def test_many_at_once_spend_a_refresh_token_once(house: House, town: Town, brand_id: int) -> None:
    first, second = add_x_source(house, town, brand_id), add_x_source(house, town, brand_id, "search")
    sources = [source_of(house, one) for one in (first, second, first, second)]
    connectors = [house.connector_of(source) for source in sources]  # opened with the pair that dies now
    expire(town)
    start = Barrier(len(connectors))

    def read(connector: Connector) -> str:
        start.wait()
        return connector.check().handle

    with ThreadPoolExecutor(len(connectors)) as pool:
        assert set(pool.map(read, connectors)) == {"brand"}
    assert renewals(town) == 1
    held = [house.vault.decrypt(source_of(house, one).secrets or "") for one in (first, second)]
    assert held[0] == held[1]


def test_credentials_a_person_entered_meanwhile_stay(house: House, town: Town, brand_id: int) -> None:
    source_id = add_x_source(house, town, brand_id)
    connector = house.connector_of(source_of(house, source_id))
    expire(town)
    pair = {"oauth2_token": "town-x-app-only", "refresh_token": "from the form"}
    with house.store.write() as session:
        source = session.get_one(Source, source_id)
        source.secrets = house.vault.encrypt(pair)
    with pytest.raises(AuthError):
        connector.check()
    assert house.vault.decrypt(source_of(house, source_id).secrets or "") == pair


def test_a_wait_holds_for_all_sources_of_the_account(house: House, town: Town, brand_id: int) -> None:
    first, second = add_x_source(house, town, brand_id), add_x_source(house, town, brand_id, "again")
    town.faults.add(Fault(kind="429", network="x", times=1))
    assert poll(house, first).state is SourceState.RATE_LIMITED
    asked = len(town.requests)
    report = poll(house, second)
    assert (report.state, report.error_kind) == (SourceState.RATE_LIMITED, NotAskedError.__name__)
    assert len(town.requests) == asked
    until = source_of(house, first).state_until
    assert until is not None
    assert until == source_of(house, second).state_until


def test_an_answer_held_back_by_our_own_count_was_never_attempted(
    house: House, town: Town, brand_id: int, clock: FakeClock
) -> None:
    source = source_of(house, add_x_source(house, town, brand_id))
    pacing.block(house.store, account_of(source, {}), Lane.WRITE, None, timedelta(minutes=3), clock())
    connector = house.connector_of(source)
    assert connector.check().handle == "brand"  # reading goes on
    with pytest.raises(NotAskedError) as caught:
        connector.reply(PostRef("1", mentions_us=True), "Ciao")
    assert caught.value.retry_after == timedelta(minutes=3)


def test_the_pace_is_shared_and_refills(store: Store, clock: FakeClock) -> None:
    for _ in range(3):
        pacing.take_turn(store, "x::1", Lane.READ, PACE, clock())
    with pytest.raises(NotAskedError) as caught:
        pacing.take_turn(store, "x::1", Lane.READ, PACE, clock())
    assert caught.value.retry_after == timedelta(seconds=20)
    pacing.take_turn(store, "x::1", Lane.WRITE, PACE, clock())
    pacing.take_turn(store, "x::2", Lane.READ, PACE, clock())
    clock.advance(timedelta(seconds=20))
    pacing.take_turn(store, "x::1", Lane.READ, PACE, clock())
    pacing.charge(store, "x::1", Lane.READ, PACE, 2, clock())
    with pytest.raises(NotAskedError) as caught:
        pacing.take_turn(store, "x::1", Lane.READ, PACE, clock())
    assert caught.value.retry_after == timedelta(minutes=1)


def test_many_processes_never_take_more_than_there_is(store: Store, clock: FakeClock) -> None:
    taken, lock = [], Lock()

    def take(_: int) -> None:
        try:
            pacing.take_turn(store, "x::1", Lane.READ, PACE, clock())
        except RateLimitedError:
            return
        with lock:
            taken.append(1)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(take, range(24)))
    assert len(taken) == PACE.calls
    with store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(RateBucket)) == 1

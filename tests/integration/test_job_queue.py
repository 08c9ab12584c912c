"""The distributed engine's own promises: jobs stand with their rows, dead workers' jobs are rescued, one leads."""

import asyncio
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from procrastinate import App, PsycopgConnector

from ascolto.jobs import handlers
from ascolto.jobs.postgres import MAX_ATTEMPTS, DeferringStore, rescue
from ascolto.jobs.queue import BATCH, Enqueuer, prepare_queue, queue_conninfo
from ascolto.jobs.schedule import Schedule, lead
from ascolto.wiring import House
from connectors.base import utc_now
from connectors.fake import FakeNetwork
from inbox.store.engine import Store
from tests.jobs_factory import add_fake_source, make_house


@pytest.fixture
def house(postgres_store: Store, tmp_path: Path) -> House:
    prepare_queue(postgres_store)
    return make_house(postgres_store, tmp_path)


def jobs(house: House) -> list[tuple[str, str, dict[str, object]]]:
    with house.store.engine.connect() as connection:
        found = connection.execute(sa.text("SELECT task_name, status::text, args FROM procrastinate_jobs ORDER BY id"))
        return [(row[0], row[1], row[2]) for row in found]


def test_preparing_twice_does_nothing(house: House) -> None:
    assert not prepare_queue(house.store)


def test_sqlite_needs_no_queue(sqlite_store: Store) -> None:
    assert not prepare_queue(sqlite_store)


def test_tagging_is_deferred_with_the_rows_it_is_for(house: House) -> None:
    network = FakeNetwork("queue")
    source = add_fake_source(house, network.name)
    for number in range(3):
        network.add_post("anna", f"Messaggio {number}", created_at=utc_now())
    handlers.poll(house, source.id, store=DeferringStore(house.store, Enqueuer()))
    ((name, status, arguments),) = jobs(house)
    assert (name, status) == ("ascolto.tag", "todo")
    assert len(arguments["post_ids"]) == 3  # type: ignore[arg-type] - a list of ids


def test_a_job_goes_when_its_transaction_does(house: House) -> None:
    def defer_and_break() -> None:
        with house.store.write() as session:
            Enqueuer().defer_batch(session, "tag", range(BATCH + 1))
            raise LookupError

    with pytest.raises(LookupError):
        defer_and_break()
    assert jobs(house) == []
    with house.store.write() as session:
        assert Enqueuer().defer_batch(session, "tag", range(BATCH + 1)) == 2
    assert len(jobs(house)) == 2


def test_the_same_step_waits_once(house: House) -> None:
    with house.store.write() as session:
        assert Enqueuer().defer_once(session, "poll", 1)
        assert not Enqueuer().defer_once(session, "poll", 1)
        assert Enqueuer().defer_once(session, "poll", 2)
        assert Enqueuer().defer_once(session, "sweep")
    assert len(jobs(house)) == 3


def test_the_schedule_feeds_what_rows_say_is_due(house: House) -> None:
    network = FakeNetwork("feed")
    add_fake_source(house, network.name)
    schedule = Schedule(house, stop=threading.Event())
    assert schedule.feed(with_sweep=True) == 2
    assert [name for name, _, _ in jobs(house)] == ["ascolto.poll", "ascolto.sweep"]
    assert schedule.feed(with_sweep=True) == 0


def test_one_leads_and_the_second_stands_by(house: House) -> None:
    with lead(house) as first:
        assert first is not None
        assert first()
        with lead(house) as second:
            assert second is None
    with lead(house) as third:
        assert third is not None


async def _take_and_die(house: House) -> None:
    app = App(connector=PsycopgConnector(conninfo=queue_conninfo(house.store)))
    async with app.open_async():
        worker_id = await app.job_manager.register_worker()
        job = await app.job_manager.fetch_job(queues=None, worker_id=worker_id)
        assert job is not None
        await app.connector.execute_query_async(
            "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"
        )


def test_the_jobs_of_a_dead_worker_are_rescued_until_one_kills_too_many(house: House) -> None:
    with house.store.write() as session:
        Enqueuer().defer_once(session, "sweep")
    for _ in range(MAX_ATTEMPTS):
        asyncio.run(_take_and_die(house))
        assert jobs(house)[0][1] == "doing"
        retried, given_up = asyncio.run(rescue(house))
        if given_up:
            break
        assert retried == 1
        assert jobs(house)[0][1] == "todo"
    else:
        asyncio.run(_take_and_die(house))
        assert asyncio.run(rescue(house)) == (0, 1)
    assert jobs(house)[0][1] == "failed"

"""Live events: fanned out, bounded, ended at once; on PostgreSQL heard across processes."""

import asyncio
import threading

from ascolto.web.bus import QUEUE_SIZE, Bus, Event, PostgresBus, open_bus
from inbox.store.engine import Store


async def gather(bus: Bus, count: int, wanted: str) -> list[Event]:
    """Listen until `count` events of a topic came."""
    subscription = bus.subscribe()
    found: list[Event] = []
    threading.Thread(target=lambda: [bus.publish(wanted, {"id": number}) for number in range(count)]).start()
    while len(found) < count:
        event = await subscription.next(60)
        assert event is not None
        if event.topic == wanted:
            found.append(event)
    subscription.close()
    return found


def test_events_from_another_thread_arrive_in_order(store: Store) -> None:
    bus = open_bus(store)
    try:

        async def listen() -> list[Event]:
            if isinstance(bus, PostgresBus):  # wait until the channel is open
                first = bus.subscribe()
                await first.next(60)
                first.close()
            return await gather(bus, 20, "conversation")

        found = asyncio.run(listen())
        assert [event.data["id"] for event in found] == list(range(20))
    finally:
        bus.close()


def test_one_process_hears_another(postgres_store: Store) -> None:
    web, worker = PostgresBus(postgres_store.engine), PostgresBus(postgres_store.engine)

    async def listen() -> Event | None:
        subscription = web.subscribe()
        assert await subscription.next(60) == Event("resync")
        await asyncio.to_thread(worker.publish, "source", {"id": 7})
        return await subscription.next(60)

    try:
        assert asyncio.run(listen()) == Event("source", {"id": 7})
    finally:
        web.close()
        worker.close()


def test_a_slow_listener_is_told_to_look_again() -> None:
    async def listen() -> list[Event]:
        bus = Bus()
        subscription = bus.subscribe()
        for number in range(QUEUE_SIZE + 1):
            bus.publish("conversation", {"id": number})
        await asyncio.sleep(0.05)
        bus.close()
        await asyncio.sleep(0.05)
        return [event async for event in subscription]

    assert asyncio.run(listen()) == []

    async def overflow() -> Event | None:
        bus = Bus()
        subscription = bus.subscribe()
        for number in range(QUEUE_SIZE + 1):
            bus.publish("conversation", {"id": number})
        await asyncio.sleep(0.05)
        return await subscription.next(60)

    assert asyncio.run(overflow()) == Event("resync")


def test_closing_ends_every_subscription_even_late_ones() -> None:
    async def listen() -> tuple[Event | None, Event | None]:
        bus = Bus()
        before = bus.subscribe()
        bus.close()
        after = bus.subscribe()
        return await before.next(60), await after.next(60)

    assert asyncio.run(listen()) == (None, None)

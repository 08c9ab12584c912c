"""Live events between whatever changes a row and the browsers that show it.

Events are pokes: what changed and its id, never its content, so that permissions stay with the ordinary pages.
Publish only after the commit. Inside one process everything goes through memory; on PostgreSQL a poke travels
by NOTIFY, so that every web process hears what every worker did.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
import structlog

from inbox.store.engine import Store

log = structlog.get_logger(__name__)

QUEUE_SIZE = 200
CHANNEL = "ascolto_live"
RESYNC = "resync"
LISTEN_TIMEOUT_SECONDS = 1.0
RECONNECT_SECONDS = 2.0

Data = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Event:
    """A poke: `topic` is "conversation", "counts", "source", "reply", or "resync" (look at everything again)."""

    topic: str
    data: Data = field(default_factory=dict)


class Subscription:
    """One listener's bounded queue: iterate it with `async for`; it ends when the bus closes.

    A listener too slow for `QUEUE_SIZE` events gets one "resync" instead of them.
    """

    def __init__(self, bus: "Bus", loop: asyncio.AbstractEventLoop) -> None:
        self._bus = bus
        self._loop = loop
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue(QUEUE_SIZE)

    def offer(self, event: Event | None) -> None:
        """Hand over an event, from any thread; None ends the subscription."""
        try:
            self._loop.call_soon_threadsafe(self._put, event)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self._bus.drop(self)

    def _put(self, event: Event | None) -> None:
        if event is None or self._queue.full():
            while not self._queue.empty():
                self._queue.get_nowait()
            self._queue.put_nowait(event if event is None else Event(RESYNC))
        else:
            self._queue.put_nowait(event)

    async def next(self, timeout_seconds: float) -> Event | None:
        """Give the next event, None when the bus closed. TimeoutError when nothing came."""
        return await asyncio.wait_for(self._queue.get(), timeout_seconds)

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Give events until the bus closes."""
        while (event := await self._queue.get()) is not None:
            yield event

    def close(self) -> None:
        """Stop listening."""
        self._bus.drop(self)


class Bus:
    """Fans events out to this process's listeners. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: set[Subscription] = set()
        self._is_closed = False

    def publish(self, topic: str, data: Data | None = None) -> None:
        """Tell all listeners; call it after the commit."""
        self._deliver(Event(topic, dict(data or {})))

    def subscribe(self) -> Subscription:
        """Start listening, from a running event loop."""
        subscription = Subscription(self, asyncio.get_running_loop())
        with self._lock:
            if self._is_closed:
                subscription.offer(None)
            else:
                self._subscriptions.add(subscription)
        return subscription

    def drop(self, subscription: Subscription) -> None:
        """Forget a listener."""
        with self._lock:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End all subscriptions, so that a stopping server waits for no browser."""
        with self._lock:
            self._is_closed = True
            ended = tuple(self._subscriptions)
            self._subscriptions.clear()
        for subscription in ended:
            subscription.offer(None)

    def _deliver(self, event: Event) -> None:
        with self._lock:
            listeners = tuple(self._subscriptions)
        for subscription in listeners:
            subscription.offer(event)


class PostgresBus(Bus):
    """A bus over LISTEN/NOTIFY. It starts listening with its first subscriber: workers only publish."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__()
        self._engine = engine
        self._stopping = threading.Event()
        self._listener: threading.Thread | None = None

    def publish(self, topic: str, data: Data | None = None) -> None:
        """Tell the listeners of all processes. If the database cannot be reached, tell our own at least."""
        payload = json.dumps([topic, dict(data or {})])
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.select(sa.func.pg_notify(CHANNEL, payload)))
        except sa.exc.SQLAlchemyError:
            log.warning("bus.notify_failed", topic=topic)
            super().publish(topic, data)
            return
        if self._listener is None:
            super().publish(topic, data)

    def subscribe(self) -> Subscription:
        """Start listening; the first listener opens the database's channel."""
        with self._lock:
            if self._listener is None and not self._is_closed:
                self._listener = threading.Thread(target=self._listen, name="bus-listen", daemon=True)
                self._listener.start()
        return super().subscribe()

    def close(self) -> None:
        """End all subscriptions and the listening thread."""
        self._stopping.set()
        super().close()
        if self._listener is not None:
            self._listener.join(timeout=LISTEN_TIMEOUT_SECONDS * 3)

    def _listen(self) -> None:
        import psycopg

        url = self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while not self._stopping.is_set():
            try:
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._deliver(Event(RESYNC))  # whatever was said while nobody listened
                    while not self._stopping.is_set():
                        for notice in connection.notifies(timeout=LISTEN_TIMEOUT_SECONDS):
                            self._deliver(_read_notice(notice.payload))
            except psycopg.Error:
                log.warning("bus.listen_failed", retry_seconds=RECONNECT_SECONDS)
                self._stopping.wait(RECONNECT_SECONDS)


def _read_notice(payload: str) -> Event:
    try:
        topic, data = json.loads(payload)
        return Event(str(topic), dict(data))
    except (ValueError, TypeError):
        return Event(RESYNC)


def open_bus(store: Store) -> Bus:
    """Give the bus that fits the database: in memory for SQLite, NOTIFY for PostgreSQL."""
    return Bus() if store.is_sqlite else PostgresBus(store.engine)

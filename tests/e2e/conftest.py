"""The real server on a free port with a seeded database, and a real browser before it."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect

from ascolto.web.app import create_app
from ascolto.web.server import make_server
from ascolto.wiring import House
from config.settings import Publishing
from inbox.people.users import start_sign_in
from inbox.replies.outbox import due_replies, publish_reply
from inbox.store.engine import Store
from tests.web_factory import World, make_house, seed_world

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Long enough for a busy machine; what is waited for comes at once on an idle one.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)
WIDE = {"width": 1440, "height": 900}


@dataclass
class Site:
    """A running site: its address, its house, what was seeded, and what the outbox would do meanwhile."""

    url: str
    house: House
    world: World
    stop: Callable[[], None] = lambda: None

    def publish_due(self) -> None:
        """Send what is due, as soon as something is, as the job does, and tell the browsers."""
        due: list[int] = []
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while not due and time.monotonic() < deadline:
            with self.house.store.read() as session:
                due = list(due_replies(session, self.house.clock()))
            time.sleep(0.05)
        for reply_id in due:
            publish_reply(
                self.house.store,
                reply_id,
                connector_of=self.house.connector_of,
                publishing=self.house.settings.publishing,
                clock=self.house.clock,
            )
        if due:
            self.house.bus.publish("reply", {})

    def token_of(self, user_id: int) -> str:
        """Sign somebody in without the form."""
        with self.house.store.write() as session:
            return start_sign_in(session, user_id, user_agent="test", now=self.house.clock())


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Use the system's Chromium where there is one."""
    chosen = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    path = {"executable_path": chosen} if chosen else {}
    return {**browser_type_launch_args, **path, "args": FLAGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """An Italian desk without motion, so that pictures do not catch a transition."""
    return {
        **browser_context_args,
        "reduced_motion": "reduce",
        "locale": "it-IT",
        "timezone_id": "Europe/Rome",
        "viewport": WIDE,
    }


@pytest.fixture(scope="session")
def seeded(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    """A database with a small town in it, to copy from."""
    path = tmp_path_factory.mktemp("seeded") / "town.sqlite3"
    shutil.copy(sqlite_template, path)
    store = Store(f"sqlite:///{path}")
    world = seed_world(store, datetime.now(UTC))
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.dispose()
    return path, world


@pytest.fixture
def site(seeded: tuple[Path, World], tmp_path: Path) -> Iterator[Site]:
    """A running site of one's own."""
    yield from _serve(seeded, tmp_path, publishing=Publishing.LIVE, undo_seconds=1)


@pytest.fixture
def practice_site(seeded: tuple[Path, World], tmp_path: Path) -> Iterator[Site]:
    """A running site that publishes nothing, with time to undo."""
    yield from _serve(seeded, tmp_path, publishing=Publishing.DRY_RUN, undo_seconds=120)


def _serve(seeded: tuple[Path, World], folder: Path, **settings: object) -> Iterator[Site]:
    path = folder / "ascolto.sqlite3"
    shutil.copy(seeded[0], path)
    house = make_house(Store(f"sqlite:///{path}"), folder, **settings)
    server = make_server(create_app(house), host="127.0.0.1", port=0)
    with run_in_thread(server) as stop:

        def stop_all() -> None:
            house.bus.close()
            stop()

        yield Site(f"http://127.0.0.1:{_port(server)}", replace(house), seeded[1], stop_all)
        house.bus.close()
    house.store.dispose()


@contextmanager
def run_in_thread(server: uvicorn.Server) -> Iterator[Callable[[], None]]:
    """Run a server beside the test; gives what stops it at once, and stops it at the end in any case."""
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    _port(server)

    def stop() -> None:
        server.should_exit = True
        thread.join(timeout=60)
        assert not thread.is_alive(), "the server did not stop"

    yield stop
    stop()


def wait_live(page: Page) -> None:
    """Wait until the page listens: what is said from now on reaches it."""
    expect(page.locator("#stream[data-live]")).to_be_attached()


def _port(server: uvicorn.Server) -> int:
    for _ in range(2400):
        if server.started:
            return int(server.servers[0].sockets[0].getsockname()[1])
        time.sleep(0.025)
    raise TimeoutError("the server did not start")


@dataclass
class Desk:
    """Opens browsers for people of a site, and collects what went wrong in them."""

    browser: Browser
    args: dict[str, Any]
    faults: list[str]
    contexts: list[BrowserContext]
    may_lose_connection: bool = False

    def open(self, site: Site, user_id: int | None, path: str = "/inbox", **changes: Any) -> Page:
        """Give a page of a fresh browser, signed in."""
        context = self.browser.new_context(**{**self.args, **changes})
        self.contexts.append(context)
        if user_id is not None:
            context.add_cookies([{"name": "sid", "value": site.token_of(user_id), "url": site.url}])
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on(
            "console",
            lambda message: (
                self.faults.append(message.text)
                if message.type == "error" and "status of 4" not in message.text
                else None
            ),
        )
        page.goto(site.url + path)
        return page


@pytest.fixture
def desk(browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[Desk]:
    """Browsers for people; a script error or a breach of the content policy fails the test."""
    opened = Desk(browser, browser_context_args, [], [])
    yield opened
    for context in opened.contexts:
        context.close()
    if not opened.may_lose_connection:
        assert opened.faults == []

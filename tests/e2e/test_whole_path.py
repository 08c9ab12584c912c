"""The whole path: a post on a network's server, read by the real client library, answered by keyboard in a browser.

The product runs as its users run it (`ascolto serve`, a process of its own); the networks are the loopback town.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from ascolto.demo.town import Fault, Town, TownNetwork
from ascolto.wiring import House, build_house
from config.settings import Publishing, Settings
from connectors.base import utc_now
from inbox.listening.sources import create_source
from inbox.people.users import create_user, start_sign_in
from inbox.store.migrate import upgrade
from inbox.store.tables import Brand, Reply
from inbox.store.types import ReplyState, Role
from tests.bench.bench_processes import free_port, is_up
from tests.e2e.conftest import PATIENCE_MS

# A busy machine is slow at every step: to start the product, to poll, to send.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

START_SECONDS = 150
NETWORKS = ("x", "reddit", "facebook", "mastodon")
HEARD = {
    "x": "@brand il pacco non è arrivato, sono senza parole 😡",
    "reddit": "u/brand my order arrived broken and nobody answers, what do I do?",
    "facebook": "Servizio pessimo, aspetto il rimborso da un mese!",
    "mastodon": "@brand grazie, assistenza velocissima e gentile ❤️",
}


@dataclass
class Product:
    """A running product, the town around it, and who signs in."""

    house: House
    town: Town
    url: str
    environment: dict[str, str]
    process: "subprocess.Popen[bytes]"
    agent_id: int

    def kill_and_restart(self) -> None:
        """SIGKILL, then start again on the same data and port."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = _start(self.environment, self.url)


@pytest.fixture
def product(town: Town, tmp_path: Path) -> Iterator[Product]:
    """The product on an empty data folder with one own source on each of the four networks."""
    port = free_port()
    environment = {
        **os.environ,
        "ASCOLTO_DATA_DIR": str(tmp_path / "data"),
        "ASCOLTO_CONFIG": str(tmp_path / "none.toml"),
        "ASCOLTO_PORT": str(port),
        "ASCOLTO_PUBLISHING": "live",
        "ASCOLTO_UNDO_SECONDS": "1",
    }
    house = build_house(Settings(data_dir=tmp_path / "data", publishing=Publishing.LIVE))
    upgrade(house.store)
    agent_id = _furnish(house, town)
    url = f"http://127.0.0.1:{port}"
    running = Product(house, town, url, environment, _start(environment, url), agent_id)
    yield running
    running.process.terminate()
    assert running.process.wait(60) == 0, "the product did not stop when asked to"
    house.close()


def _furnish(house: House, town: Town) -> int:
    page = town.facebook.add_account("brand", "Brand", extra={"is_page": True})
    x_account = town.x.add_account("brand", "Brand")
    town.reddit.add_account("brand", "Brand")
    town.mastodon.add_account("brand", "Brand")
    configs: dict[str, dict[str, Any]] = {
        "x": {"api_url": f"{town.url}/x", "oauth2_token": "town-x-brand", "account_id": x_account.id},
        "reddit": {
            "api_url": f"{town.url}/reddit",
            "client_id": "app",
            "client_secret": "app-secret",
            "username": "brand",
            "password": "town",
        },
        "facebook": {"api_url": f"{town.url}/facebook", "page_id": page.id, "page_token": "town-facebook-brand"},
        "mastodon": {
            "server": "social.town.example",
            "api_url": f"{town.url}/mastodon",
            "access_token": town.mastodon.token_for("brand"),
        },
    }
    with house.store.write() as session:
        brand = Brand(slug="brand", name="Brand", created_at=utc_now(), business_hours={})
        session.add(brand)
        user = create_user(
            session, email="ada@example.org", name="Ada", password="una-parola-lunga", role=Role.AGENT,
            language="it", now=utc_now(),
        )  # fmt: skip
        session.flush()
        brand_id, agent_id = brand.id, user.id
    for network, config in configs.items():
        connector = house.registry.create(network, config, transport=house.transport, clock=house.clock)
        account = connector.check()
        with house.store.write() as session:
            create_source(
                session, house.vault, brand_id=brand_id, connector=connector, name=network, account=account,
                poll_seconds=5, can_publish=True, now=utc_now(),
            )  # fmt: skip
    return agent_id


def _start(environment: dict[str, str], url: str) -> "subprocess.Popen[bytes]":
    log = Path(environment["ASCOLTO_DATA_DIR"]) / "serve.log"
    with log.open("ab") as out:
        process = subprocess.Popen([sys.executable, "-m", "ascolto", "serve"], env=environment, stdout=out, stderr=out)
    end = time.monotonic() + START_SECONDS
    while not is_up(f"{url}/healthz"):
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(log.read_text()[-4000:])
        time.sleep(0.05)
    return process


@pytest.fixture
def page(product: Product, browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[Page]:
    """A signed-in browser on the open inbox."""
    with product.house.store.write() as session:
        token = start_sign_in(session, product.agent_id, user_agent="test", now=utc_now())
    context = browser.new_context(**browser_context_args)
    context.add_cookies([{"name": "sid", "value": token, "url": product.url}])
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    opened.goto(f"{product.url}/inbox")
    yield opened
    context.close()


def _wait_for(what: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def _network(town: Town, name: str) -> TownNetwork:
    return town.networks[name]


def _say(town: Town, name: str) -> str:
    network = _network(town, name)
    network.add_account("anna", "Anna Verdi", followers=1200)
    if name == "facebook":
        root = network.add_post("brand", "Nuovi orari del negozio")
        return network.add_post("anna", HEARD[name], parent_id=root)
    if name == "reddit":
        network.add_account("bruno", "Bruno")
        root = network.add_post("bruno", "Who knows this brand?", place="italy", title="A question")
        return network.add_post("anna", HEARD[name], parent_id=root)
    return network.add_post("anna", HEARD[name])


def _answers(town: Town, name: str, post_id: str, text: str) -> int:
    return sum(text in reply.text for reply in _network(town, name).replies_to(post_id))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_post_is_heard_shown_tagged_assigned_and_answered_once(product: Product, page: Page, name: str) -> None:
    loaded = page.evaluate("performance.timeOrigin")
    post_id = _say(product.town, name)
    card = page.locator("#cards .card-item").filter(has_text=HEARD[name][8:30])
    pill = page.locator("#new-pill")
    _wait_for(lambda: card.count() > 0 or pill.is_visible())
    if card.count() == 0:
        pill.click()
    expect(card).to_be_visible()
    assert page.evaluate("performance.timeOrigin") == loaded, "the page was loaded anew"
    expect(card).to_contain_text("pos" if name == "mastodon" else "neg")
    page.keyboard.press("j")
    page.keyboard.press("o")
    expect(page.locator("#thread-name")).to_be_focused()
    expect(page.locator("#assignee option:checked")).to_contain_text("Ada")
    answer = "Ciao Anna, ci pensiamo subito noi."
    page.keyboard.press("r")
    page.keyboard.type(answer)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".message.is-sent")).to_contain_text(answer, timeout=90_000)
    assert _answers(product.town, name, post_id, answer) == 1


def test_an_answer_survives_a_kill_between_call_and_receipt(product: Product, page: Page) -> None:
    post_id = _say(product.town, "mastodon")
    card = page.locator("#cards .card-item").first
    expect(card).to_be_visible(timeout=90_000)
    page.keyboard.press("j")
    page.keyboard.press("o")
    expect(page.locator("#thread-name")).to_be_focused()
    # The answer is taken by the network, and its receipt never comes: the process dies waiting for it.
    product.town.faults.add(
        Fault(
            kind="commit_then_fail", then="hang", network="mastodon", method="POST", path="/api/v1/statuses",
            times=1, hang_seconds=60,
        )
    )  # fmt: skip
    page.keyboard.press("r")
    page.keyboard.type("Grazie a te, Anna!")
    page.keyboard.press("Control+Enter")
    _wait_for(lambda: _answers(product.town, "mastodon", post_id, "Grazie a te") == 1)
    product.kill_and_restart()

    def is_sent() -> bool:
        with product.house.store.read() as session:
            return [reply.state for reply in session.query(Reply)] == [ReplyState.SENT]

    _wait_for(is_sent, seconds=240)
    assert _answers(product.town, "mastodon", post_id, "Grazie a te") == 1

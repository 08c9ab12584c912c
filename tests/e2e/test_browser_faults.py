"""What an agent meets on a bad day: a server that goes away, a session that ends, a proxy's error page."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, Route, expect

from ascolto.web.app import create_app
from ascolto.web.server import make_server
from inbox.store.engine import Store
from inbox.store.tables import Correction, Reply, SignIn
from tests.e2e.conftest import Desk, Site, run_in_thread, wait_live
from tests.web_factory import PASSWORD, make_house

pytestmark = pytest.mark.browser

WORDS = "Ci scusiamo, ti scriviamo subito"


def draft(page: Page, site: Site) -> str:
    """Begin an answer to the first conversation; gives its address."""
    page.locator("#cards a.conv").first.click()
    expect(page.locator("#thread-name")).to_be_focused()
    page.keyboard.press("r")
    page.keyboard.type(WORDS)
    return page.url.removeprefix(site.url)


def test_words_outlive_a_server_that_goes_away(site: Site, desk: Desk, tmp_path: Path) -> None:
    desk.may_lose_connection = True
    page = desk.open(site, site.world.anna_id)
    expect(page.locator("#offline")).to_be_hidden()
    wait_live(page)
    draft(page, site)
    site.stop()
    expect(page.locator("#offline")).to_contain_text("Connessione persa")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#toasts")).to_contain_text("Il server non ha risposto")
    expect(page.locator("#reply-text")).to_have_value(WORDS)
    assert WORDS in page.evaluate("Object.values(sessionStorage)")
    again = make_house(Store(str(site.house.settings.database_url)), tmp_path, undo_seconds=1)
    server = make_server(create_app(again), host="127.0.0.1", port=int(site.url.rsplit(":", 1)[1]))
    with run_in_thread(server):
        expect(page.locator("#offline")).to_be_hidden(timeout=60_000)  # it tries again every eight seconds or so
        page.locator("#reply-text").press("Control+Enter")
        expect(page.locator(".message.is-queued")).to_contain_text(WORDS)
        expect(page.locator("#reply-text")).to_have_value("")
        assert WORDS not in page.evaluate("Object.values(sessionStorage)")
        again.bus.close()
    with again.store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(Reply.text == WORDS)) == 1
    again.store.dispose()


def test_whoever_was_signed_out_comes_back_to_their_words(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    path = draft(page, site)
    with site.house.store.write() as session:
        session.execute(sa.delete(SignIn))
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Accedi")).to_be_visible()
    page.get_by_label("E-mail").fill("anna@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Accedi").click()
    expect(page.locator("#reply-text")).to_have_value(WORDS)
    assert page.url.removeprefix(site.url) == path


def test_an_error_page_of_a_proxy_replaces_nothing(site: Site, desk: Desk) -> None:
    desk.may_lose_connection = True
    page = desk.open(site, site.world.anna_id)
    draft(page, site)

    def fail(route: Route) -> None:
        route.fulfill(status=502, content_type="text/html", body="<h1>Bad gateway</h1>")

    page.route("**/c/*/reply*", fail)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#toasts")).to_contain_text("Il server non ha risposto")
    expect(page.locator("#reply-text")).to_have_value(WORDS)
    expect(page.locator("#thread")).not_to_contain_text("Bad gateway")


def test_back_forward_and_reload_keep_the_place_and_the_words(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id, "/inbox?sort=newest")
    first = draft(page, site)
    page.locator("#cards a.conv").nth(2).click()
    expect(page).not_to_have_url(site.url + first)
    expect(page.locator("#reply-text")).to_have_value("")
    page.go_back()
    expect(page).to_have_url(site.url + first)
    expect(page.locator("#reply-text")).to_have_value(WORDS)
    expect(page.locator("#cards a[aria-current]")).to_have_count(1)
    assert page.locator("#cards a[aria-current]").get_attribute("href") == first
    page.go_forward()
    expect(page.locator("#reply-text")).to_have_value("")
    page.go_back()
    expect(page.locator("#reply-text")).to_have_value(WORDS)
    wait_live(page)
    page.locator("#cards a.conv").first.focus()
    with page.expect_response("**/inbox/list**"):  # the live stream still has its listeners
        site.house.bus.publish("conversation", {"id": 1})
    page.reload()
    expect(page.locator("#reply-text")).to_have_value(WORDS)
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.type("Una nota a metà")
    page.reload()
    expect(page.locator("#note-text")).to_have_value("Una nota a metà")


def test_four_corrects_what_the_author_wants(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    page.locator("#cards a.conv").first.click()
    expect(page.locator("#thread-name")).to_be_focused()
    page.keyboard.press("4")
    menu = page.locator("#messages .intent-menu[open]")
    expect(menu.get_by_role("checkbox").first).to_be_focused()
    box = menu.locator(".menu-panel").bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 900
    for wanted in menu.get_by_role("checkbox", checked=True).all():
        wanted.uncheck()
    menu.get_by_role("checkbox", name="domanda").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator("#messages")).to_contain_text("domanda · di una persona")
    with site.house.store.read() as session:
        assert session.scalars(sa.select(Correction.value).where(Correction.task == "intents")).all() == [["question"]]


@pytest.mark.parametrize("width", [390, 1280, 1440])
def test_a_card_says_everything_in_one_row(site: Site, desk: Desk, width: int) -> None:
    from inbox.store.tables import Conversation, Identity

    with site.house.store.write() as session:
        session.execute(sa.update(Conversation).values(intent="purchase_interest", audience=12_345))
        session.execute(
            sa.update(Identity).values(display_name="\N{RIGHT-TO-LEFT OVERRIDE}" + "nomelunghissimo" * 12 + "🐙")
        )
    page = desk.open(site, site.world.anna_id, viewport={"width": width, "height": 900})
    rows = page.locator(".conv-chips").all()
    assert len(rows) > 10
    assert {round(row.bounding_box()["height"]) for row in rows if row.bounding_box()} == {24}  # type: ignore[index] - filtered
    page.locator("#cards a.conv").first.click()
    expect(page.locator("#messages")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = "[...document.querySelectorAll('#context *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
    if width > 1000:
        assert page.evaluate(f"{wide}.length") == 0


def test_scripts_that_arrive_late_leave_the_page_live(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    seen: list[str] = []

    def delay(route: Route) -> None:
        seen.append(route.request.url)
        if len(seen) > 1:
            page.wait_for_timeout(700)
        route.continue_()

    page.route("**/*.js", delay)
    with page.expect_response("**/events"):
        page.reload()
    assert len(seen) > 1

"""What every page owes: readable by all, in two languages and themes, on a phone, light, and alone on its host."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, expect

from tests.e2e.conftest import Desk, Site

pytestmark = pytest.mark.browser

AXE = (Path(__file__).resolve().parents[1] / "vendor" / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
KILOBYTE = 1024


def violations(page: Page) -> list[str]:
    """Give what axe finds, in words, once all has come: half a page, or one without its styles, is no page."""
    page.wait_for_load_state()
    page.evaluate(AXE)
    found = page.evaluate(f"axe.run(document, {{runOnly: {RULES}}})")
    return [
        f"{item['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for item in found["violations"]
        for node in item["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_nothing_stands_in_anybodys_way(site: Site, desk: Desk, theme: str, width: int) -> None:
    size = {"width": width, "height": 844}
    page = desk.open(site, site.world.anna_id, color_scheme=theme, viewport=size)
    expect(page.locator("#cards .card-item").first).to_be_visible()
    assert violations(page) == []
    page.locator("#cards a.conv").first.click()
    expect(page.locator("#messages")).to_be_visible()
    assert violations(page) == []


def test_sign_in_palette_and_sheet_are_accessible(site: Site, desk: Desk) -> None:
    page = desk.open(site, None, "/login")
    assert violations(page) == []
    page = desk.open(site, site.world.anna_id)
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette")).to_be_visible()
    assert violations(page) == []


def test_each_person_reads_their_language_and_theme(site: Site, desk: Desk) -> None:
    italian = desk.open(site, site.world.anna_id)
    assert italian.locator("html").get_attribute("lang") == "it"
    expect(italian.locator("#views")).to_contain_text("Non assegnate")
    english = desk.open(site, site.world.marco_id)
    assert english.locator("html").get_attribute("lang") == "en"
    expect(english.locator("#views")).to_contain_text("Unassigned")
    english.locator(".me summary").click()
    english.get_by_role("button", name="Dark").click()
    expect(english.locator("html")).to_have_attribute("data-theme", "dark")
    expect(english.locator("body")).to_have_css("background-color", "rgb(23, 21, 18)")


def test_a_phone_shows_one_pane_at_a_time(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id, viewport={"width": 390, "height": 844}, has_touch=True)
    expect(page.locator(".thread-pane")).to_be_hidden()
    page.locator("#cards a.conv").first.tap()
    expect(page.locator("#messages")).to_be_visible()
    expect(page.locator(".list-pane")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    send = page.locator('[data-send="send"]').first.bounding_box()
    assert send is not None
    assert send["y"] + send["height"] <= 844
    page.locator(".back").tap()
    expect(page.locator("#cards .card-item").first).to_be_visible()


@pytest.mark.parametrize("width", [320, 768, 1280, 1920])
def test_no_width_needs_sideways_scrolling(site: Site, desk: Desk, width: int) -> None:
    page = desk.open(site, site.world.anna_id, viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#cards a.conv").first.click()
    expect(page.locator("#messages")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_inbox_is_light_and_asks_no_other_host(site: Site, desk: Desk) -> None:
    page = desk.open(site, None, "/login")
    hosts: set[str] = set()
    sizes: dict[str, int] = {}  # as transferred, compressed

    def weigh(answer: Response) -> None:
        path = answer.url.split("/", 3)[3]
        sizes[path] = int(answer.headers.get("content-length", 0))

    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.on("response", weigh)
    page.context.add_cookies([{"name": "sid", "value": site.token_of(site.world.anna_id), "url": site.url}])
    with page.expect_response("**/inbox/list*"), page.expect_response("**/inbox/counts*"):  # the stream's first look
        page.goto(site.url + "/inbox")
    page.locator("#cards a.conv").first.click()
    expect(page.locator("#messages")).to_be_visible()
    assert hosts == {site.url.split("/")[2]}
    scripts = sum(size for path, size in sizes.items() if path.endswith(".js"))
    thread = next(size for path, size in sizes.items() if re.match(r"c/\d+", path))
    refresh = sum(size for path, size in sizes.items() if re.match(r"inbox/(list|counts)", path))
    first_load = sum(size for path, size in sizes.items() if not re.match(r"c/\d+", path)) - refresh
    assert scripts <= 30 * KILOBYTE
    assert thread <= 6 * KILOBYTE
    assert refresh <= 6 * KILOBYTE
    assert first_load <= 60 * KILOBYTE
    assert page.evaluate("document.querySelectorAll('*').length") <= 1500

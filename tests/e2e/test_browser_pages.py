"""The pages outside the inbox in a real browser: accessible, on a phone too, by keyboard and without JavaScript."""

import pytest
from playwright.sync_api import expect

from inbox.people.first_run import issue_setup_token
from inbox.store.tables import User
from tests.e2e.conftest import Desk, Site
from tests.e2e.test_browser_quality import violations

pytestmark = pytest.mark.browser

PAGES = (
    "/dashboard", "/sources", "/sources/new", "/sources/new/x", "/sources/1", "/sources/1/edit", "/queries",
    "/queries/new", "/account",
)  # fmt: skip


@pytest.mark.parametrize(
    ("theme", "width", "language"), [("light", 1440, "it"), ("dark", 390, "en"), ("dark", 1024, "it")]
)
def test_every_page_is_accessible_and_fits(site: Site, desk: Desk, theme: str, width: int, language: str) -> None:
    with site.house.store.write() as session:
        session.get_one(User, site.world.anna_id).language = language
    page = desk.open(site, site.world.anna_id, color_scheme=theme, viewport={"width": width, "height": 844})
    for path in PAGES:
        answer = page.goto(site.url + path)
        assert answer is not None
        assert answer.status == 200, path
        expect(page.locator("h1").first).to_be_visible()
        assert violations(page) == [], path
        assert page.evaluate("document.querySelector('#main').scrollWidth") <= width, path
        assert page.locator("h1").count() == 1, path


def test_a_query_is_previewed_beside_the_form(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id, "/queries/new")
    page.get_by_label("Nome", exact=True).fill("marca")
    page.get_by_label("Una di queste parole", exact=True).fill("Borbotto")
    page.get_by_role("button", name="Anteprima").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#preview .facts")).to_be_visible()
    expect(page.get_by_label("Una di queste parole", exact=True)).to_have_value("Borbotto")
    assert page.url.endswith("/queries/new")
    assert violations(page) == []


def test_the_first_set_up_by_keyboard(site: Site, desk: Desk) -> None:
    with site.house.store.write() as session:
        for user in session.query(User):
            user.is_active = False
        token = issue_setup_token(session, now=site.house.clock())
    page = desk.open(site, None, f"/setup?token={token}")
    assert "token" not in page.url
    assert violations(page) == []
    page.get_by_role("button", name="Italiano").press("Enter")
    expect(page.locator("h1")).to_have_text("Il tuo account")
    page.wait_for_load_state()  # the meter begins with the scripts
    page.get_by_label("Nome").fill("Ada")
    page.get_by_label("E-mail").fill("ada@example.org")
    page.locator("[name=password]").fill("corta")
    expect(page.locator("#passphrase-meter [role=status]")).to_have_text("troppo corta")
    page.locator("[name=password]").fill("quattro gatti sul tetto verde")
    expect(page.locator("#passphrase-meter [role=status]")).to_have_text("forte")
    assert violations(page) == []
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("La tua marca")
    for heading in ("Prima fonte", "Orari"):
        assert violations(page) == []
        page.get_by_role("button", name="Salta questo passo").click()
        expect(page.locator("h1")).to_have_text(heading)
    assert violations(page) == []


def test_without_javascript_the_forms_still_work(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id, "/queries/new", java_script_enabled=False)
    page.locator("[name=query_name]").fill("marca")
    page.locator("[name=any_of]").fill("Borbotto")
    page.get_by_role("button", name="Anteprima").click()
    expect(page.locator("#preview .facts")).to_be_visible()
    expect(page.locator("[name=any_of]")).to_have_value("Borbotto")
    page.goto(site.url + "/account")
    page.locator("#f-theme").select_option("dark")
    page.get_by_role("button", name="Salva").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")

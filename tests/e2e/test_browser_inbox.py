"""The inbox in a real browser: by keyboard, live, with two people at once."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, Route, expect

from connectors.fake import FakeNetwork
from inbox.store.tables import Conversation, Identity, Reply, ReplyLease
from inbox.store.types import ConversationState, ReplyState
from tests.e2e.conftest import Desk, Site, wait_live
from tests.web_factory import PASSWORD

pytestmark = pytest.mark.browser


def open_first(page: Page) -> int:
    """Open the first conversation by keyboard and give its id."""
    page.wait_for_load_state()  # keys pressed before the scripts have come are lost
    page.keyboard.press("j")
    page.keyboard.press("o")
    expect(page.locator("#thread-name")).to_be_focused()
    return int(page.url.split("/inbox/")[1].split("?")[0])


def test_sign_in_and_out(site: Site, desk: Desk) -> None:
    page = desk.open(site, None, "/inbox")
    assert page.url.startswith(f"{site.url}/login?next=%2Finbox")
    page.get_by_label("E-mail").fill("anna@example.org")
    page.get_by_label("Password").fill("wrong-password")
    page.get_by_role("button", name="Accedi").click()
    expect(page.get_by_role("alert")).to_contain_text("E-mail o password sbagliata")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Accedi").click()
    expect(page.locator("#cards .card-item").first).to_be_visible()
    page.locator(".me summary").click()
    page.get_by_role("button", name="Esci").click()
    expect(page.get_by_role("heading", name="Accedi")).to_be_visible()


def test_triage_and_answer_by_keyboard_alone(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    conversation_id = open_first(page)
    page.keyboard.press("r")
    expect(page.locator("#reply-text")).to_be_focused()
    page.keyboard.type("Ci scusiamo Giulia, ti scriviamo subito. https://example.org/ordine")
    expect(page.locator("#reply-count")).to_have_text("64 su 280")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".message.is-queued")).to_contain_text("Ci scusiamo Giulia")
    site.publish_due()
    expect(page.locator(".message.is-sent")).to_contain_text("Ci scusiamo Giulia")
    with site.house.store.read() as session:
        reply = session.query(Reply).filter_by(conversation_id=conversation_id).one()
        assert reply.state is ReplyState.SENT
    standing = [post for post in site.world.network.standing() if "Ci scusiamo Giulia" in post.text]
    assert len(standing) == 1
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(page.locator("#thread-head")).to_contain_text("risolta")
    expect(page.locator("#toasts")).to_contain_text("Risolta.")
    page.keyboard.press("z")
    expect(page.locator("#thread-head")).to_contain_text("aperta")


def test_resolve_and_open_the_next(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    first = open_first(page)
    page.keyboard.press("Shift+E")
    expect(page).not_to_have_url(f"{site.url}/inbox/{first}")
    expect(page.locator("#thread-head")).to_contain_text("aperta")
    with site.house.store.read() as session:
        assert session.get_one(Conversation, first).state is ConversationState.RESOLVED


def test_undo_gives_the_words_back(practice_site: Site, desk: Desk) -> None:
    page = desk.open(practice_site, practice_site.world.anna_id)
    open_first(page)
    page.keyboard.press("r")
    page.keyboard.type("Troppo in fretta")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".message.is-queued")).to_contain_text("Parte tra")
    page.locator("#messages").focus()
    page.keyboard.press("z")
    expect(page.locator("#reply-text")).to_have_value("Troppo in fretta")
    expect(page.locator(".message.is-queued")).to_have_count(0)


def test_one_key_corrects_the_machine(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    open_first(page)
    page.keyboard.press("2")
    expect(page.locator("#messages")).to_contain_text("Neutro · di una persona")


def test_snooze_label_note_and_assign(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    open_first(page)
    page.keyboard.press("l")
    page.keyboard.type("rimborso")
    page.keyboard.press("Enter")
    expect(page.locator("#context .labels")).to_contain_text("rimborso")
    page.locator("#messages").focus()
    page.keyboard.press("n")
    page.keyboard.type("Da sentire il magazzino")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".message.is-note").last).to_contain_text("Da sentire il magazzino")
    page.locator("#assignee").select_option(label="Marco Serra")
    expect(page.locator("#toasts")).to_contain_text("Assegnata a Marco Serra.")
    page.locator("#messages").focus()
    page.keyboard.press("h")
    page.get_by_role("button", name="Domani alle 9:00").click()
    expect(page.locator("#thread-head")).to_contain_text("rimandata")


def new_conversation(site: Site, words: str) -> int:
    """Store one that has just arrived, and tell the browsers."""
    now = site.house.clock()
    with site.house.store.write() as session:
        who = Identity(
            brand_id=site.world.brand_id, network="mastodon", external_id=words, handle="nuova",
            display_name="Nuova Voce", first_seen_at=now, last_seen_at=now,
        )  # fmt: skip
        session.add(who)
        session.flush()
        conversation = Conversation(
            brand_id=site.world.brand_id, network="mastodon", thread_key=words, author_id=who.id, preview=words,
            last_activity_at=now, created_at=now, sla_due_at=now - timedelta(hours=2), sla_started_at=now,
        )  # fmt: skip
        conversation.sla_state = "active"  # type: ignore[assignment] - as the database would give it
        session.add(conversation)
        session.flush()
        conversation_id = conversation.id
    site.house.bus.publish("conversation", {"id": conversation_id})
    site.house.bus.publish("counts")
    return conversation_id


def test_a_new_post_appears_without_reload(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    expect(page.locator('#views [data-view="all"] .badge')).to_have_text("24")
    wait_live(page)
    page.evaluate("window.unloaded = false")
    arrived = new_conversation(site, "È arrivata adesso, appena scritta")
    expect(page.locator(f"#card-{arrived}")).to_contain_text("È arrivata adesso")
    expect(page.locator("#cards .card-item").first).to_contain_text("È arrivata adesso")
    expect(page.locator('#views [data-view="all"] .badge')).to_have_text("25")
    assert page.evaluate("window.unloaded") is False


def test_nothing_moves_under_the_cursor(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    wait_live(page)
    page.keyboard.press("j")
    first = page.locator("#cards .card-item").first.get_attribute("id")
    arrived = new_conversation(site, "Non spostare nulla")
    expect(page.locator("#new-pill")).to_have_text("1 in più")
    assert page.locator("#cards .card-item").first.get_attribute("id") == first
    page.locator("#new-pill").click()
    expect(page.locator("#cards .card-item").first).to_have_attribute("id", f"card-{arrived}")


def test_a_stale_answer_is_refused_and_its_words_kept(site: Site, desk: Desk) -> None:
    anna = desk.open(site, site.world.anna_id)
    conversation_id = open_first(anna)
    marco = desk.open(site, site.world.marco_id, f"/inbox/{conversation_id}", locale="en-GB")
    anna.keyboard.press("r")
    anna.keyboard.type("Arrivo tardi")
    expect(marco.locator("#lease")).to_contain_text("Anna Bianchi is replying")
    expect(marco.locator("#reply-text")).to_have_attribute("readonly", "")
    marco.get_by_role("button", name="Take over").click()
    with marco.expect_response("**/lease"):  # the other order is the next test's
        marco.locator("#reply-text").fill("I was faster")
    marco.locator("#reply-text").press("Control+Enter")
    expect(marco.locator(".message.is-queued")).to_contain_text("I was faster")
    expect(anna.locator(".message.is-queued")).to_contain_text("I was faster")
    expect(anna.locator("#reply-text")).not_to_have_attribute("readonly", "")
    anna.locator("#reply-text").press("Control+Enter")
    expect(anna.get_by_role("alert")).to_be_visible()
    expect(anna.locator("#reply-text")).to_have_value("Arrivo tardi")
    with site.house.store.read() as session:
        assert [reply.text for reply in session.query(Reply).filter_by(conversation_id=conversation_id)] == [
            "I was faster"
        ]


def test_an_answer_ends_the_lease_even_when_its_last_renewal_comes_late(site: Site, desk: Desk) -> None:
    anna = desk.open(site, site.world.anna_id)
    conversation_id = open_first(anna)
    marco = desk.open(site, site.world.marco_id, f"/inbox/{conversation_id}", locale="en-GB")
    held: list[Route] = []
    marco.route("**/lease", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks the handler, and a built-in cannot be marked
    marco.locator("#reply-text").fill("Quick answer")
    marco.locator("#reply-text").press("Control+Enter")
    expect(marco.locator(".message.is-queued")).to_contain_text("Quick answer")
    assert len(held) == 1
    with marco.expect_response("**/lease/release"):
        held[0].continue_()
    anna.reload()
    expect(anna.locator("#reply-text")).to_be_editable()
    with site.house.store.read() as session:
        assert session.get(ReplyLease, conversation_id) is None


def test_a_double_click_sends_once(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    conversation_id = open_first(page)
    page.locator("#reply-text").fill("Una volta sola")
    page.locator('[data-send="send"]').first.dblclick()
    expect(page.locator(".message.is-queued")).to_have_count(1)
    with site.house.store.read() as session:
        assert session.query(Reply).filter_by(conversation_id=conversation_id).count() == 1


def test_search_filters_and_back(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    page.keyboard.press("/")
    page.keyboard.type("scintille")
    page.keyboard.press("Enter")
    expect(page.locator("#cards .card-item").first).to_contain_text("scintille")
    expect(page.locator(".filter-chips")).to_contain_text("“scintille”")
    open_first(page)
    page.go_back()
    expect(page.locator(".overview")).to_be_visible()
    page.locator(".filter-chips a", has_text="Togli i filtri").click()
    expect(page.locator("#cards .card-item")).to_have_count(24)


def test_palette_finds_commands(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    page.keyboard.press("Control+k")
    page.keyboard.type("non asseg")
    expect(page.locator("#palette-list [aria-selected=true]")).to_contain_text("Non assegnate")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.url}/inbox?view=unassigned")


def test_shortcuts_can_be_switched_off(site: Site, desk: Desk) -> None:
    from inbox.store.tables import User

    with site.house.store.write() as session:
        session.get_one(User, site.world.anna_id).has_shortcuts = False
    page = desk.open(site, site.world.anna_id)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.keyboard.press("j")
    page.keyboard.press("o")
    page.keyboard.press("Control+k")  # not one key alone: this one stays, and shows that the others were heard
    expect(page.locator("#palette")).to_be_visible()
    expect(page.locator(".overview")).to_be_visible()
    assert not [url for url in asked if "/c/" in url]


def test_reading_and_deciding_work_without_javascript(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.marco_id, java_script_enabled=False, locale="en-GB")
    page.locator("#cards a.conv").first.click()
    expect(page.locator("#messages")).to_contain_text("Terza volta")
    page.get_by_role("button", name="Resolve", exact=True).click()
    expect(page.locator("#thread-head")).to_contain_text("resolved")


def test_the_fake_network_is_the_seeded_one(site: Site) -> None:
    assert isinstance(site.world.network, FakeNetwork)

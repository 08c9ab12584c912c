"""A slow line: answers that come late, in another order, or not at all, change nothing that a newer one said."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, Route, expect

from inbox.store.tables import Conversation
from inbox.store.types import ConversationState
from tests.e2e.conftest import Desk, Site, wait_live
from tests.e2e.test_browser_inbox import new_conversation, open_first

pytestmark = pytest.mark.browser

# Notes on the page itself which of htmx's requests have run their course, shown or not.
NOTE_ENDINGS = """document.addEventListener("htmx:finally:request", (event) => {
  const ended = document.documentElement.dataset.ended ?? "";
  document.documentElement.dataset.ended = `${ended} ${event.detail.ctx.request.action}`;
})"""


@contextmanager
def held(
    page: Page, pattern: str | re.Pattern[str], *, is_answered: bool = False, most: int = 100
) -> Iterator[list[Callable[[], None]]]:
    """Keep requests on the line; what is given lets each go. `is_answered`: with the answer of that moment."""
    waiting: list[Callable[[], None]] = []

    def keep(route: Route) -> None:
        if len(waiting) >= most:
            route.continue_()
        elif is_answered:
            answer = route.fetch()
            waiting.append(lambda: route.fulfill(response=answer))
        else:
            waiting.append(route.continue_)

    page.route(pattern, keep)
    yield waiting
    page.unroute(pattern)


def wait_held(page: Page, waiting: list[Callable[[], None]], count: int) -> None:
    """Wait until so many requests are on the line."""
    for _ in range(600):
        if len(waiting) >= count:
            return
        page.wait_for_timeout(50)
    raise TimeoutError(f"{len(waiting)} of {count} requests were made")


def expect_ended(page: Page, pattern: str) -> None:
    expect(page.locator("html")).to_have_attribute("data-ended", re.compile(pattern))


def card(page: Page, number: int) -> tuple[int, str]:
    """Give the id and the author of a card."""
    item = page.locator("#cards .card-item").nth(number)
    return int(item.get_attribute("data-id") or 0), item.locator(".conv-name").text_content() or "?"


def open_card(page: Page, conversation_id: int) -> None:
    page.locator(f"#card-{conversation_id} a.conv").click()


def test_a_late_refresh_shows_nothing_of_another_conversation(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    wait_live(page)
    page.evaluate(NOTE_ENDINGS)
    (second, name) = card(page, 1)
    first = open_first(page)
    with held(page, "**/c/*/live*") as waiting:  # the second's too: it would mend what the first's broke
        site.house.bus.publish("conversation", {"id": first})
        wait_held(page, waiting, 1)
        open_card(page, second)
        expect(page.locator("#thread-name")).to_have_text(name)
        waiting[0]()
        expect_ended(page, f"/c/{first}/live")
        expect(page.locator("#thread-name")).to_have_text(name)
        expect(page.locator("#thread-head form").first).to_have_attribute("action", re.compile(f"/c/{second}/"))
        for release in waiting[1:]:
            release()


def test_of_two_conversations_asked_for_the_last_stays(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    page.evaluate(NOTE_ENDINGS)
    (first, _), (second, name) = card(page, 0), card(page, 1)
    with held(page, f"**/c/{first}") as waiting:
        open_card(page, first)
        wait_held(page, waiting, 1)
        open_card(page, second)
        expect(page.locator("#thread-name")).to_have_text(name)
        waiting[0]()
        expect_ended(page, rf"/c/{first}( |$)")
    expect(page.locator("#thread-name")).to_have_text(name)
    expect(page).to_have_url(f"{site.url}/inbox/{second}")
    expect(page.locator("#cards a[aria-current]")).to_have_attribute("href", f"/inbox/{second}")


def test_going_back_waits_for_no_refresh(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    wait_live(page)
    (first, name), (second, other) = card(page, 0), card(page, 1)
    open_card(page, first)
    expect(page.locator("#thread-name")).to_have_text(name)
    open_card(page, second)
    expect(page.locator("#thread-name")).to_have_text(other)
    with held(page, re.compile(rf"/c/{second}/live|/inbox/counts")) as waiting:
        for _ in range(2):  # one on the line, one waiting for it
            site.house.bus.publish("conversation", {"id": second})
            site.house.bus.publish("counts")
            wait_held(page, waiting, 1)
            page.wait_for_timeout(2000)  # longer than the pause the page makes before it asks anew
        page.go_back()
        expect(page.locator("#thread-name")).to_have_text(name)
        for release in waiting:
            release()
    expect(page.locator("#thread-name")).to_have_text(name)


def test_a_list_that_comes_late_takes_no_newer_card_away(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    wait_live(page)
    with held(page, "**/inbox/list*", is_answered=True, most=1) as waiting:
        site.house.bus.publish("conversation", {"id": 1})
        wait_held(page, waiting, 1)
        arrived = new_conversation(site, "Appena scritta")
        expect(page.locator(f"#card-{arrived}")).to_be_visible()
        with page.expect_event("requestfinished", lambda request: "/inbox/list" in request.url):
            waiting[0]()
    page.evaluate("fetch('/healthz').then((answer) => answer.text())")  # the page has read the list by now
    expect(page.locator(f"#card-{arrived}")).to_be_visible()


def test_an_action_answered_after_moving_on_leaves_the_open_conversation(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    second = site.world.conversation_ids[5]  # on a network where we may answer
    name = page.locator(f"#card-{second} .conv-name").text_content() or "?"
    first = open_first(page)
    with held(page, f"**/c/{first}/resolve") as waiting:
        page.keyboard.press("e")
        wait_held(page, waiting, 1)
        open_card(page, second)
        expect(page.locator("#thread-name")).to_have_text(name)
        page.keyboard.press("r")
        page.keyboard.type("Per l'altra")
        waiting[0]()
    expect(page.locator("#toasts")).to_contain_text("Risolta.")
    expect(page.locator("#thread-name")).to_have_text(name)
    expect(page.locator("#reply-text")).to_be_focused()
    expect(page.locator("#reply-text")).to_have_value("Per l'altra")
    expect(page.locator("#reply-form")).to_have_attribute("data-conversation", str(second))
    with site.house.store.read() as session:
        assert session.get_one(Conversation, first).state is ConversationState.RESOLVED


def test_a_refresh_asked_before_a_step_does_not_take_it_back(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    wait_live(page)
    page.evaluate(NOTE_ENDINGS)
    first = open_first(page)
    with held(page, f"**/c/{first}/live*", is_answered=True) as waiting:
        site.house.bus.publish("conversation", {"id": first})
        wait_held(page, waiting, 1)
        page.keyboard.press("e")
        expect(page.locator("#thread-head")).to_contain_text("risolta")
        waiting[0]()
        expect_ended(page, f"/c/{first}/live")
        expect(page.locator("#thread-head")).to_contain_text("risolta")
        wait_held(page, waiting, 2)  # asked anew
        waiting[1]()


def test_a_note_being_written_survives_the_answer_to_a_step(site: Site, desk: Desk) -> None:
    page = desk.open(site, site.world.anna_id)
    first = open_first(page)
    with held(page, f"**/c/{first}/assign") as waiting:
        page.locator("#assignee").select_option(label="Marco Serra")
        wait_held(page, waiting, 1)
        page.locator("#messages").focus()
        page.keyboard.press("n")
        page.keyboard.type("Sentire il magaz")
        waiting[0]()
    expect(page.locator("#toasts")).to_contain_text("Assegnata a Marco Serra.")
    expect(page.locator("#note-text")).to_be_focused()
    page.keyboard.type("zino")
    expect(page.locator("#note-text")).to_have_value("Sentire il magazzino")


def test_a_step_that_failed_opens_no_other_conversation(site: Site, desk: Desk) -> None:
    desk.may_lose_connection = True
    page = desk.open(site, site.world.anna_id)
    first = open_first(page)
    page.route("**/resolve", lambda route: route.abort())
    page.keyboard.press("Shift+E")
    expect(page.locator("#toasts")).to_contain_text("Il server non ha risposto")
    page.unroute("**/resolve")
    page.keyboard.press("e")
    expect(page.locator("#thread-head")).to_contain_text("risolta")
    expect(page).to_have_url(f"{site.url}/inbox/{first}")
    expect(page.locator("#thread-name")).to_be_visible()


def test_a_stream_refused_at_first_is_tried_again(site: Site, desk: Desk) -> None:
    desk.may_lose_connection = True
    page = desk.open(site, None, "/login")
    page.context.add_cookies([{"name": "sid", "value": site.token_of(site.world.anna_id), "url": site.url}])
    tried: list[str] = []
    is_back: list[bool] = []  # the line comes back only once the bar was seen

    def refuse_at_first(route: Route) -> None:
        tried.append(route.request.url)
        if is_back:
            route.continue_()
        else:
            route.abort() if len(tried) == 1 else route.fulfill(status=502, body="Bad gateway")

    page.route("**/events", refuse_at_first)
    page.goto(site.url + "/inbox")
    expect(page.locator("#offline")).to_contain_text("Connessione persa")
    is_back.append(True)
    wait_live(page)
    expect(page.locator("#offline")).to_be_hidden()
    arrived = new_conversation(site, "Ora si sente")
    expect(page.locator(f"#card-{arrived}")).to_be_visible()
    assert len(tried) >= 2

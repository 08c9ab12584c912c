"""Labels in a real browser: why the machine chose them, and corrections of every task by keyboard."""

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from inbox.store.tables import Correction, Post, PostTags
from tests.e2e.conftest import Desk, Site

pytestmark = pytest.mark.browser


def open_post(site: Site, desk: Desk) -> tuple[Page, int]:
    """Open a conversation whose post weighs on its words; gives the page and the post's id."""
    conversation_id = site.world.conversation_ids[0]
    with site.house.store.write() as session:
        posts = sa.select(Post.id).where(Post.conversation_id == conversation_id, Post.is_own.is_(False))
        post_ids = session.scalars(posts.order_by(Post.created_at)).all()
        words = {"text": "Che schifo <b>davvero</b>, servizio pessimo e nessuno risponde"}
        session.execute(sa.update(Post).where(Post.id.in_(post_ids)).values(**words))
        session.execute(sa.update(PostTags).where(PostTags.post_id.in_(post_ids)).values(tagger="older.v0"))
    page = desk.open(site, site.world.anna_id, f"/inbox/{conversation_id}")
    expect(page.locator("#thread-name")).to_be_focused()
    post_id = page.locator("#messages [data-post]:not(.is-ours)", has=page.locator(".label-menu")).last
    return page, int(post_id.get_attribute("data-post") or 0)


def corrections(site: Site) -> dict[str, list[str]]:
    with site.house.store.read() as session:
        return {found.task: found.value for found in session.scalars(sa.select(Correction))}


def test_w_shows_which_words_weighed(site: Site, desk: Desk) -> None:
    page, post_id = open_post(site, desk)
    page.keyboard.press("w")
    panel = page.locator(f"#labels-{post_id}")
    expect(panel.locator('.label-body[data-task="sentiment"]')).to_be_visible()
    expect(panel.locator("mark").first).to_be_visible()
    expect(panel.locator(".why-text")).to_contain_text("<b>davvero</b>")
    expect(panel.get_by_role("button", name="Negativo")).to_be_focused()
    box = panel.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 900
    panel.get_by_role("link", name="Intento").click()
    expect(panel.locator('.label-body[data-task="intents"]')).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    page.keyboard.press("w")
    expect(panel.locator('.label-body[data-task="sentiment"]')).to_be_visible()


@pytest.mark.parametrize(
    ("key", "task", "name", "value", "shown"),
    [
        ("5", "emotion", "rabbia", "anger", "rabbia · di una persona"),
        ("6", "urgency", "serve subito", "3", "serve subito · di una persona"),
        ("7", "toxicity", "tossico", "toxic", "tossico · di una persona"),
    ],
)
def test_one_key_opens_each_task_and_enter_corrects_it(
    site: Site, desk: Desk, key: str, task: str, name: str, value: str, shown: str
) -> None:
    page, post_id = open_post(site, desk)
    page.keyboard.press(key)
    panel = page.locator(f"#labels-{post_id}")
    expect(panel.locator(f'.label-body[data-task="{task}"]')).to_be_visible()
    panel.get_by_role("button", name=name).focus()
    page.keyboard.press("Enter")
    page.locator("#toasts [data-undo]").hover()  # a message under the cursor stays: its ten seconds may be too few here
    expect(page.locator(f"#post-{post_id}")).to_contain_text(shown)
    assert corrections(site) == {task: [value]}
    page.locator("#messages").focus()
    page.keyboard.press("z")
    expect(page.locator("#toasts")).to_contain_text("Vale di nuovo l’etichetta della macchina.")
    expect(page.locator(f"#post-{post_id}")).not_to_contain_text(shown)
    assert corrections(site) == {}


def test_a_correction_is_taken_back_in_its_panel(site: Site, desk: Desk) -> None:
    page, post_id = open_post(site, desk)
    page.keyboard.press("3")
    expect(page.locator(f"#post-{post_id}")).to_contain_text("Positivo · di una persona")
    page.locator("#messages").focus()
    page.keyboard.press("w")
    panel = page.locator(f"#labels-{post_id}")
    expect(panel.locator(".label-body")).to_be_visible()
    panel.get_by_role("button", name="Ritira la correzione").click()
    expect(page.locator(f"#post-{post_id}")).not_to_contain_text("di una persona")
    assert corrections(site) == {}


def test_the_panel_fits_a_phone(site: Site, desk: Desk) -> None:
    page, post_id = open_post(site, desk)
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator(f"#post-{post_id} .label-menu > summary").click()
    panel = page.locator(f"#labels-{post_id}")
    expect(panel.locator(".label-body")).to_be_visible()
    box = panel.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390

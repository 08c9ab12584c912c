"""The labels of a post over HTTP: why the machine chose them, corrections and the way back, hostile text."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from ascolto.web.app import create_app
from ascolto.web.conversations.labels import SHOWN_CHARACTERS, mark
from inbox.people.users import start_sign_in
from inbox.store.engine import Store
from inbox.store.tables import Conversation, Correction, Post, PostTags, User
from nlp.base import Tags
from nlp.why import Reason
from tests.conftest import FakeClock
from tests.web_factory import make_house, seed_world

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
HOSTILE = '<script>alert(1)</script> <img src=x onerror="alert(2)"> vergogna & "pessimo" </mark></form>'


class Desk:
    """A signed-in browser before one conversation."""

    def __init__(self, client: TestClient, store: Store, conversation_id: int) -> None:
        self.client, self.store, self.conversation_id = client, store, conversation_id
        with store.read() as session:
            posts = sa.select(Post.id).where(Post.conversation_id == conversation_id).order_by(Post.id)
            self.post_id = session.scalars(posts).first() or 0

    def why(self, task: str = "sentiment", *, status: int = 200) -> str:
        answer = self.client.get(f"/posts/{self.post_id}/why?task={task}", headers=HTMX)
        assert answer.status_code == status, answer.text[:500]
        return answer.text

    def post(self, path: str, *, status: int = 200, **fields: str | list[str]) -> str:
        answer = self.client.post(f"/p/{self.post_id}/{path}", data=fields, headers=HTMX)
        assert answer.status_code == status, answer.text[:500]
        return answer.text

    def corrections(self) -> dict[str, list[str]]:
        with self.store.read() as session:
            return {found.task: found.value for found in session.scalars(sa.select(Correction))}


def sit_down(store: Store, folder: Path, clock: FakeClock, person: str = "anna@example.org") -> Iterator[Desk]:
    world = seed_world(store, clock(), size=4)
    house = make_house(store, folder, clock=clock)
    with store.write() as session:
        user_id = session.scalars(sa.select(User.id).where(User.email == person)).one()
        token = start_sign_in(session, user_id, user_agent="t", now=clock())
    headers = {"Sec-Fetch-Site": "same-origin"}
    with TestClient(create_app(house), headers=headers, cookies={"sid": token}, follow_redirects=False) as client:
        yield Desk(client, store, world.conversation_ids[0])


@pytest.fixture
def desk(sqlite_store: Store, tmp_path: Path, clock: FakeClock) -> Iterator[Desk]:
    yield from sit_down(sqlite_store, tmp_path, clock)


@pytest.mark.parametrize("task", ["sentiment", "intents", "emotion", "urgency", "toxicity", "language"])
def test_every_task_says_its_label_and_offers_the_others(desk: Desk, task: str) -> None:
    page = desk.why(task)
    assert f'data-task="{task}"' in page
    assert 'name="value"' in page
    assert "Letto da embedded.v1" in page


def test_the_words_that_weighed_are_marked_by_the_tagger_of_the_house(desk: Desk) -> None:
    with desk.store.write() as session:
        session.execute(sa.update(Post).where(Post.id == desk.post_id).values(text="Che schifo, servizio pessimo"))
    page = desk.why()
    assert "Perché «Negativo»" in page
    assert '<mark class="mark-' in page
    assert "ragioni di" in page, "the tags are another tagger's than the reasons"


def test_hostile_words_stay_words(desk: Desk) -> None:
    with desk.store.write() as session:
        session.execute(sa.update(Post).where(Post.id == desk.post_id).values(text=HOSTILE, title="<b>x</b>"))
        session.execute(sa.update(PostTags).values(rules=["<i>bomba</i>"], tagger="<u>v</u>"))
    for task in ("sentiment", "intents"):
        page = desk.why(task)
        for tag in ("<script", "<img", "<b>", "<i>", "<u>", "</mark></form>"):
            assert tag not in page
        assert "&lt;i&gt;bomba&lt;/i&gt;" in page


def test_the_thread_shows_feelings_only_where_the_machine_is_sure(desk: Desk) -> None:
    sure = {"emotion_label": "anger", "emotion": {"anger": 0.83}, "toxicity": 0.91, "urgency": 3}
    for is_unsure, shown in ((False, True), (True, False)):
        flags = {"emotion_unsure": is_unsure, "toxicity_unsure": is_unsure, "urgency_unsure": is_unsure}
        with desk.store.write() as session:
            session.execute(sa.update(PostTags).where(PostTags.post_id == desk.post_id).values(**sure, **flags))
        page = desk.client.get(f"/c/{desk.conversation_id}", headers=HTMX).text
        for words in ("rabbia 83", "serve subito", "tossico 91"):
            assert (words in page) is shown, words


def test_a_correction_and_its_undo_lead_back_step_by_step(desk: Desk) -> None:
    page = desk.post("correct", task="emotion", value="joy")
    assert f'action="/p/{desk.post_id}/uncorrect"' in page
    assert "gioia · di una persona" in page
    page = desk.post("correct", task="emotion", value="fear")
    assert f'action="/p/{desk.post_id}/correct"' in page
    assert 'name="value" value="joy"' in page
    assert desk.corrections() == {"emotion": ["fear"]}
    panel = desk.why("emotion")
    assert "La macchina diceva" in panel
    assert "Ritira la correzione" in panel
    page = desk.post("uncorrect", task="emotion")
    assert "Vale di nuovo" in page
    assert 'name="value" value="fear"' in page
    assert desk.corrections() == {}
    desk.post("uncorrect", task="emotion")


def test_taking_back_several_intents_gives_them_all_back(desk: Desk) -> None:
    desk.post("correct", task="intents", value=["question", "suggestion"])
    page = desk.post("correct", task="intents", value=["praise"])
    undo = page.split('id="toasts"')[-1] if 'id="toasts"' in page else page
    assert 'name="value" value="question"' in undo
    assert 'name="value" value="suggestion"' in undo


def test_without_javascript_the_labels_are_a_page_of_their_own(desk: Desk) -> None:
    page = desk.client.get(f"/posts/{desk.post_id}/why?task=urgency").text
    assert "<html" in page
    assert f'action="/p/{desk.post_id}/correct"' in page
    sent = desk.client.post(f"/p/{desk.post_id}/correct", data={"task": "urgency", "value": "2"})
    assert (sent.status_code, sent.headers["location"]) == (303, f"/inbox/{desk.conversation_id}")


def test_what_does_not_exist_is_refused(desk: Desk) -> None:
    desk.why("mood", status=422)
    desk.post("correct", status=422, task="emotion", value="rage")
    desk.post("uncorrect", status=422, task="mood")
    assert desk.client.get("/posts/999999/why", headers=HTMX).status_code == 404
    assert desk.client.get("/posts/0/why", headers=HTMX).status_code == 422


def test_readers_see_why_and_may_not_correct(sqlite_store: Store, tmp_path: Path, clock: FakeClock) -> None:
    for desk in sit_down(sqlite_store, tmp_path, clock, "lettore@example.org"):
        assert "/correct" not in desk.why("emotion")
        desk.post("correct", status=403, task="emotion", value="joy")


def test_a_tagger_that_breaks_leaves_the_labels_readable(desk: Desk) -> None:
    class Broken:
        name = "broken.v1"

        def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:
            raise RuntimeError(f"{len(texts)} {languages}")

    house = desk.client.app.state.house  # type: ignore[attr-defined] - Starlette's application
    object.__setattr__(house, "tagger", Broken())
    page = desk.why()
    assert "Le ragioni non si possono mostrare" in page
    assert 'name="value"' in page


def test_a_deleted_post_gives_no_words_away(desk: Desk, clock: FakeClock) -> None:
    with desk.store.write() as session:
        gone = sa.update(Post).where(Post.id == desk.post_id)
        session.execute(gone.values(deleted_at_source=clock(), text="segreto"))
    assert "segreto" not in desk.why()


def test_cards_carry_what_cannot_wait(desk: Desk) -> None:
    urgent = sa.update(Conversation).where(Conversation.id == desk.conversation_id)
    with desk.store.write() as session:
        session.execute(urgent.values(urgency=3, is_toxic=True, emotion="anger"))
    page = desk.client.get("/inbox/list?urgency=3&toxic=1&emotion=anger", headers=HTMX).text
    assert page.count('class="conv"') == 1
    assert 'aria-label="serve subito"' in page
    assert 'aria-label="tossico"' in page
    chips = desk.client.get("/inbox?urgency=2&emotion=anger&toxic=1").text
    for words in ("Urgenza almeno: serve oggi", "Emozione: rabbia", "Solo tossici"):
        assert words in chips
    for wrong in ("urgency=4", "urgency=x", "emotion=rage", "toxic=2"):
        assert desk.client.get(f"/inbox/list?{wrong}", headers=HTMX).status_code == 422


def test_marks_cut_the_text_without_losing_a_character() -> None:
    text = "Pacco mai arrivato, vergogna!"
    reasons = (Reason("vergogna", 20, 28, 2.0), Reason("mai arrivato", 6, 18, 1.0), Reason("arrivato", 10, 18, 0.5))
    found = mark(text, "complaint", reasons)
    assert "".join(piece.text for piece in found.pieces) == text
    assert [(piece.text, piece.weight) for piece in found.pieces if piece.weight] == [
        ("mai arrivato", 0.5),
        ("vergogna", 1.0),
    ]


def test_a_long_text_is_shown_around_its_first_mark() -> None:
    text = "x " * 3_000 + "pessimo" + " y" * 3_000
    found = mark(text, "negative", (Reason("pessimo", 6_000, 6_007, 1.0),))
    assert found.is_cut_before
    assert found.is_cut_after
    assert len("".join(piece.text for piece in found.pieces)) == SHOWN_CHARACTERS
    assert [piece.text for piece in found.pieces if piece.weight] == ["pessimo"]


@pytest.mark.parametrize("place", [(-1, 3), (5, 5), (6, 3), (0, 10**6)])
def test_marks_outside_the_text_are_left_out(place: tuple[int, int]) -> None:
    found = mark("ciao a tutti", "joy", (Reason("?", *place, 1.0),))
    assert [piece.text for piece in found.pieces] == ["ciao a tutti"]

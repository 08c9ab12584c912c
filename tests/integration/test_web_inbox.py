"""The inbox's pages and actions over HTTP: filters, hostile input, actions, refusals."""

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from ascolto.web.app import create_app
from inbox.people.users import start_sign_in
from inbox.store.engine import Store
from inbox.store.tables import Conversation, Correction, Identity, Note, Post, Reply
from inbox.store.types import ConversationState, ReplyState
from tests.conftest import FakeClock
from tests.web_factory import World, make_house, seed_world

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


class Clerk:
    """A signed-in browser with the house behind it."""

    def __init__(self, client: TestClient, store: Store, world: World) -> None:
        self.client, self.store, self.world = client, store, world
        self.first = world.conversation_ids[0]
        self.pokes: list[tuple[str, dict[str, int | str]]] = []

    def get(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text[:500]
        return answer.text

    def post(self, path: str, *, status: int = 200, **fields: str | int) -> str:
        answer = self.client.post(path, data={name: str(value) for name, value in fields.items()}, headers=HTMX)
        assert answer.status_code == status, answer.text[:500]
        return answer.text

    def conversation(self, conversation_id: int | None = None) -> Conversation:
        with self.store.read() as session:
            return session.get_one(Conversation, conversation_id or self.first)

    def form(self) -> dict[str, str]:
        """Give the hidden fields of the first conversation's reply form."""
        page = self.get(f"/c/{self.first}")
        form = page.split('id="reply-form"')[1].split("</form>")[0]
        return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form.split("<textarea")[0]))


def seat(store: Store, folder: Path, clock: FakeClock) -> Iterator[Clerk]:
    """Open the house and sit down as Anna."""
    world = seed_world(store, clock(), size=12)
    house = make_house(store, folder, clock=clock)
    with store.write() as session:
        token = start_sign_in(session, world.anna_id, user_agent="t", now=clock())
    headers = {"Sec-Fetch-Site": "same-origin"}
    with TestClient(create_app(house), headers=headers, cookies={"sid": token}, follow_redirects=False) as client:
        opened = Clerk(client, store, world)

        def listen(topic: str, data: Mapping[str, int | str] | None = None) -> None:
            opened.pokes.append((topic, dict(data or {})))

        house.bus.publish = listen  # type: ignore[method-assign] - listens in
        yield opened


@pytest.fixture
def clerk(sqlite_store: Store, tmp_path: Path, clock: FakeClock) -> Iterator[Clerk]:
    """A clerk on SQLite."""
    yield from seat(sqlite_store, tmp_path, clock)


@pytest.fixture
def clerk_on_both(store: Store, tmp_path: Path, clock: FakeClock) -> Iterator[Clerk]:
    """A clerk on each database."""
    yield from seat(store, tmp_path, clock)


VIEWS = ["all", "mine", "unassigned", "risk", "waiting", "snoozed", "resolved", "problems", "spam", ""]


def test_every_view_is_an_address(clerk_on_both: Clerk) -> None:
    for view in VIEWS:
        assert 'id="cards"' in clerk_on_both.get(f"/inbox?view={view}")


NARROWED = [
    ("sentiment=negative&network=x", 1),
    ("sentiment=negative&sentiment=positive", 8),
    ("intent=complaint", 2),
    ("language=fr", 1),
    ("assignee=me", 4),
    ("assignee=none", 4),
    ("audience=50000", 2),
    ("q=scintille", 1),
    ("unsure=1", 1),
    ("unread=1", 6),
    ("since=2026-11-10", 12),
    ("until=2020-01-01", 0),
    ("sort=newest", 12),
    ("network=&sentiment=&q=&since=&assignee=", 12),
    ("unknown=whatever", 12),
]


def test_filters_narrow_the_list(clerk_on_both: Clerk) -> None:
    for query, expected in NARROWED:
        assert clerk_on_both.get(f"/inbox/list?{query}").count('class="conv"') == expected, query


HOSTILE = [
    "\x00",
    "%F0%9F%92%A9",
    "' OR 1=1 --",
    "-1",
    "99999999999999999999",
    "1e9",
    "NaN",
    "٣",
    "../../etc",
    "a" * 5000,
]
PARAMETERS = [
    "view", "sort", "brand", "assignee", "audience", "below", "sla", "since", "until", "network",
    "sentiment", "intent", "language", "label", "unsure", "vip", "unread", "after",
]  # fmt: skip


def test_hostile_filters_are_refused_with_words(clerk_on_both: Clerk) -> None:
    for name, value in itertools.product(PARAMETERS, HOSTILE):
        answer = clerk_on_both.client.get("/inbox/list", params={name: value})
        assert answer.status_code in {200, 422}, (name, value)
        if answer.status_code == 422:
            assert re.search(r"non si capisce|non vale", answer.text), (name, value)


def test_hostile_words_are_only_searched_for(clerk_on_both: Clerk) -> None:
    clerk = clerk_on_both
    for value in ("' OR 1=1 --", "%", "_", '"', "<script>", "NEAR(", "*", "é" * 200):
        assert clerk.client.get("/inbox", params={"q": value}).status_code == 200
    for value in ("a" * 201, "\x00", "\u202e"):
        assert clerk.client.get("/inbox", params={"q": value}).status_code == 422


@pytest.mark.parametrize("path", ["/inbox/0", "/inbox/abc", "/c/99999999999999999999", "/c/-1", "/inbox/1%00"])
def test_hostile_addresses_never_break_us(clerk: Clerk, path: str) -> None:
    assert clerk.client.get(path).status_code in {404, 422}


def test_a_missing_conversation_is_not_found_in_words(clerk: Clerk) -> None:
    answer = clerk.client.get("/inbox/424242")
    assert answer.status_code == 404
    assert "Questa conversazione non esiste." in answer.text


@pytest.mark.parametrize("field", ["assign", "snooze", "label", "unlabel", "spam", "reply", "note", "answered"])
def test_hostile_forms_are_refused_with_words(clerk: Clerk, field: str) -> None:
    names = ("user_id", "until", "label", "label_id", "is_spam", "post_id", "version", "text", "url", "key", "resolves")
    for value in ("", "\x00", "-1", "99999999999999999999", "x" * 300_000, "\ud800".encode("utf-8", "surrogatepass")):
        answer = clerk.client.post(f"/c/{clerk.first}/{field}", data=dict.fromkeys(names, value), headers=HTMX)
        assert answer.status_code in {200, 403, 404, 409, 422}, (field, value[:20])


EVIL = '<script>alert(1)</script><img src=x onerror=alert(2)>"\'><hx-partial hx-target="body">{{7*7}}'


def test_names_and_texts_are_only_text(clerk: Clerk) -> None:
    with clerk.store.write() as session:
        conversation = session.get_one(Conversation, clerk.first)
        conversation.preview = EVIL
        author = session.get_one(Identity, conversation.author_id)
        author.display_name, author.handle, author.url = EVIL, EVIL, "javascript:alert(1)"
        post = session.scalars(sa.select(Post).where(Post.conversation_id == clerk.first).order_by(Post.id)).first()
        assert post is not None
        post.text, post.title, post.url = EVIL + " https://ok.example/<b>", EVIL, "javascript:alert(3)"
        post.media = [{"url": "javascript:alert(4)", "kind": EVIL, "alt_text": EVIL}, "broken"]
        session.add(Note(conversation_id=clerk.first, text=EVIL, created_at=conversation.created_at))
    for path in ("/inbox", f"/inbox/{clerk.first}", f"/c/{clerk.first}", f"/c/{clerk.first}/live"):
        page = clerk.get(path)
        assert "<script>alert" not in page
        assert "<img" not in page
        assert 'href="javascript' not in page
        assert '<hx-partial hx-target="body">' not in page
        assert "{{7*7}}" in page


def test_endless_texts_are_cut(clerk: Clerk) -> None:
    with clerk.store.write() as session:
        session.execute(sa.update(Post).where(Post.conversation_id == clerk.first).values(text="ciao " * 200_000))
    assert len(clerk.get(f"/c/{clerk.first}")) < 700_000


def test_a_list_page_takes_few_statements(clerk: Clerk) -> None:
    clerk.get("/inbox/list")  # the installation's facts are read now and then
    seen: list[str] = []
    sa.event.listen(clerk.store.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    clerk.get("/inbox/list")
    assert len([text for text in seen if text.lstrip().upper().startswith(("SELECT", "WITH"))]) <= 8


def test_more_cards_follow_by_keyset(clerk_on_both: Clerk, clock: FakeClock) -> None:
    clerk = clerk_on_both
    with clerk.store.write() as session:
        for number in range(50):
            session.add(
                Conversation(
                    brand_id=clerk.world.brand_id, network="x", thread_key=f"m{number}", preview="…",
                    last_activity_at=clock(), created_at=clock(),
                )
            )  # fmt: skip
    ids: list[str] = []
    path = "/inbox/list"
    while path:
        page = clerk.get(path)
        ids += re.findall(r'data-id="(\d+)"', page)
        more = re.search(r'hx-get="(/inbox/list[^"]+after=[^"]+)"', page)
        path = more[1].replace("&amp;", "&") if more else ""
    assert len(ids) == len(set(ids)) == 62


def test_triage_by_form(clerk_on_both: Clerk) -> None:
    clerk = clerk_on_both
    base = f"/c/{clerk.first}"
    assert "Assegnata a Marco Serra." in clerk.post(f"{base}/assign", user_id=clerk.world.marco_id)
    assert clerk.conversation().assignee_id == clerk.world.marco_id
    clerk.post(f"{base}/label", label="rimborso")
    assert "rimborso" in clerk.get(base)
    clerk.post(f"{base}/snooze", until="tomorrow")
    snoozed = clerk.conversation()
    assert snoozed.state is ConversationState.SNOOZED
    assert snoozed.snoozed_until is not None
    assert snoozed.snoozed_until.isoformat() == "2026-11-11T08:00:00+00:00"  # nine in Rome
    clerk.post(f"{base}/resolve")
    assert clerk.conversation().state is ConversationState.RESOLVED
    clerk.post(f"{base}/reopen")
    clerk.post(f"{base}/snooze", until="author")
    assert clerk.conversation().state is ConversationState.PENDING
    clerk.post(f"{base}/spam", is_spam=1)
    assert clerk.conversation().is_spam
    assert ("conversation", {"id": clerk.first, "by": clerk.world.anna_id}) in clerk.pokes


def test_without_javascript_actions_lead_back_to_the_page(clerk: Clerk) -> None:
    answer = clerk.client.post(f"/c/{clerk.first}/resolve?view=mine")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/inbox/{clerk.first}?view=mine")


def test_reading_changes_nothing_but_the_post_does(clerk: Clerk) -> None:
    clerk.get(f"/inbox/{clerk.first}")
    assert clerk.conversation().is_unread
    clerk.post(f"/c/{clerk.first}/read", status=204)
    assert not clerk.conversation().is_unread


def test_a_reply_waits_in_the_outbox_and_can_be_taken_back(clerk_on_both: Clerk) -> None:
    clerk = clerk_on_both
    page = clerk.post(f"/c/{clerk.first}/reply", **clerk.form(), text="Ci dispiace molto")
    assert "Ci dispiace molto" in page
    with clerk.store.read() as session:
        reply = session.query(Reply).filter_by(conversation_id=clerk.first, state=ReplyState.QUEUED).one()
    page = clerk.post(f"/r/{reply.id}/undo")
    assert re.search(r"<textarea id=\"reply-text\"[^>]*>\s*Ci dispiace molto</textarea>", page)


def test_a_reply_too_long_keeps_its_words(clerk: Clerk) -> None:
    page = clerk.post(f"/c/{clerk.first}/reply", status=422, **clerk.form(), text="a" * 281)
    assert "troppo lunga: 281 su 280" in page
    assert "a" * 281 in page


def test_a_stale_reply_is_told_what_changed(clerk_on_both: Clerk, clock: FakeClock) -> None:
    clerk = clerk_on_both
    form = clerk.form()
    with clerk.store.write() as session:
        from inbox.triage.conversations import add_note

        add_note(session, clerk.first, text="Ci penso io", by_user_id=clerk.world.marco_id, now=clock())
    page = clerk.post(f"/c/{clerk.first}/reply", status=409, **form, text="Arrivo tardi")
    assert "La conversazione è cambiata mentre scrivevi" in page
    assert "Marco Serra" in page
    assert "Arrivo tardi" in page
    clerk.post(f"/c/{clerk.first}/reply", **clerk.form(), text="Arrivo tardi")


def test_the_same_form_sends_once(clerk_on_both: Clerk) -> None:
    clerk = clerk_on_both
    form = clerk.form()
    for _ in range(3):
        clerk.post(f"/c/{clerk.first}/reply", **form, text="Una volta")
    with clerk.store.read() as session:
        assert session.query(Reply).filter_by(conversation_id=clerk.first, text="Una volta").count() == 1


def test_where_nothing_may_publish_the_answer_is_recorded_by_hand(clerk: Clerk) -> None:
    reddit = clerk.world.conversation_ids[3]
    page = clerk.get(f"/c/{reddit}")
    assert "Nessuna fonte può pubblicare su questa rete" in page
    post_id = re.search(r'name="post_id" value="(\d+)"', page)
    assert post_id is not None
    clerk.post(f"/c/{reddit}/answered", post_id=post_id[1], text="Risposto là", url="https://reddit.example/r/1")
    assert clerk.conversation(reddit).first_reply_at is not None
    assert "registrata a mano" in clerk.get(f"/c/{reddit}")
    clerk.post(f"/c/{reddit}/answered", status=422, post_id=post_id[1], text="x", url="javascript:alert(1)")


def test_an_unknown_reply_is_settled_by_a_person(clerk: Clerk, clock: FakeClock) -> None:
    with clerk.store.write() as session:
        post = session.scalars(sa.select(Post).where(Post.conversation_id == clerk.first)).first()
        assert post is not None
        reply = Reply(
            brand_id=post.brand_id, conversation_id=clerk.first, post_id=post.id, text="Forse", created_at=clock(),
            state=ReplyState.UNKNOWN,
        )  # fmt: skip
        session.add(reply)
        session.flush()
        reply_id = reply.id
    assert "Non si sa ancora se è arrivata" in clerk.get(f"/c/{clerk.first}")
    clerk.post(f"/r/{reply_id}/settle", status=422)
    clerk.post(f"/r/{reply_id}/settle", was_sent=0)
    page = clerk.get(f"/c/{clerk.first}")
    assert "Riprova" in page
    clerk.post(f"/r/{reply_id}/retry")
    with clerk.store.read() as session:
        assert session.get_one(Reply, reply_id).state is ReplyState.QUEUED


def test_a_correction_is_gold_beside_the_machines_word(clerk_on_both: Clerk) -> None:
    clerk = clerk_on_both
    with clerk.store.read() as session:
        post_id = session.scalars(
            sa.select(Post.id).where(Post.conversation_id == clerk.first).order_by(Post.id)
        ).first()
    clerk.post(f"/p/{post_id}/correct", value="positive")
    clerk.post(f"/p/{post_id}/correct", value="neutral")
    with clerk.store.read() as session:
        kept = session.query(Correction).one()
    assert (kept.value, kept.machine_value, kept.tagger) == (["neutral"], ["negative"], "embedded.v1")
    clerk.post(f"/p/{post_id}/correct", status=422, value="furious")


def test_the_lease_says_who_is_writing(clerk: Clerk, clock: FakeClock) -> None:
    from inbox.replies.lease import acquire_lease

    with clerk.store.write() as session:
        acquire_lease(session, clerk.first, user_id=clerk.world.marco_id, now=clock())
    answer = clerk.client.post(f"/c/{clerk.first}/lease")
    assert (answer.status_code, answer.json()) == (409, {"message": "Marco Serra sta rispondendo."})
    assert "Marco Serra sta rispondendo." in clerk.get(f"/c/{clerk.first}")
    clerk.post(f"/c/{clerk.first}/lease/take")
    assert clerk.client.post(f"/c/{clerk.first}/lease").status_code == 204


def test_dry_run_is_plain_on_every_page(store: Store, tmp_path: Path, clock: FakeClock) -> None:
    world = seed_world(store, clock(), size=1, is_demo=True)
    house = make_house(store, tmp_path, clock=clock, publishing="dry_run")
    with store.write() as session:
        token = start_sign_in(session, world.marco_id, user_agent="t", now=clock())
    with TestClient(create_app(house), cookies={"sid": token}) as client:
        for path in ("/inbox", f"/inbox/{world.conversation_ids[0]}", "/nowhere"):
            page = client.get(path).text
            assert "Practice mode." in page
            assert "Demo data." in page

"""The screens of topics over HTTP: what they show, who may name, and hostile words in names and posts."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from ascolto.web.app import create_app
from inbox.people.users import start_sign_in
from inbox.reputation import topics
from inbox.reputation.rollups import due_buckets, mark_dirty, recompute
from inbox.store.engine import Store
from inbox.store.queries.topics import list_topics
from inbox.store.tables import AuditEvent, Post, PostTopic, Topic, User
from inbox.store.types import Role
from tests.conftest import FakeClock
from tests.topics_factory import WordSpace
from tests.web_factory import make_house, seed_world

HOSTILE = "<script>alert(1)</script>\u202e\" onload='x'"


class Desk:
    """A signed-in browser, and a brand whose posts stand in one topic."""

    def __init__(self, client: TestClient, store: Store, brand_id: int, topic_id: int) -> None:
        self.client, self.store, self.brand_id, self.topic_id = client, store, brand_id, topic_id

    def page(self, path: str = "/dashboard/topics", *, status: int = 200) -> str:
        answer = self.client.get(path, headers={"Accept-Language": "it"})
        assert answer.status_code == status, answer.text[:500]
        return answer.text

    def post(self, path: str, *, status: int = 303, **fields: str) -> str:
        answer = self.client.post(f"/dashboard/topics/{self.topic_id}/{path}", data=fields)
        assert answer.status_code == status, answer.text[:500]
        return str(answer.headers.get("location", ""))


def sit_down(store: Store, folder: Path, clock: FakeClock, role: Role) -> Iterator[Desk]:
    world = seed_world(store, clock(), size=12)
    house = make_house(store, folder, clock=clock)
    space = WordSpace()
    with store.write() as session:
        posts = list(session.scalars(sa.select(Post).where(Post.is_own.is_(False)).order_by(Post.id)))[:7]
        for number, post in enumerate(posts):
            post.text = f"rimborso volo cancellato {number} {HOSTILE if number == 0 else ''}"
            post.language, post.created_at = "it", clock() - timedelta(hours=1)
        topics.wait_for_topic(session, [(post.brand_id, post.id, post.created_at) for post in posts])
    with store.write() as session:
        waiting = topics.list_waiting(session, 50)
        topics.place_posts(session, waiting, space.embed([post.text for post in waiting]), space)
        topics.find_topics(session, world.brand_id, space, clock())
        topic_id = list_topics(session, world.brand_id)[0].id
        mark_dirty(session, world.brand_id, [clock() - timedelta(hours=1)], clock())
        recompute(session, due_buckets(session), clock())
        user = session.scalars(sa.select(User).where(User.email == "anna@example.org")).one()
        user.role = role
        token = start_sign_in(session, user.id, user_agent="t", now=clock())
    headers = {"Sec-Fetch-Site": "same-origin"}
    with TestClient(create_app(house), headers=headers, cookies={"sid": token}, follow_redirects=False) as client:
        yield Desk(client, store, world.brand_id, topic_id)


@pytest.fixture
def desk(sqlite_store: Store, tmp_path: Path, clock: FakeClock) -> Iterator[Desk]:
    yield from sit_down(sqlite_store, tmp_path, clock, Role.MANAGER)


@pytest.fixture
def agent(sqlite_store: Store, tmp_path: Path, clock: FakeClock) -> Iterator[Desk]:
    yield from sit_down(sqlite_store, tmp_path, clock, Role.AGENT)


@pytest.mark.parametrize("path", ["/dashboard/topics", "/dashboard", "/dashboard/topics?days=7", "/dashboard?days=90"])
def test_topics_stand_with_counts_and_examples(desk: Desk, path: str) -> None:
    page = desk.page(path)
    assert f'href="/inbox?topic={desk.topic_id}"' in page
    assert "rimborso" in page
    assert "5 post" in page, "the labelled of the seven"


def test_hostile_words_stay_words(desk: Desk) -> None:
    desk.post("name", name=HOSTILE)
    page = desk.page()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;" in page


def test_a_name_is_given_taken_back_and_written_down(desk: Desk) -> None:
    assert desk.post("name?brand=web&days=7", name="Rimborsi lenti") == "/dashboard/topics?brand=web&days=7"
    assert "Rimborsi lenti" in desk.page()
    assert "Rimborsi lenti" in desk.page(f"/inbox?topic={desk.topic_id}"), "the filter says its name"
    desk.post("name", name=" ")
    assert "Rimborsi lenti" not in desk.page()
    with desk.store.read() as session:
        actions = session.scalars(sa.select(AuditEvent.action).where(AuditEvent.entity == "topic")).all()
    assert actions == ["topic.renamed", "topic.renamed"]


def test_a_topic_left_out_can_be_taken_in_again(desk: Desk) -> None:
    desk.post("mute")
    page = desk.page()
    assert f'id="topic-{desk.topic_id}"' not in page
    assert "Lasciati fuori" in page
    desk.post("mute", muted="0")
    assert f'id="topic-{desk.topic_id}"' in desk.page()


def test_agents_read_and_do_not_name(agent: Desk) -> None:
    assert "rimborso" in agent.page()
    assert "/name?" not in agent.page()
    agent.post("name", status=403, name="Mio")


def test_the_inbox_shows_a_topics_conversations_only(desk: Desk) -> None:
    page = desk.page(f"/inbox?topic={desk.topic_id}")
    with desk.store.read() as session:
        query = sa.select(Post.conversation_id).join(PostTopic, PostTopic.post_id == Post.id)
        inside = {one for one in session.scalars(query.where(PostTopic.topic_id == desk.topic_id)) if one}
        outside = {one for one in session.scalars(sa.select(Post.conversation_id)) if one} - inside
    assert any(f'id="card-{one}"' in page for one in inside)
    assert not any(f'id="card-{one}"' in page for one in outside)


@pytest.mark.parametrize("value", ["abc", "-1", "9" * 30])
def test_a_topic_that_is_no_number_is_refused(desk: Desk, value: str) -> None:
    assert desk.client.get(f"/inbox?topic={value}").status_code == 422


def test_no_topic_and_no_space_are_said(desk: Desk) -> None:
    with desk.store.write() as session:
        session.execute(sa.delete(PostTopic))
        session.execute(sa.delete(Topic))
    assert "Ancora nessun tema" in desk.page()
    desk.post("name", status=404, name="x")

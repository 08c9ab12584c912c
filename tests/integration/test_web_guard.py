"""The door and the walls: headers, writes from other sites, sign-in, roles."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from ascolto.web.app import create_app
from ascolto.web.screens.sign_in import safe_path
from inbox.people.users import start_sign_in
from inbox.store.engine import Store
from inbox.store.tables import SignIn, User
from nlp.pipeline import DEFAULT_MODEL
from tests.conftest import FakeClock
from tests.web_factory import PASSWORD, World, make_house, seed_world

OURS = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def world(sqlite_store: Store, clock: FakeClock) -> World:
    return seed_world(sqlite_store, clock(), size=6)


@pytest.fixture
def app(sqlite_store: Store, tmp_path: Path, clock: FakeClock, world: World) -> FastAPI:
    return create_app(make_house(sqlite_store, tmp_path, clock=clock))


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, follow_redirects=False, headers=OURS) as opened:
        yield opened


def enter(client: TestClient, store: Store, user_id: int, clock: FakeClock) -> None:
    """Sign somebody in."""
    with store.write() as session:
        client.cookies.set("sid", start_sign_in(session, user_id, user_agent="t", now=clock()))


def test_every_answer_carries_the_headers(client: TestClient) -> None:
    for path in ("/login", "/nowhere", "/healthz", "/inbox", "/static/x/app.css"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("headers", "is_allowed"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, False),
        ({"Origin": "http://testserver"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
def test_writes_come_from_our_own_pages_only(app: FastAPI, headers: dict[str, str], is_allowed: bool) -> None:  # noqa: FBT001 - a parameter of the table
    with TestClient(app, follow_redirects=False) as bare:
        answer = bare.post("/preferences", data={"language": "it"}, headers=headers)
    assert (answer.status_code == 303) is is_allowed
    assert (answer.status_code == 403) is not is_allowed


def test_templates_hold_nothing_inline(client: TestClient, sqlite_store: Store, world: World, clock: FakeClock) -> None:
    enter(client, sqlite_store, world.anna_id, clock)
    for path in ("/inbox", f"/inbox/{world.conversation_ids[0]}"):
        page = client.get(path).text
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|hx-on|javascript:", page)


def test_sign_in_sets_a_guarded_cookie(client: TestClient, world: World) -> None:
    answer = client.post(
        "/login", data={"email": "ANNA@example.org ", "password": PASSWORD, "next": "/inbox?view=mine"}
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == "/inbox?view=mine"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert client.get("/inbox").status_code == 200


def test_behind_https_the_cookie_is_host_bound(
    sqlite_store: Store, tmp_path: Path, clock: FakeClock, world: World
) -> None:
    house = make_house(sqlite_store, tmp_path, clock=clock, base_url="https://ascolto.example")
    with TestClient(
        create_app(house), base_url="https://ascolto.example", follow_redirects=False, headers=OURS
    ) as secure:
        answer = secure.post("/login", data={"email": "anna@example.org", "password": PASSWORD})
        assert answer.headers["set-cookie"].startswith("__Host-sid=")
        assert "Secure" in answer.headers["set-cookie"]
        assert "Domain" not in answer.headers["set-cookie"]
        assert "max-age" in answer.headers["strict-transport-security"]


def test_the_token_is_stored_as_a_digest_only(client: TestClient, sqlite_store: Store, world: World) -> None:
    client.post("/login", data={"email": "anna@example.org", "password": PASSWORD})
    with sqlite_store.read() as session:
        kept = session.query(SignIn).one()
    assert client.cookies["sid"] not in kept.token_digest
    assert len(kept.token_digest) == 64


def test_guessing_is_slowed_down(client: TestClient, world: World, clock: FakeClock) -> None:
    for _ in range(5):
        assert client.post("/login", data={"email": "anna@example.org", "password": "wrong"}).status_code == 422
    answer = client.post("/login", data={"email": "anna@example.org", "password": PASSWORD})
    assert answer.status_code == 429
    clock.advance(timedelta(minutes=16))
    assert client.post("/login", data={"email": "anna@example.org", "password": PASSWORD}).status_code == 303


def test_unknown_and_known_people_get_the_same_refusal(client: TestClient, world: World) -> None:
    known = client.post("/login", data={"email": "anna@example.org", "password": "wrong"})
    unknown = client.post("/login", data={"email": "nobody@example.org", "password": "wrong"})
    strip = re.compile(r"(anna|nobody)@example.org")
    assert strip.sub("", known.text) == strip.sub("", unknown.text)


def test_sign_in_ends_when_unused_and_in_any_case(
    client: TestClient, sqlite_store: Store, world: World, clock: FakeClock
) -> None:
    enter(client, sqlite_store, world.anna_id, clock)
    clock.advance(timedelta(hours=11))
    assert client.get("/inbox").status_code == 200
    clock.advance(timedelta(hours=11))
    assert client.get("/inbox").status_code == 200
    clock.advance(timedelta(hours=13))
    assert client.get("/inbox").status_code == 303
    enter(client, sqlite_store, world.anna_id, clock)
    for _ in range(67):
        clock.advance(timedelta(hours=11))
        status = client.get("/inbox").status_code
    assert status == 303


def test_signing_out_and_switching_off_close_the_door(
    client: TestClient, sqlite_store: Store, world: World, clock: FakeClock
) -> None:
    enter(client, sqlite_store, world.anna_id, clock)
    token = client.cookies["sid"]
    client.post("/logout")
    client.cookies.set("sid", token)
    assert client.get("/inbox").status_code == 303
    enter(client, sqlite_store, world.marco_id, clock)
    with sqlite_store.write() as session:
        session.get_one(User, world.marco_id).is_active = False
    assert client.get("/inbox").status_code == 303


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "/a\r\nSet-Cookie: x", "", "x"]
)
def test_return_addresses_stay_here(target: str) -> None:
    assert safe_path(target) == "/"


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    """Give (method, path) of the inbox's own routes, with places filled."""
    found = []
    for route in _flat(app.routes):
        path = getattr(route, "path", "")
        if re.match(r"/(inbox|c/|p/|r/)", path):
            filled = re.sub(r"\{\w+\}", "1", path)
            found += [(method, filled) for method in getattr(route, "methods", None) or ()]
    return found


def _flat(routes: Any) -> Iterator[Any]:
    for route in routes:
        inner = getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", None)
        if inner:
            yield from _flat(inner)
        else:
            yield route


def test_nobody_gets_in_without_signing_in(app: FastAPI, client: TestClient) -> None:
    routes = routes_of(app)
    assert len(routes) > 20
    for method, path in routes:
        answer = client.request(method, path)
        assert answer.status_code == 303, (method, path)
        assert answer.headers["location"].startswith("/login"), (method, path)


def test_readers_read_and_change_nothing(
    app: FastAPI, client: TestClient, sqlite_store: Store, world: World, clock: FakeClock
) -> None:
    with sqlite_store.read() as session:
        reader = session.query(User).filter_by(email="lettore@example.org").one().id
    enter(client, sqlite_store, reader, clock)
    for method, path in routes_of(app):
        answer = client.request(method, path)
        assert answer.status_code == (200 if method in {"GET", "HEAD"} else 403), (method, path)


def test_a_stranger_at_the_stream_is_turned_away(client: TestClient) -> None:
    answer = client.get("/events")
    assert answer.status_code == 401


def test_figures_are_for_this_machine_or_holders_of_the_token(
    sqlite_store: Store, tmp_path: Path, clock: FakeClock, world: World
) -> None:
    house = make_house(sqlite_store, tmp_path, clock=clock, metrics_token="geheim")
    with TestClient(create_app(house)) as opened:
        assert opened.get("/metrics").status_code == 403
        assert opened.get("/metrics", headers={"Authorization": "Bearer geheim"}).status_code == 200
        assert opened.get("/readyz").json()["ready"] is True


def test_readiness_tells_what_reads_posts_and_why_it_is_not_what_was_asked_for(
    sqlite_store: Store, tmp_path: Path, clock: FakeClock, world: World
) -> None:
    house = make_house(sqlite_store, tmp_path, clock=clock)
    with TestClient(create_app(house)) as opened:
        found = opened.get("/readyz").json()
    assert found == {"ready": True, "tagger": DEFAULT_MODEL.replace("-", "."), "tagger_degraded": None}
    house = make_house(sqlite_store, tmp_path, clock=clock, nlp_model=str(tmp_path / "gone-v1"))
    for ask in (house.tagger_health, lambda: house.tagger.tag(["ciao"]), house.tagger_health):
        ask()
        with TestClient(create_app(house)) as opened:
            found = opened.get("/readyz").json()
            assert (found["ready"], found["tagger"]) == (True, "ngrams.v1")
            assert "gone-v1" in found["tagger_degraded"]
            enter(opened, sqlite_store, world.anna_id, clock)
            page = opened.get("/sources").text
        assert "ngrams.v1" in page
        assert "gone-v1" in page

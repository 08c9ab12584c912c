"""The first set-up, one's own account, and the dashboard, through the browser's eyes."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from ascolto.web.app import create_app
from inbox.people.first_run import SetupStep, issue_setup_token, read_step
from inbox.people.users import check_password, start_sign_in
from inbox.reputation.rollups import due_buckets, mark_dirty, recompute
from inbox.store.engine import Store
from inbox.store.queries.brands import list_brands
from inbox.store.queries.sign_ins import sign_ins_of
from inbox.store.tables import AuditEvent, User
from inbox.store.types import Role
from tests.conftest import FakeClock
from tests.web_factory import PASSWORD, World, make_house, seed_world

OURS = {"Sec-Fetch-Site": "same-origin"}
ACCOUNT = {"name": "Anna Rossi", "email": "Anna@Example.org", "password": "quattro gatti sul tetto"}


@pytest.fixture
def client(sqlite_store: Store, tmp_path: Path, clock: FakeClock) -> Iterator[TestClient]:
    house = make_house(sqlite_store, tmp_path, clock=clock)
    with TestClient(create_app(house), follow_redirects=False, headers=OURS) as opened:
        yield opened


@pytest.fixture
def token(sqlite_store: Store, clock: FakeClock) -> str:
    with sqlite_store.write() as session:
        return issue_setup_token(session, now=clock())


@pytest.fixture
def world(sqlite_store: Store, clock: FakeClock) -> World:
    return seed_world(sqlite_store, clock(), size=8)


def enter(client: TestClient, store: Store, user_id: int, clock: FakeClock, agent: str = "t") -> str:
    with store.write() as session:
        token = start_sign_in(session, user_id, user_agent=agent, now=clock())
    client.cookies.set("sid", token)
    return token


# The first set-up ------------------------------------------------------------------------------------------


def test_set_up_goes_from_the_link_to_the_inbox(client: TestClient, sqlite_store: Store, token: str) -> None:
    assert client.get(f"/setup?token={token}").headers["location"] == "/setup/language"
    assert client.get("/setup/language").status_code == 200
    assert client.post("/setup/language", data={"language": "it"}).headers["location"] == "/setup/account"
    assert "Il tuo account" in client.get("/setup/account").text
    assert client.post("/setup/account", data=ACCOUNT).headers["location"] == "/setup/brand"
    brand = {"name": "Fiordaliso", "forms": "fiordalizo", "products": "Luce", "competitors": "Lampara, Solstizio"}
    assert client.post("/setup/brand", data=brand).headers["location"] == "/setup/source"
    assert client.get("/setup/source").status_code == 200
    assert client.post("/setup/source").headers["location"] == "/setup/hours"
    hours = {"opens": "08:30", "closes": "18:00", "minutes": "90", "timezone": "Europe/Rome", "days": ["0", "5"]}
    assert client.post("/setup/hours", data=hours).headers["location"] == "/inbox"
    with sqlite_store.read() as session:
        own, *rivals = list_brands(session)
        assert (own.slug, own.first_response_minutes) == ("fiordaliso", 90)
        assert own.business_hours == {"0": [["08:30", "18:00"]], "5": [["08:30", "18:00"]]}
        assert {rival.name for rival in rivals} == {"Lampara", "Solstizio"}
        admin = session.scalars(sa.select(User)).one()
        assert (admin.email, admin.role, admin.language) == ("anna@example.org", Role.ADMIN, "it")
        assert read_step(session) is SetupStep.DONE
    assert client.get("/setup").headers["location"] == "/inbox"


def test_the_link_works_once_and_only_if_it_is_right(client: TestClient, sqlite_store: Store, token: str) -> None:
    assert client.get("/setup").status_code == 403
    assert client.get("/setup?token=wrong").status_code == 403
    assert client.post("/setup/account", data=ACCOUNT).status_code == 403
    client.get(f"/setup?token={token}")
    assert client.post("/setup/account", data=ACCOUNT).status_code == 303
    client.cookies.clear()
    client.cookies.set("setup", token, path="/setup")
    again = client.post("/setup/account", data={**ACCOUNT, "email": "eve@example.org"})
    assert again.status_code == 403
    with sqlite_store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(User)) == 1


def test_a_new_link_ends_the_older_one(client: TestClient, sqlite_store: Store, clock: FakeClock, token: str) -> None:
    with sqlite_store.write() as session:
        newer = issue_setup_token(session, now=clock())
    assert client.get(f"/setup?token={token}").status_code == 403
    assert client.get(f"/setup?token={newer}").status_code == 303


def test_later_steps_are_closed_to_strangers(client: TestClient, token: str) -> None:
    client.get(f"/setup?token={token}")
    for step in ("brand", "source", "hours"):
        assert client.get(f"/setup/{step}").headers["location"] == "/setup"
        assert client.post(f"/setup/{step}", data={"name": "x"}).headers["location"].startswith("/login")


@pytest.mark.parametrize(
    ("field", "value"),
    [("password", "short"), ("email", "no address"), ("name", "  "), ("password", "x" * 1900), ("email", "\x00@b")],
)
def test_a_wrong_account_is_told_and_the_link_stays_good(
    client: TestClient, token: str, field: str, value: str
) -> None:
    client.get(f"/setup?token={token}")
    answer = client.post("/setup/account", data={**ACCOUNT, field: value})
    assert answer.status_code == 422
    assert ACCOUNT["password"] not in answer.text
    assert client.post("/setup/account", data=ACCOUNT).status_code == 303


def test_steps_can_be_skipped_and_gone_on_with(client: TestClient, token: str) -> None:
    client.get(f"/setup?token={token}")
    client.post("/setup/account", data=ACCOUNT)
    assert client.get("/setup").headers["location"] == "/setup/brand"
    for step, following in (("brand", "/setup/source"), ("source", "/setup/hours"), ("hours", "/inbox")):
        assert client.get("/setup").headers["location"] == f"/setup/{step}"
        assert client.post(f"/setup/{step}/skip").headers["location"] == following


def test_brands_and_hours_that_cannot_be_are_told(client: TestClient, token: str) -> None:
    client.get(f"/setup?token={token}")
    client.post("/setup/account", data=ACCOUNT)
    assert client.post("/setup/brand", data={"name": "  "}).status_code == 422
    for name in ("\x00", "\u202eabc", "<script>", "🫖" * 200):
        assert client.post("/setup/brand", data={"name": name}).status_code in {303, 422}
    wrong = {"opens": "18:00", "closes": "08:00", "minutes": "x", "timezone": "Nowhere", "days": "0"}
    answer = client.post("/setup/hours", data=wrong)
    assert answer.status_code == 422
    assert answer.text.count("field-error") >= 2


# One's own account -----------------------------------------------------------------------------------------


def test_language_theme_and_shortcuts_are_kept(
    client: TestClient, sqlite_store: Store, clock: FakeClock, world: World
) -> None:
    enter(client, sqlite_store, world.marco_id, clock)
    form = {"name": "Marco S.", "language": "it", "theme": "dark"}
    assert client.post("/account", data=form).status_code == 303
    page = client.get("/account?saved=profile").text
    assert 'data-theme="dark"' in page
    assert 'data-shortcuts="off"' in page
    assert "Salvato." in page
    assert client.post("/account", data={**form, "theme": "neon"}).status_code == 422
    assert "<script>" not in client.get("/account?saved=<script>").text.split("</head>")[1]


def test_a_password_changes_only_with_the_present_one(
    client: TestClient, sqlite_store: Store, clock: FakeClock, world: World
) -> None:
    enter(client, sqlite_store, world.marco_id, clock, agent="elsewhere")
    enter(client, sqlite_store, world.marco_id, clock)
    refused = client.post("/account/password", data={"current": "guess", "password": "una nuova parola"})
    assert refused.status_code == 422
    assert client.post("/account/password", data={"current": PASSWORD, "password": "corta"}).status_code == 422
    done = client.post("/account/password", data={"current": PASSWORD, "password": "una nuova parola"})
    assert done.status_code == 303
    assert client.get("/account").status_code == 200  # this browser stays signed in
    with sqlite_store.read() as session:
        assert check_password(session.get_one(User, world.marco_id).password_hash, "una nuova parola")
        assert len(sign_ins_of(session, world.marco_id)) == 1


def test_browsers_are_signed_out_one_by_one_or_all_but_this(
    client: TestClient, sqlite_store: Store, clock: FakeClock, world: World
) -> None:
    enter(client, sqlite_store, world.anna_id, clock)
    for agent in ("one", "two"):
        enter(client, sqlite_store, world.marco_id, clock, agent=agent)
    enter(client, sqlite_store, world.marco_id, clock)
    with sqlite_store.read() as session:
        theirs = sign_ins_of(session, world.anna_id)[0].token_digest
        mine = next(item.token_digest for item in sign_ins_of(session, world.marco_id) if item.user_agent == "one")
    assert client.post("/account/sessions/end", data={"digest": theirs}).status_code == 404
    assert client.post("/account/sessions/end", data={"digest": mine}).status_code == 303
    assert client.post("/account/sessions/end-others").status_code == 303
    with sqlite_store.read() as session:
        assert len(sign_ins_of(session, world.marco_id)) == 1
        assert len(sign_ins_of(session, world.anna_id)) == 1


def test_being_away_is_kept_and_audited(
    client: TestClient, sqlite_store: Store, clock: FakeClock, world: World
) -> None:
    enter(client, sqlite_store, world.marco_id, clock)
    assert client.post("/account/away", data={"is_away": "1"}).status_code == 303
    with sqlite_store.read() as session:
        assert session.get_one(User, world.marco_id).is_away
        assert session.scalar(sa.select(sa.func.count()).where(AuditEvent.action == "user.away"))
    client.post("/account/away")
    with sqlite_store.read() as session:
        assert not session.get_one(User, world.marco_id).is_away


# The dashboard ---------------------------------------------------------------------------------------------


def test_a_figure_under_thirty_is_not_given(
    client: TestClient, sqlite_store: Store, clock: FakeClock, world: World
) -> None:
    with sqlite_store.write() as session:
        mark_dirty(session, world.brand_id, [clock() - timedelta(days=days) for days in range(3)], clock())
        recompute(session, due_buckets(session), clock())
    enter(client, sqlite_store, world.marco_id, clock)
    page = client.get("/dashboard?days=7").text
    assert "of the 30 needed" in page
    assert 'role="img"' in page
    assert "What we don&#39;t know" in page or "What we don't know" in page


@pytest.mark.parametrize("query", ["days=8", "days=-1", "days=٧", "brand=%00", "brand='--", "days=" + "9" * 300])
def test_the_dashboard_takes_any_address(
    client: TestClient, sqlite_store: Store, clock: FakeClock, world: World, query: str
) -> None:
    enter(client, sqlite_store, world.marco_id, clock)
    assert client.get(f"/dashboard?{query}").status_code == 200


def test_everybody_signed_in_sees_the_dashboard_and_nobody_else(client: TestClient, world: World) -> None:
    assert client.get("/dashboard").headers["location"].startswith("/login")
    assert client.get("/account").headers["location"].startswith("/login")

"""Sources and listening queries on the screens, against the real town through the real clients."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from ascolto.demo.town import Town
from ascolto.web.app import create_app
from ascolto.web.bus import Bus
from ascolto.wiring import House, build_house
from config.settings import Settings
from inbox.listening.poll import poll_source
from inbox.people.users import start_sign_in
from inbox.store.engine import Store
from inbox.store.queries.sources import list_sources
from inbox.store.tables import AuditEvent, Source, User
from inbox.store.types import SourceState
from tests.conftest import FakeClock
from tests.web_factory import seed_world

OURS = {"Sec-Fetch-Site": "same-origin"}
TOKEN = "town-x-noi"
HOSTILE = (
    "\x00\x01",
    "\ud800",
    "a" * 50_000,
    "\u202emoka\u202d",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "٣",
    "🫖" * 300,
)


@dataclass
class Desk:
    """A signed-in browser, its house and the town outside."""

    client: TestClient
    house: House
    town: Town
    clock: FakeClock

    def enter(self, email: str) -> None:
        with self.house.store.write() as session:
            user_id = session.scalar(sa.select(User.id).where(User.email == email))
            assert user_id is not None
            token = start_sign_in(session, user_id, user_agent="t", now=self.clock())
        self.client.cookies.set("sid", token)

    def sources(self) -> list[Source]:
        with self.house.store.read() as session:
            return list(list_sources(session))

    def x_form(self, **given: str) -> dict[str, str]:
        brand = str(self.brand_id)
        return {
            "brand_id": brand, "source_name": "X di prova", "poll_seconds": "60", "can_publish": "1",
            "oauth2_token": TOKEN, "handle": "noi", "api_url": f"{self.town.url}/x", **given,
        }  # fmt: skip

    brand_id: int = 0


@pytest.fixture(scope="module")
def outside() -> Iterator[Town]:
    town = Town()
    town.x.add_account("noi", "Noi")
    town.start()
    town.x.add_post("anna", "@noi Borbotto perde acqua", likes=3)
    town.x.add_post("luca", "Oggi Borbotto è una meraviglia <b>davvero</b>")
    town.x.add_post("noi", "Borbotto vi saluta")
    town.feeds.add_account("notizie", "Notizie")
    town.feeds.add_post("notizie", "Borbotto apre a Bari", title="Apre Borbotto")
    yield town
    town.stop()


@pytest.fixture
def desk(sqlite_store: Store, tmp_path: Path, clock: FakeClock, outside: Town) -> Iterator[Desk]:
    world = seed_world(sqlite_store, clock(), size=0)
    with sqlite_store.write() as session:
        session.execute(sa.delete(Source))
    house = replace(build_house(Settings(data_dir=tmp_path), clock=clock), store=sqlite_store, bus=Bus())
    with TestClient(create_app(house), follow_redirects=False, headers=OURS) as client:
        opened = Desk(client, house, outside, clock, world.brand_id)
        opened.enter("anna@example.org")
        yield opened


def test_a_source_is_checked_with_its_network_then_saved(desk: Desk) -> None:
    answer = desk.client.post("/sources/new/x", data=desk.x_form(budget="12,50"))
    assert answer.status_code == 303, answer.text
    (source,) = desk.sources()
    assert (source.name, source.account_handle, source.can_publish) == ("X di prova", "noi", True)
    assert source.monthly_budget_micros == 12_500_000
    assert TOKEN not in str(source.config)
    page = desk.client.get("/sources").text
    assert "X di prova" in page
    assert TOKEN not in page + desk.client.get(f"/sources/{source.id}/edit").text
    with desk.house.store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(AuditEvent.action == "source.created"))


def test_a_feed_needs_no_key(desk: Desk) -> None:
    form = {"brand_id": str(desk.brand_id), "poll_seconds": "60", "url": f"{desk.town.url}/feeds/notizie.xml"}
    answer = desk.client.post("/sources/new/rss?next=setup", data={**form, "next": "setup"})
    assert answer.headers["location"] == "/setup/source", answer.text
    assert [source.can_publish for source in desk.sources()] == [False]


def test_wrong_credentials_are_told_and_nothing_is_saved(desk: Desk) -> None:
    answer = desk.client.post("/sources/new/x", data=desk.x_form(oauth2_token="wrong-and-secret"))
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert "wrong-and-secret" not in answer.text
    assert desk.sources() == []


def test_missing_settings_are_told_field_by_field(desk: Desk) -> None:
    answer = desk.client.post("/sources/new/facebook", data={"brand_id": str(desk.brand_id), "poll_seconds": "1"})
    assert answer.status_code == 422
    assert answer.text.count("field-error") >= 3


def test_names_are_unique_within_a_brand(desk: Desk) -> None:
    assert desk.client.post("/sources/new/x", data=desk.x_form()).status_code == 303
    assert desk.client.post("/sources/new/x", data=desk.x_form(source_name="x DI prova")).status_code == 422
    assert len(desk.sources()) == 1


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize(
    "field", ["source_name", "brand_id", "poll_seconds", "budget", "oauth2_token", "handle", "api_url"]
)
def test_hostile_input_never_breaks_the_form(desk: Desk, field: str, hostile: str) -> None:
    data = {name: value.encode("utf-8", "surrogatepass") for name, value in desk.x_form(**{field: hostile}).items()}
    answer = desk.client.post("/sources/new/x", data=data)
    assert answer.status_code in {303, 422}, answer.text[:300]
    assert "<script>alert" not in desk.client.get("/sources").text


def test_changing_settings_keeps_the_secret_unless_a_new_one_is_given(desk: Desk) -> None:
    desk.client.post("/sources/new/x", data=desk.x_form())
    (source,) = desk.sources()
    with desk.house.store.write() as session:
        session.execute(sa.update(Source).values(state=SourceState.AUTH_NEEDED, state_reason="refused"))
    assert "refused" in desk.client.get("/sources").text
    changed = desk.x_form(oauth2_token="", poll_seconds="300", source_name="X nuovo")
    assert desk.client.post(f"/sources/{source.id}/edit", data=changed).status_code == 303
    (source,) = desk.sources()
    assert (source.poll_seconds, source.name, source.state) == (300, "X nuovo", SourceState.OK)
    assert desk.house.vault.decrypt(source.secrets or "")["oauth2_token"] == TOKEN
    assert desk.client.post(f"/sources/{source.id}/test").status_code == 303


def test_pausing_resuming_and_reading_now(desk: Desk) -> None:
    desk.client.post("/sources/new/x", data=desk.x_form())
    source_id = desk.sources()[0].id
    assert desk.client.post(f"/sources/{source_id}/pause").status_code == 303
    assert desk.sources()[0].state is SourceState.PAUSED
    assert desk.client.post(f"/sources/{source_id}/resume").status_code == 303
    desk.clock.advance(timedelta(minutes=1))
    assert desk.client.post(f"/sources/{source_id}/poll").status_code == 303
    assert desk.sources()[0].next_poll_at == desk.clock()
    poll_source(
        desk.house.store, source_id, connector_of=desk.house.connector_of, limits=desk.house.limits, clock=desk.clock
    )
    assert desk.client.get(f"/sources/{source_id}").status_code == 200
    assert desk.client.post(f"/sources/{source_id}/explode").status_code == 404
    assert desk.client.get("/sources/99999").status_code == 404


@pytest.mark.parametrize(
    ("language", "words"), [("en", "To load what was said before"), ("it", "Per caricare ciò che è stato detto prima")]
)
def test_adding_a_source_tells_how_archives_come_in(desk: Desk, language: str, words: str) -> None:
    speak(desk, language)
    shown = desk.client.get("/sources/new").text
    assert words in shown
    assert "<code>ascolto import FILE --brand" in shown


def test_why_a_source_stopped_is_told_in_the_readers_language(desk: Desk) -> None:
    desk.client.post("/sources/new/x", data=desk.x_form())
    with desk.house.store.write() as session:
        session.execute(
            sa.update(Source).values(
                state=SourceState.RATE_LIMITED, state_reason="X asks to wait 61 s: <b>100% over</b>"
            )
        )
    speak(desk, "it")
    assert "X chiede di aspettare 61 s: &lt;b&gt;100% over&lt;/b&gt;" in desk.client.get("/sources").text
    speak(desk, "en")
    assert "X asks to wait 61 s" in desk.client.get(f"/sources/{desk.sources()[0].id}").text


def speak(desk: Desk, language: str) -> None:
    with desk.house.store.write() as session:
        session.execute(sa.update(User).values(language=language))


@pytest.mark.parametrize("email", ["marco@example.org", "lettore@example.org"])
def test_only_managers_change_sources_and_queries(desk: Desk, email: str) -> None:
    desk.client.post("/sources/new/x", data=desk.x_form())
    source_id = desk.sources()[0].id
    desk.enter(email)
    shown = desk.client.get("/sources")
    assert shown.status_code == 200
    assert "/pause" not in shown.text
    assert desk.client.get("/queries").status_code == 200
    for path in ("/sources/new", "/sources/new/x", f"/sources/{source_id}/edit", "/queries/new"):
        assert desk.client.get(path).status_code == 403, path
    for path in (f"/sources/{source_id}/pause", f"/sources/{source_id}/test", "/queries/preview", "/queries/new"):
        assert desk.client.post(path).status_code == 403, path
    assert desk.sources()[0].state is SourceState.OK


def _query(desk: Desk, **given: str) -> dict[str, str]:
    return {
        "query_name": "marca su X", "connection": str(desk.sources()[0].id), "brand_id": str(desk.brand_id),
        "any_of": "Borbotto", "own_handles": "noi", "poll_seconds": "120", **given,
    }  # fmt: skip


def test_a_query_is_previewed_then_saved(desk: Desk) -> None:
    desk.client.post("/sources/new/x", data=desk.x_form())
    page = desk.client.post("/queries/preview", data=_query(desk))
    assert page.status_code == 200
    assert "<mark>Borbotto</mark>" in page.text
    assert "vi saluta" not in page.text  # our own account is left out
    assert "&lt;b&gt;davvero" in page.text
    assert 'value="marca su X"' in page.text  # without JavaScript the form stays filled in
    fragment = desk.client.post("/queries/preview", data=_query(desk), headers={"HX-Request": "true"}).text
    assert "<html" not in fragment
    assert len(desk.sources()) == 1
    assert desk.client.post("/queries/new", data=_query(desk)).status_code == 303
    query = next(source for source in desk.sources() if source.kind == "query")
    assert query.config["query"]["any_of"] == ["Borbotto"]
    assert not query.can_publish
    assert "marca su X" in desk.client.get("/queries").text
    changed = _query(desk, query_name="marca", excluded="moka", any_of="Borbotto\nBorbottino")
    assert desk.client.post(f"/queries/{query.id}/edit", data=changed).status_code == 303
    query = next(source for source in desk.sources() if source.kind == "query")
    assert query.config["query"]["excluded"] == ["moka"]


def test_a_query_without_words_is_refused_in_words(desk: Desk) -> None:
    desk.client.post("/sources/new/x", data=desk.x_form())
    for path in ("/queries/preview", "/queries/new"):
        answer = desk.client.post(path, data=_query(desk, any_of=" , "))
        assert answer.status_code == 422
        assert "parola obbligatoria" in answer.text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_queries_never_break_the_page(desk: Desk, hostile: str) -> None:
    desk.client.post("/sources/new/x", data=desk.x_form())
    for field in ("query_name", "connection", "any_of", "excluded", "language", "source_id", "budget"):
        form = _query(desk, **{field: hostile})
        data = {name: value.encode("utf-8", "surrogatepass") for name, value in form.items()}
        for path in ("/queries/preview", "/queries/new"):
            answer = desk.client.post(path, data=data)
            assert answer.status_code in {200, 303, 422}, (field, answer.text[:300])
            assert "<script>alert" not in answer.text

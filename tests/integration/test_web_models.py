"""The screen of models over HTTP: what is shown, what is too little to say, one click to undo, and who may."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from ascolto.web.app import create_app
from ascolto.wiring import House
from inbox.listening.adaptation import adapt_brand
from inbox.people.users import start_sign_in
from inbox.store.engine import Store
from inbox.store.tables import Adaptation, AuditEvent, Correction, User
from inbox.store.types import AdaptationState
from tests.adaptation_factory import ReadingTagger, seed_labels
from tests.conftest import FakeClock
from tests.web_factory import make_house, seed_world


class Visitor:
    """A browser with a house behind it, whose brand Terrae has labels and a fit."""

    def __init__(self, client: TestClient, house: House, clock: FakeClock) -> None:
        self.client, self.house, self.clock = client, house, clock

    def enter(self, email: str) -> None:
        with self.house.store.write() as session:
            user_id = session.scalar(sa.select(User.id).where(User.email == email))
            assert user_id is not None
            self.client.cookies.set("sid", start_sign_in(session, user_id, user_agent="t", now=self.clock()))

    def page(self) -> str:
        answer = self.client.get("/settings/models?brand=terrae")
        assert answer.status_code == 200, answer.text[:300]
        return answer.text

    def post(self, path: str) -> int:
        return int(self.client.post(f"/settings/models/adaptations/{path}").status_code)

    def row(self) -> Adaptation:
        with self.house.store.read() as session:
            return session.scalars(sa.select(Adaptation)).one()


@pytest.fixture
def visitor(sqlite_store: Store, clock: FakeClock, tmp_path: Path) -> Iterator[Visitor]:
    seed_world(sqlite_store, clock(), size=4)
    house = make_house(sqlite_store, tmp_path, clock=clock)
    brand_id = seed_labels(sqlite_store, clock())
    assert adapt_brand(sqlite_store, brand_id, ReadingTagger(house.tagger_health().tier), clock()) is not None
    headers = {"Sec-Fetch-Site": "same-origin"}
    with TestClient(create_app(house), headers=headers, follow_redirects=False) as client:
        seated = Visitor(client, house, clock)
        seated.enter("anna@example.org")
        yield seated


def test_the_page_tells_what_is_in_use_and_what_it_stands_on(visitor: Visitor) -> None:
    page = visitor.page()
    assert f"<strong>{visitor.house.tagger_health().tier}+b1</strong>" in page
    assert "90 etichette" in page
    assert "troppo pochi per dirlo" in page or "n = 90" in page
    assert "plot-before" in page, "the curve of risk is drawn"
    assert "0 di 30" in page, "how far the next fit is"
    assert "/settings/models/cards/" in page


def test_one_click_undoes_and_another_brings_it_back(visitor: Visitor) -> None:
    row = visitor.row()
    assert row.state is AdaptationState.ACTIVE
    assert visitor.post(f"{row.id}/undo") == 303
    assert visitor.row().state is AdaptationState.UNDONE
    assert "modello di fabbrica" in visitor.page()
    assert visitor.post(f"{row.id}/undo") == 409, "undone already"
    assert visitor.post(f"{row.id}/use") == 303
    assert visitor.row().state is AdaptationState.ACTIVE
    with visitor.house.store.read() as session:
        events = session.execute(sa.select(AuditEvent.action, AuditEvent.user_id).order_by(AuditEvent.id)).all()
        anna = session.scalar(sa.select(User.id).where(User.email == "anna@example.org"))
    told = [tuple(event) for event in events if event.action.startswith("adaptation.")]
    assert told[-2:] == [("adaptation.undone", anna), ("adaptation.activated", anna)]


def test_a_proposal_can_be_used_or_refused(visitor: Visitor) -> None:
    row = visitor.row()
    with visitor.house.store.write() as session:
        session.get_one(Adaptation, row.id).state = AdaptationState.PROPOSED
    assert f"/settings/models/adaptations/{row.id}/dismiss" in visitor.page()
    assert visitor.post(f"{row.id}/dismiss") == 303
    assert visitor.row().state is AdaptationState.REJECTED
    assert "/dismiss" not in visitor.page()


def test_agents_may_look_but_not_decide(visitor: Visitor) -> None:
    visitor.enter("marco@example.org")
    page = visitor.page()
    assert "/undo" not in page
    row = visitor.row()
    for step in ("undo", "use", "dismiss"):
        assert visitor.post(f"{row.id}/{step}") == 403
    assert visitor.row().state is AdaptationState.ACTIVE
    assert visitor.post("99/undo") in {403, 404}


def test_a_brand_without_labels_and_hostile_names_show_a_page(visitor: Visitor) -> None:
    with visitor.house.store.write() as session:
        session.execute(sa.delete(Correction))
        session.execute(sa.delete(Adaptation))
    assert "Nessuno ha ancora corretto" in visitor.page()
    for name in ("..", "%2e%2e%2fconfig", "ngrams-v1%00", "x" * 61, "<script>"):
        assert visitor.client.get(f"/settings/models/cards/{name}").status_code in {200, 404, 422}
    for brand in ("", "nobody", "\x00", "' OR 1=1 --"):
        assert visitor.client.get("/settings/models", params={"brand": brand}).status_code == 200


def test_cards_can_be_read(visitor: Visitor) -> None:
    answer = visitor.client.get("/settings/models/cards/ngrams-v1")
    assert answer.status_code == 200
    assert "Trained on" in answer.text
    assert visitor.client.get("/settings/models/cards/nothing").status_code == 404

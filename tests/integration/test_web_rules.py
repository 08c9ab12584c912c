"""The screen of rules on labels: kept, tried, ordered, refused in words; hostile input; who may do what."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from ascolto.web.app import create_app
from config.brand import BrandFile
from inbox.people.users import start_sign_in
from inbox.store.engine import Store
from inbox.store.tables import AuditEvent, Brand, Post, PostTags, TagRule, User
from nlp.base import Tagger
from nlp.pipeline import load_tagger
from tests.conftest import FakeClock
from tests.web_factory import make_house, seed_world

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
RULE = {
    "brand": "borbotto", "rule_name": "bomba è un complimento", "terms": 'bomba\n"una bomba"', "language": "it",
    "force.sentiment": "positive", "force.intents:praise": "1", "forbid.urgency:3": "1", "not_with": "allarme",
    "is_active": "1",
}  # fmt: skip
HOSTILE = ("\x00\x01", "\ufffe", "a" * 50_000, "\u202emoka\u202d", "<script>alert(1)</script>", "' OR 1=1 --", "٣", "*")


@lru_cache(maxsize=1)
def _tagger() -> Tagger:
    return load_tagger(model="ngrams-v1")


class Office:
    """A signed-in browser with the house behind it."""

    def __init__(self, client: TestClient, store: Store, clock: FakeClock) -> None:
        self.client, self.store, self.clock = client, store, clock

    def enter(self, email: str) -> None:
        with self.store.write() as session:
            user_id = session.scalar(sa.select(User.id).where(User.email == email))
            assert user_id is not None
            self.client.cookies.set("sid", start_sign_in(session, user_id, user_agent="t", now=self.clock()))

    def get(self, path: str = "/settings/rules") -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text[:500]
        return answer.text

    def post(
        self, path: str, fields: Mapping[str, str] | None = None, *, status: int = 303, fragment: bool = False,
        **more: str,
    ) -> str:  # fmt: skip
        answer = self.client.post(
            f"/settings/rules{path}", data={**(fields or {}), **more}, headers=HTMX if fragment else {}
        )
        assert answer.status_code == status, answer.text[:2000]
        return answer.text

    def add(self, **changes: str) -> int:
        self.post("/new", {**RULE, **changes})
        return self.rules()[-1].id

    def rules(self) -> list[TagRule]:
        with self.store.read() as session:
            return list(session.scalars(sa.select(TagRule).order_by(TagRule.position)))


@pytest.fixture
def office(sqlite_store: Store, tmp_path: Path, clock: FakeClock) -> Iterator[Office]:
    world = seed_world(sqlite_store, clock(), size=8)
    house = replace(make_house(sqlite_store, tmp_path, clock=clock), load_tagger=lambda _store: _tagger())
    with sqlite_store.write() as session:
        post = session.scalars(sa.select(Post).where(Post.text.contains("pacco della moka"))).first()
        assert post is not None
        post.text = "pessima bomba questa moka, vergogna"
        token = start_sign_in(session, world.anna_id, user_agent="t", now=clock())
    headers = {"Sec-Fetch-Site": "same-origin"}
    with TestClient(create_app(house), headers=headers, cookies={"sid": token}, follow_redirects=False) as client:
        yield Office(client, sqlite_store, clock)


def test_a_rule_is_added_changed_and_deleted(office: Office) -> None:
    assert "Ancora nessuna regola" in office.get()
    rule_id = office.add()
    (row,) = office.rules()
    assert (row.terms, row.language, row.not_with) == (["bomba", '"una bomba"'], "it", ["allarme"])
    assert row.forces == ["sentiment:positive", "intents:praise"]
    assert row.forbids == ["urgency:3"]
    page = office.get()
    assert "bomba è un complimento" in page
    assert "Positivo" in page
    office.post(f"/{rule_id}/edit", {**RULE, "terms": "bomba, bombetta", "language": ""})
    (row,) = office.rules()
    assert (row.terms, row.language) == (["bomba", "bombetta"], None)
    office.post(f"/{rule_id}/switch")
    assert not office.rules()[0].is_active
    assert "spenta" in office.get()
    office.post(f"/{rule_id}/delete")
    assert office.rules() == []
    with office.store.read() as session:
        actions = session.scalars(sa.select(AuditEvent.action).where(AuditEvent.entity == "tag_rule"))
        assert set(actions) == {"tag_rule.created", "tag_rule.changed", "tag_rule.deleted"}


def test_rules_change_places(office: Office) -> None:
    office.add()
    second = office.add(rule_name="fuoco", terms="fuoco")
    office.post(f"/{second}/move", to="up")
    assert [row.name for row in office.rules()] == ["fuoco", "bomba è un complimento"]
    office.post(f"/{second}/move", to="down")
    assert [row.name for row in office.rules()] == ["bomba è un complimento", "fuoco"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rule_name": " "}, "Dai un nome alla regola."),
        ({"terms": ""}, "non ha parole da cercare"),
        ({"terms": "*"}, "si troverebbe ovunque"),
        ({"forbid.intents:praise": "1"}, "impone e vieta elogio"),
        ({"force.intents:spam": "1"}, "un post non può averle entrambe"),
        ({"rule_name": "seconda", "force.sentiment": "negative"}, "cambia una delle due"),
    ],
)
def test_a_rule_that_cannot_hold_is_told_and_what_was_typed_stays(
    office: Office, changes: dict[str, str], words: str
) -> None:
    if "seconda" in changes.values():
        office.add()
    kept = len(office.rules())
    page = office.post("/new", {**RULE, **changes}, status=422)
    assert words in page
    assert "allarme" in page
    assert len(office.rules()) == kept


def test_a_text_is_tried_with_and_without_the_rules(office: Office) -> None:
    office.add()
    shown = office.post("/try", status=200, fragment=True, brand="borbotto", text="che pessima bomba, vergogna")
    assert "<mark>bomba</mark>" in shown
    assert "bomba è un complimento" in shown
    assert "is-changed" in shown
    assert "Negativo" in shown
    whole = office.post("/try", status=200, brand="borbotto", text="che pessima bomba, vergogna")
    assert "<html" in whole
    assert "<mark>bomba</mark>" in whole
    unfit = office.post("/try", status=200, fragment=True, brand="borbotto", text="niente di che <b>x</b>")
    assert "Nessuna regola si applica" in unfit
    assert "<b>x</b>" not in unfit


def test_a_draft_is_tried_before_it_is_saved(office: Office) -> None:
    shown = office.post("/try", RULE, status=200, fragment=True, text="una bomba")
    assert "bomba è un complimento" in shown
    dry = office.post("/dry-run", RULE, status=200, fragment=True)
    assert "<mark>bomba</mark>" in dry
    assert "Positivo" in dry
    assert office.rules() == []
    refused = office.post("/dry-run", {**RULE, "terms": ""}, status=422, fragment=True)
    assert "non ha parole da cercare" in refused


def test_the_brand_file_form_can_be_read_again(office: Office) -> None:
    import tomllib

    office.add()
    text = office.get("/settings/rules/brand-file?brand=borbotto")
    file = BrandFile.model_validate({"slug": "b", "name": "B", **tomllib.loads(text)})
    (rule,) = file.rules
    assert (rule.terms, rule.force) == (("bomba", '"una bomba"'), ("sentiment:positive", "intents:praise"))


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_input_is_answered_in_words(office: Office, value: str) -> None:
    for path in ("/new", "/try", "/dry-run"):
        fields = {**RULE, "rule_name": value, "terms": value, "text": value, "context": value, "brand": value,
                  "language": value, "rule_id": value}  # fmt: skip
        answer = office.client.post(f"/settings/rules{path}", data=fields)
        assert answer.status_code in {200, 303, 422}, answer.text[:500]
        assert "<script>alert" not in answer.text
    sent = value.encode("utf-8", "replace").decode()[:300]  # what a browser can put into an address
    assert office.client.get("/settings/rules", params={"brand": sent, "done": sent}).status_code == 200
    assert office.client.get("/settings/rules/new", params={"brand": sent}).status_code == 200


def test_only_those_who_manage_may_change_rules(office: Office) -> None:
    rule_id = office.add()
    office.enter("marco@example.org")
    page = office.get()
    assert "bomba è un complimento" in page
    assert "/settings/rules/new" not in page
    for path in ("/new", f"/{rule_id}/edit", f"/{rule_id}/delete", f"/{rule_id}/move", f"/{rule_id}/switch"):
        office.post(path, RULE, status=403)
    office.post("/try", status=200, fragment=True, brand="borbotto", text="una bomba")
    assert len(office.rules()) == 1


def test_unknown_rules_and_no_brand_are_told(office: Office) -> None:
    assert office.client.get("/settings/rules/999/edit").status_code == 404
    office.post("/999/delete", status=404)
    with office.store.write() as session:
        session.execute(sa.update(Brand).values(competitor_of=Brand.id))
    assert office.client.get("/settings/rules").status_code == 200
    assert office.client.get("/settings/rules/new").status_code == 404


def test_the_rules_word_is_the_reason_where_a_rule_decided(office: Office) -> None:
    office.add()
    with office.store.write() as session:
        post = session.scalars(sa.select(Post).where(Post.text.contains("bomba"))).one()
        tags = session.scalars(sa.select(PostTags).where(PostTags.post_id == post.id)).one()
        tags.sentiment_label, tags.rules = "positive", ["bomba è un complimento"]
        tags.sentiment = {"negative": 0.03, "neutral": 0.02, "positive": 0.95}
        post_id = post.id
    page = office.client.get(f"/posts/{post_id}/why?task=sentiment", headers=HTMX).text
    marked = re.findall(r"<mark[^>]*>(.*?)</mark>", page, flags=re.DOTALL)
    assert any("bomba" in words for words in marked), page
    assert "bomba è un complimento" in page

"""Rules on labels, stored: checked, audited, put in order, applied to new posts brand by brand, tried beforehand."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from config.brand import BrandFile
from inbox import audit
from inbox.errors import InvalidError, NotFoundError
from inbox.listening.brands import apply_brand_file
from inbox.listening.rule_trials import candidates_for, dry_run, labels_of, try_text
from inbox.listening.tag_rules import delete_tag_rule, move_tag_rule, save_tag_rule
from inbox.listening.tagging import tag_posts
from inbox.store.engine import Store
from inbox.store.queries.tag_rules import list_tag_rules, read_rulesets
from inbox.store.tables import AuditEvent, Brand, Identity, Post, PostTags
from inbox.store.types import PostState
from nlp.pipeline import load_tagger
from nlp.rules import Rule

NOW = datetime(2026, 11, 10, 9, tzinfo=UTC)
BOMBA = Rule("bomba", ("bomba",), forces=("sentiment:positive", "intents:praise"), language="it")
FIRE = Rule("fire", ("fire", "🔥"), forbids=("intents:crisis_signal",))
TAGGER = load_tagger(model="ngrams-v1")


def make_brand(store: Store, slug: str = "fiordaliso") -> int:
    with store.write() as session:
        brand = Brand(slug=slug, name=slug.title(), created_at=NOW)
        session.add(brand)
        session.flush()
        return brand.id


def add_posts(
    store: Store, brand_id: int, texts: list[str], *, state: PostState = PostState.NEW, at: datetime = NOW
) -> list[int]:
    with store.write() as session:
        who = Identity(
            brand_id=brand_id, network="x", external_id=f"u{brand_id}{at:%d%H}", handle="anna", display_name="Anna",
            first_seen_at=NOW, last_seen_at=NOW,
        )  # fmt: skip
        session.add(who)
        session.flush()
        posts = [
            Post(
                brand_id=brand_id, network="x", external_id=f"{at:%d%H}-{number}", kind="mention", state=state,
                author_id=who.id, text=text, thread_key=f"{number}", created_at=at, fetched_at=at,
            )
            for number, text in enumerate(texts)
        ]  # fmt: skip
        session.add_all(posts)
        session.flush()
        return [post.id for post in posts]


def save(store: Store, brand_id: int, rule: Rule, rule_id: int | None = None) -> int:
    with store.write() as session:
        return save_tag_rule(session, brand_id, rule, now=NOW, user_id=None, rule_id=rule_id).id


def names(store: Store, brand_id: int) -> list[str]:
    with store.read() as session:
        return [row.name for row in list_tag_rules(session, brand_id)]


def test_rules_are_kept_in_order_and_every_step_is_in_the_trail(store: Store) -> None:
    brand_id = make_brand(store)
    first, second = save(store, brand_id, BOMBA), save(store, brand_id, FIRE)
    save(store, brand_id, BOMBA, first)  # nothing changed: nothing to record
    save(store, brand_id, Rule("bomba!", ("bomba", "bombe"), forces=("intents:praise",)), first)
    with store.write() as session:
        move_tag_rule(session, second, is_up=True, now=NOW, user_id=None)
        move_tag_rule(session, second, is_up=True, now=NOW, user_id=None)  # it is the first already
    assert names(store, brand_id) == ["fire", "bomba!"]
    with store.write() as session:
        delete_tag_rule(session, second, now=NOW, user_id=None)
    assert names(store, brand_id) == ["bomba!"]
    with store.read() as session:
        actions = session.scalars(sa.select(AuditEvent.action).order_by(AuditEvent.id)).all()
        assert audit.verify(session).is_intact
    assert list(actions) == [
        "tag_rule.created", "tag_rule.created", "tag_rule.changed", "tag_rule.moved", "tag_rule.deleted",
    ]  # fmt: skip
    with pytest.raises(NotFoundError), store.write() as session:
        delete_tag_rule(session, second, now=NOW, user_id=None)


def test_a_rule_that_contradicts_another_is_refused_and_nothing_is_stored(store: Store) -> None:
    brand_id = make_brand(store)
    save(store, brand_id, BOMBA)
    with pytest.raises(InvalidError, match="forbids it"):
        save(store, brand_id, Rule("no", ("bomba",), forbids=("intents:praise",)))
    with pytest.raises(InvalidError, match="everywhere"):
        save(store, brand_id, Rule("all", ("*",), forces=("intents:praise",)))
    assert names(store, brand_id) == ["bomba"]


def test_new_posts_are_tagged_by_their_own_brands_rules(store: Store) -> None:
    one, other = make_brand(store), make_brand(store, "lampara")
    save(store, one, BOMBA)
    save(store, other, Rule("truffa", ("bomba",), forces=("intents:complaint",)))
    text = "il corriere ha lasciato una bomba, mah"
    ids = add_posts(store, one, [text, "niente di speciale, il pacco"]) + add_posts(store, other, [text])
    with store.write() as session:
        tag_posts(session, ids, TAGGER, NOW)
    with store.read() as session:
        tags = {row.post_id: row for row in session.scalars(sa.select(PostTags))}
    assert (tags[ids[0]].sentiment_label, tags[ids[0]].rules) == ("positive", ["bomba"])
    assert tags[ids[0]].sentiment["positive"] < 1
    assert "praise" in tags[ids[0]].intent_labels
    assert tags[ids[1]].rules == []
    assert ("complaint" in tags[ids[2]].intent_labels, tags[ids[2]].rules) == (True, ["truffa"])


def test_a_rule_that_is_switched_off_does_nothing(store: Store) -> None:
    brand_id = make_brand(store)
    rule_id = save(store, brand_id, BOMBA)
    with store.write() as session:
        save_tag_rule(session, brand_id, BOMBA, now=NOW, user_id=None, rule_id=rule_id, is_active=False)
    with store.read() as session:
        assert not read_rulesets(session, [brand_id])


def test_a_dry_run_counts_what_would_change_and_changes_nothing(store: Store) -> None:
    brand_id = make_brand(store)
    add_posts(store, brand_id, ["pessima bomba, vergogna", "tutto bene", "una bomba"], state=PostState.ROUTED)
    add_posts(store, brand_id, ["vecchia bomba pessima"], state=PostState.ROUTED, at=NOW - timedelta(days=9))
    with store.read() as session:
        posts = candidates_for(session, brand_id, now=NOW)
    found = dry_run(TAGGER, [BOMBA], posts)
    assert (found.posts, found.matching, found.tried) == (3, 2, 2)
    assert 1 <= found.changed <= 2
    post, trial = found.examples[0]
    assert "bomba" in post.text
    assert labels_of(trial.after)["sentiment"] == ("positive",)
    assert dry_run(TAGGER, [BOMBA], posts, without=[BOMBA]).matching == 0
    assert dry_run(TAGGER, [], posts).changed == 0
    with store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(PostTags)) == 0


def test_a_text_is_tried_before_and_after() -> None:
    trial = try_text(TAGGER, [BOMBA], "che pessimo servizio, una bomba", "it")
    assert labels_of(trial.before)["sentiment"] == ("negative",)
    assert labels_of(trial.after)["sentiment"] == ("positive",)
    assert trial.rules == ("bomba",)
    assert "sentiment" in trial.changes


def test_rules_of_a_brand_file_come_with_it_and_others_stay(store: Store) -> None:
    content = {
        "slug": "fiordaliso", "name": "Fiordaliso",
        "rules": [{"name": "bomba", "terms": ["bomba"], "force": ["intents:praise"], "not_with": ["allarme"]}],
    }  # fmt: skip
    brand_id = make_brand(store)
    save(store, brand_id, FIRE)
    for _ in range(2):
        with store.write() as session:
            apply_brand_file(session, BrandFile.model_validate(content), now=NOW)
    assert names(store, brand_id) == ["fire", "bomba"]
    clash = {**content, "rules": [{"name": "smoke", "terms": ["fire"], "force": ["intents:crisis_signal"]}]}
    with pytest.raises(InvalidError, match="smoke"), store.write() as session:
        apply_brand_file(session, BrandFile.model_validate(clash), now=NOW)
    assert names(store, brand_id) == ["fire", "bomba"]

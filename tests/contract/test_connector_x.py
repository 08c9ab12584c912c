"""X by the real tweepy over the loopback town: the contract, and X's own traps."""

import json
import time
from datetime import timedelta

import pytest
from pydantic import ValidationError

from ascolto.demo.town import Town
from connectors.base import PostRef, utc_now
from connectors.contract import ConnectorContract, find_post, read_all, reference_to
from connectors.errors import AuthError, BadQueryError, BudgetExceededError, PermanentError, RateLimitedError
from connectors.transport import Transport
from connectors.x import XConnector
from connectors.x_client import XConfig
from tests.town_world import TownWorld


class XWorld(TownWorld):
    """People mention @brand; X takes pages of five at least."""

    def __init__(self, town: Town) -> None:
        account = town.x.add_account("brand", "Brand")
        config = {"api_url": f"{town.url}/x", "oauth2_token": "town-x-brand", "account_id": account.id}
        super().__init__(town, town.x, XConnector, config)
        self.secret_words = ("town-x-brand",)

    def say(self, text: str, *, parent_id: str | None = None) -> str:
        return self.network.add_post("anna", f"@brand {text}", parent_id=parent_id)

    def answers(self, external_id: str) -> list[str]:
        return [post.text for post in self.network.replies_to(external_id) if post.author == "brand"]

    def spoil(self) -> None:
        self.network.add_post("anna", "@brand rotto", extra={"json": {"text": None}})


class TestX(ConnectorContract):
    @pytest.fixture
    def world(self, town: Town) -> XWorld:
        return XWorld(town)


@pytest.fixture
def world(town: Town) -> XWorld:
    return XWorld(town)


def with_config(world: XWorld, **changes: object) -> XConnector:
    config = {**world.config.model_dump(), **changes}
    return XConnector(XConfig.model_validate(config), transport=Transport(timeout_seconds=2))


def searching(world: XWorld, **changes: object) -> XConnector:
    query = {"any_of": ["scopa", "aspirapolvere"], "own_handles": ["brand", "brand@mastodon.example"]}
    return with_config(world, kind="query", query={**query, **changes})


def test_a_walk_keeps_its_since_id_to_the_end(world: XWorld) -> None:
    _, cursor = read_all(world, None)
    first = world.say("prima")
    _, cursor = read_all(world, cursor)
    said = [world.say(f"poi {number}") for number in range(12)]
    before = len(world.town.requests)
    posts, cursor = read_all(world, cursor)
    assert [post.external_id for post in posts] != said  # pages come newest first
    assert {post.external_id for post in posts} == set(said)
    assert {request.query["since_id"][0] for request in world.town.requests[before:]} == {first}
    assert json.loads(cursor or "") == {"since": said[-1]}


def test_search_leaves_our_own_posts_and_reposts_out(world: XWorld) -> None:
    hit = world.network.add_post("anna", "La scopa Brand non parte", language="it")
    world.network.add_post("brand", "Nuova scopa!", language="it")
    world.network.add_post("bruno", "RT @anna: La scopa", extra={"retweets": hit}, language="it")
    world.network.add_post("carla", "my scopa broke", language="en")
    page = searching(world, language="it").fetch(None, 10)
    assert [post.external_id for post in page.posts] == [hit]
    asked = world.town.requests[-1].query["query"][0]
    assert asked == "(scopa OR aspirapolvere) -from:brand -is:retweet lang:it"


def test_search_goes_on_when_the_since_id_is_too_old(world: XWorld) -> None:
    old = world.network.add_post("anna", "vecchia scopa", created_at=utc_now() - timedelta(days=9))
    new = world.network.add_post("anna", "nuova scopa")
    page = searching(world).fetch(json.dumps({"since": old}), 10)
    assert [post.external_id for post in page.posts] == [new]
    assert page.truncated is not None
    assert "7 days" in page.truncated
    assert json.loads(page.cursor or "") == {"since": new}
    assert searching(world).fetch(page.cursor, 10).truncated is None


def test_a_page_token_no_longer_taken_begins_the_walk_again(world: XWorld) -> None:
    said = [world.say(f"numero {number}") for number in range(3)]
    page = world.connector().fetch(json.dumps({"page_token": "expired", "top": said[-1]}), 10)
    assert [post.external_id for post in page.posts] == said


def test_a_refused_query_says_what_to_change(world: XWorld) -> None:
    with pytest.raises(BadQueryError, match="512"):
        searching(world, any_of=[f"parola{number}" for number in range(80)]).fetch(None, 10)


def test_money_and_quota_are_budget_errors(world: XWorld) -> None:
    world.network.options["credits_gone"] = True
    with pytest.raises(BudgetExceededError, match="credits"):
        world.connector().fetch(None, 5)
    world.network.options |= {"credits_gone": False, "usage_capped": True}
    with pytest.raises(BudgetExceededError, match="quota"):
        world.connector().fetch(None, 5)


def test_429_waits_for_the_reset_time_without_sleeping(world: XWorld) -> None:
    world.network.options["rate_limit"] = 0
    started = time.monotonic()
    with pytest.raises(RateLimitedError) as caught:
        world.connector().fetch(None, 5)
    assert timedelta(minutes=14) < caught.value.retry_after <= timedelta(minutes=15)
    assert time.monotonic() - started < 60  # of the fourteen minutes asked for


def test_only_posts_that_name_us_can_be_answered(world: XWorld) -> None:
    heard = world.network.add_post("anna", "scopa rotta")
    quoted = world.network.add_post("brand", "Guida alla scopa")
    quoting = world.network.add_post(
        "anna", f"la scopa, dicono https://x.com/brand/status/{quoted}", extra={"quotes": quoted}
    )
    connector = searching(world)
    posts = {post.external_id: post for post in connector.fetch(None, 10).posts}
    permission = connector.can_reply(reference_to(posts[heard]))
    assert not permission.allowed
    assert permission.permalink == f"https://x.com/anna/status/{heard}"
    before = world.request_count()
    with pytest.raises(PermanentError):
        connector.reply(reference_to(posts[heard]), "Ciao")
    assert world.request_count() == before
    assert connector.can_reply(reference_to(posts[quoting])).allowed
    assert connector.reply(reference_to(posts[quoting]), "Grazie!").external_id
    refused = with_config(world, replies_need_mention=False)
    with pytest.raises(PermanentError, match="name us"):
        refused.reply(reference_to(posts[heard]), "Ciao")


def test_the_same_words_twice_are_refused_with_the_cure(world: XWorld) -> None:
    one, two = (find_post(world, world.say(text)) for text in ("aiuto", "anche io"))
    world.network.options["refuses_duplicates"] = True
    world.connector().reply(reference_to(one), "Scrivici in privato")
    with pytest.raises(PermanentError, match="change some words"):
        world.connector().reply(reference_to(two), "Scrivici in privato")


def test_links_and_signs_are_read_as_people_see_them(world: XWorld) -> None:
    said = world.say("2 < 3 & https://example.com/lungo?a=1&b=2 ok")
    assert find_post(world, said).text == "@brand 2 < 3 & https://example.com/lungo?a=1&b=2 ok"


def test_long_posts_are_read_whole(world: XWorld) -> None:
    said = world.say("inizio…")
    world.network.post(said).extra["json"] = {"note_tweet": {"text": "inizio e " + "tanto " * 200}}
    assert len(find_post(world, said).text) > 1_000


@pytest.mark.parametrize(
    ("keys", "can_write"),
    [
        ({"bearer_token": "town-x-app-only", "handle": "@brand"}, False),
        (
            {
                "consumer_key": "ck",
                "consumer_secret": "cs",
                "access_token": "town-x-brand",
                "access_token_secret": "ts",
            },
            True,
        ),
    ],
)
def test_other_ways_in(world: XWorld, keys: dict[str, str], can_write: bool) -> None:  # noqa: FBT001 - a parameter of the case
    connector = with_config(world, oauth2_token=None, account_id="", **keys)
    said = world.say("ciao")
    assert connector.check().handle == "brand"
    assert [post.external_id for post in connector.fetch(None, 5).posts] == [said]
    assert connector.capabilities.can_reply is can_write
    post = PostRef(external_id=said, mentions_us=True)
    if can_write:
        assert connector.reply(post, "Ciao!").external_id
    else:
        assert not connector.can_reply(post).allowed


def test_refresh_tokens_rotate(world: XWorld) -> None:
    first = world.network.refresh_token_for("brand")
    connector = with_config(world, refresh_token=first, client_id="client")
    pair = connector.renew() or {}
    assert with_config(world, **pair).check().handle == "brand"
    with pytest.raises(AuthError, match="connect the account again"):
        connector.renew()
    assert with_config(world, **pair, client_id="client").renew() != pair


def test_hide_needs_a_conversation_of_ours(world: XWorld) -> None:
    ours = world.network.add_post("brand", "Buongiorno")
    reply = world.network.add_post("anna", "spam", parent_id=ours)
    world.connector().hide(PostRef(external_id=reply))
    assert world.network.post(reply).is_hidden
    with pytest.raises(PermanentError):
        world.connector().hide(PostRef(external_id=world.say("altrove")))


def test_refresh_tells_when_a_post_was_edited(world: XWorld) -> None:
    said = world.say("prima versione")
    world.edit(said, "@brand seconda versione")
    (status,) = world.connector().refresh([said])
    assert status.text == "@brand seconda versione"
    assert status.edited_at is not None


def test_an_empty_answer_is_an_empty_page(world: XWorld) -> None:
    page = world.connector().fetch(None, 5)
    assert page.posts == ()
    assert not page.more


def test_pages_count_what_they_cost(world: XWorld) -> None:
    for number in range(3):
        world.say(f"costo {number}")
    page = with_config(world, micros_per_mention=1_000, micros_per_user=10_000).fetch(None, 5)
    assert page.cost_micros == 3 * 1_000 + 10_000
    cheap = with_config(world, expand_authors=False)
    assert cheap.fetch(None, 5).cost_micros == 3_000
    assert cheap.fetch(None, 5).posts[0].author.handle == ""


@pytest.mark.parametrize(
    "keys", [{}, {"consumer_key": "only one"}, {"bearer_token": "b", "kind": "query"}, {"oauth2_token": "t", "typo": 1}]
)
def test_incomplete_keys_are_refused_before_any_call(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        XConfig.model_validate(keys)

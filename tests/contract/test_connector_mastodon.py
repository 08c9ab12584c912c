"""Mastodon by Mastodon.py against the town: mentions, hashtags, search; servers of both kinds."""

from typing import Any

import pytest

from ascolto.demo.town import Fault, Town
from connectors.base import PostRef, SourceKind
from connectors.contract import ConnectorContract, find_post, read_all, reference_to
from connectors.errors import BadQueryError, PermanentError, RateLimitedError
from connectors.mastodon import MastodonConnector
from tests.town_world import TownWorld

HOST = "social.town.example"


class MastodonWorld(TownWorld):
    """Our account is @acme; @anna speaks to it."""

    writes = ("POST", "/api/v1/statuses")

    def __init__(self, town: Town, **changes: Any) -> None:
        town.mastodon.add_account("acme", "Acme")
        token = town.mastodon.token_for("acme")
        config = {"server": HOST, "api_url": town.url + "/mastodon", "access_token": token, **changes}
        super().__init__(town, town.mastodon, MastodonConnector, config)
        self.secret_words = (token,) if config["access_token"] else ()

    def say(self, text: str, *, parent_id: str | None = None) -> str:
        return self.network.add_post("anna", f"@acme {text}", parent_id=parent_id)

    def answers(self, external_id: str) -> list[str]:
        return [post.text for post in self.network.replies_to(external_id) if post.author == "acme"]

    def spoil(self) -> None:
        self.network.add_post("anna", "@acme #acme", extra={"wire": {"uri": None}})


class QueryWorld(MastodonWorld):
    """A listening query, by hashtag and search."""

    def __init__(self, town: Town, **changes: Any) -> None:
        query = {"any_of": ["acme"], "own_handles": ["acme"]}
        super().__init__(town, kind=SourceKind.QUERY, query=query, **changes)

    def say(self, text: str, *, parent_id: str | None = None) -> str:
        return self.network.add_post("anna", f"{text} #acme", parent_id=parent_id)


class TestMastodonMentions(ConnectorContract):
    @pytest.fixture
    def world(self, town: Town) -> MastodonWorld:
        return MastodonWorld(town)


class TestGoToSocialMentions(ConnectorContract):
    """ULIDs, no bulk call, no idempotency, pages in the other order."""

    @pytest.fixture
    def world(self, town: Town) -> MastodonWorld:
        town.mastodon.options.update(ulid=True, has_bulk_statuses=False, honour_idempotency=False, newest_first=False)
        return MastodonWorld(town)


class TestMastodonQuery(ConnectorContract):
    @pytest.fixture
    def world(self, town: Town) -> QueryWorld:
        return QueryWorld(town)


class TestMastodonHashtagsWithoutToken(ConnectorContract):
    @pytest.fixture
    def world(self, town: Town) -> QueryWorld:
        return QueryWorld(town, access_token="")


def test_posts_of_other_servers_have_their_own_uri_and_can_be_answered(town: Town) -> None:
    world = MastodonWorld(town)
    uri = town.mastodon.add_post("bruno@altrove.example", "@acme quando aprite?")
    post = find_post(world, uri)
    assert post.external_id.startswith("https://altrove.example/users/bruno/statuses/")
    assert post.instance == ""  # one fediverse: the URI is unique, and threads cross servers
    assert post.author.handle == "bruno@altrove.example"
    receipt = world.connector().reply(reference_to(post), "Alle nove")
    assert world.answers(uri) == ["@bruno@altrove.example Alle nove"]
    found = world.connector().find_reply(reference_to(post), "Alle nove", post.created_at)
    assert found is not None
    assert found.external_id == receipt.external_id


def test_answers_given_elsewhere_are_found_in_their_thread(town: Town) -> None:
    world = MastodonWorld(town)
    asked = town.mastodon.add_post("ugo@altrove.example", "@acme aiuto")
    answered = town.mastodon.add_post("acme", "@ugo@altrove.example eccoci", parent_id=asked)
    posts, cursor = read_all(world, None)
    answer = next(post for post in posts if post.external_id == answered)
    assert answer.parent_id == asked
    assert answer.author.external_id == world.connector().check().external_id
    later = town.mastodon.add_post("acme", "Buongiorno a tutti")
    assert [post.external_id for post in read_all(world, cursor)[0]] == [later]


def test_one_status_has_one_id_whatever_list_found_it(town: Town) -> None:
    uri = MastodonWorld(town).say("ciao #acme")
    assert find_post(MastodonWorld(town), uri).external_id == find_post(QueryWorld(town), uri).external_id


def test_private_mentions_are_left_alone_unless_asked_for(town: Town) -> None:
    public_only = MastodonWorld(town)
    private = town.mastodon.add_post("anna", "@acme il mio codice è 12", extra={"visibility": "direct"})
    assert read_all(public_only, None)[0] == []
    world = MastodonWorld(town, private_mentions=True)
    world.connector().reply(reference_to(find_post(world, private)), "Grazie")
    assert town.mastodon.replies_to(private)[0].extra["visibility"] == "direct"


def test_content_warning_becomes_title_and_is_kept_in_the_reply(town: Town) -> None:
    world = MastodonWorld(town)
    uri = town.mastodon.add_post("anna", "@acme è andata male", title="cibo")
    post = find_post(world, uri)
    assert post.title == "cibo"
    world.connector().reply(reference_to(post), "Ci dispiace")
    assert town.mastodon.replies_to(uri)[0].title == "cibo"


def test_author_is_mentioned_once(town: Town) -> None:
    world = MastodonWorld(town)
    post = find_post(world, world.say("ehi"))
    world.connector().reply(reference_to(post), "Ciao @anna, eccoci")
    assert world.answers(post.external_id) == ["Ciao @anna, eccoci"]


def test_reply_over_the_servers_limit_is_refused_before_sending(town: Town) -> None:
    world = MastodonWorld(town, max_characters=20)
    post = find_post(world, world.say("ehi"))
    with pytest.raises(PermanentError, match="20"):
        world.connector().reply(reference_to(post), "una risposta lunga più di venti caratteri")
    assert not [r for r in town.requests if r.method == "POST"]


def test_check_takes_the_servers_limit_unless_one_was_set(town: Town) -> None:
    town.mastodon.options["max_characters"] = 5000
    connector = MastodonWorld(town).connector()
    connector.check()
    assert connector.capabilities.max_length == 5000 - 32
    connector = MastodonWorld(town, max_characters=1000).connector()
    connector.check()
    assert connector.capabilities.max_length == 1000 - 32


def test_server_tells_its_own_limit(town: Town) -> None:
    town.mastodon.options["max_characters"] = 5000
    connector = MastodonWorld(town).connector()
    assert isinstance(connector, MastodonConnector)
    assert connector.read_max_characters() == 5000


def test_rate_limit_without_retry_after_reads_the_reset_time(town: Town) -> None:
    town.mastodon.options["rate_limit"] = 0
    with pytest.raises(RateLimitedError) as caught:
        MastodonWorld(town).connector().check()
    assert 290 <= caught.value.retry_after.total_seconds() <= 301


def test_query_combines_words_phrases_and_exclusions(town: Town) -> None:
    query = {
        "required": ["caffè"],
        "any_of": ["acme"],
        "phrases": ["pausa lunga"],
        "excluded": ["concorso"],
        "own_handles": ["@acme"],
    }
    wanted = [
        town.mastodon.add_post("anna", "il caffè acme è buono"),
        town.mastodon.add_post("bea", "una pausa lunga con il caffè"),
        town.mastodon.add_post("carlo", "#caffè da #acme"),
    ]
    town.mastodon.add_post("dora", "caffè acme, concorso a premi")
    town.mastodon.add_post("acme", "il nostro caffè acme")
    town.mastodon.add_post("enzo", "caffè e basta")
    world = MastodonWorld(town, kind=SourceKind.QUERY, query=query)
    posts, _ = read_all(world, None)
    assert {post.external_id for post in posts} == set(wanted)


def test_query_finds_a_hashtag_written_for_a_phrase(town: Town) -> None:
    uri = town.mastodon.add_post("anna", "viva la #PausaLunga")
    world = MastodonWorld(town, kind=SourceKind.QUERY, query={"phrases": ["pausa lunga"]})
    assert find_post(world, uri).external_id == uri


def test_query_that_needs_too_many_lists_says_so(town: Town) -> None:
    world = MastodonWorld(town, kind=SourceKind.QUERY, query={"any_of": [f"parola{n}" for n in range(20)]})
    with pytest.raises(BadQueryError, match="split"):
        world.connector().fetch(None, 20)


def test_parents_outside_the_page_are_looked_up_in_one_call(town: Town) -> None:
    world = MastodonWorld(town)
    roots = [town.mastodon.add_post("bea", f"pensiero {number}") for number in range(5)]
    _, cursor = read_all(world, None)
    for root in roots:
        world.say("e voi?", parent_id=root)
    before = len(town.requests)
    page = world.connector().fetch(cursor, 20)
    assert [post.parent_id for post in page.posts] == roots
    assert page.requests == len(town.requests) - before == 2


def test_missing_parent_leaves_the_reply_without_one(town: Town) -> None:
    world = MastodonWorld(town)
    root = town.mastodon.add_post("bea", "pensiero")
    reply = world.say("e voi?", parent_id=root)
    world.delete(root)
    assert find_post(world, reply).parent_id is None


def test_lists_that_come_late_do_not_hide_a_reply_for_ever(town: Town) -> None:
    world = MastodonWorld(town)
    post = find_post(world, world.say("ehi"))
    town.mastodon.options["listing_lag"] = 3600
    world.connector().reply(reference_to(post), "Eccoci")
    assert world.connector().find_reply(reference_to(post), "Eccoci", post.created_at) is None
    for late in town.mastodon.replies_to(post.external_id):
        late.visible_at = late.created_at
    assert world.connector().find_reply(reference_to(post), "Eccoci", post.created_at) is not None


def test_read_back_looks_through_more_than_one_page(town: Town) -> None:
    world = MastodonWorld(town)
    post = find_post(world, world.say("ehi"))
    world.connector().reply(reference_to(post), "Eccoci")
    for number in range(60):
        town.mastodon.add_post("acme", f"altro {number}")
    assert world.connector().find_reply(reference_to(post), "Eccoci", post.created_at) is not None


def test_unused_hashtag_that_is_404_is_no_lost_source(town: Town) -> None:
    town.faults.add(Fault(kind="404", network="mastodon", path="/timelines/tag/", times=-1))
    assert QueryWorld(town).connector().fetch(None, 20).posts == ()


def test_post_of_another_network_is_not_searched_for_ever(town: Town) -> None:
    with pytest.raises(PermanentError, match="does not find"):
        MastodonWorld(town).connector().thread(PostRef("https://nowhere.example/users/x/statuses/1"))


@pytest.mark.parametrize(
    "wire",
    [
        {"account": None},
        {"account": {}},
        {"created_at": "when?"},
        {"created_at": None},
        {"uri": 7},
        {"uri": "no address"},
    ],
)
def test_malformed_status_costs_only_itself(town: Town, wire: dict[str, Any]) -> None:
    world = MastodonWorld(town)
    kept = [world.say("prima")]
    town.mastodon.add_post("mal", "@acme strano", extra={"wire": wire})
    kept.append(world.say("dopo"))
    page = world.connector().fetch(None, 20)
    assert [post.external_id for post in page.posts] == kept
    assert len(page.bad) == 1
    assert page.bad[0].reason


@pytest.mark.parametrize("text", ["\x00", "\ud800", "x" * 200_000, "\u200fمرحبا", "\U0001f469\u200d\U0001f692" * 500])
def test_hostile_text_arrives_cleaned(town: Town, text: str) -> None:
    world = MastodonWorld(town)
    post = find_post(world, world.say(f"ecco {text}"))
    post.text.encode("utf-8")
    assert "\x00" not in post.text

"""Reddit by the real praw over the loopback town: the contract, and Reddit's own traps."""

from datetime import timedelta
from pathlib import Path

import praw
import pytest

from ascolto.demo.town import Town
from connectors.base import PostKind, PostRef
from connectors.contract import ConnectorContract, find_post, read_all, reference_to
from connectors.errors import AmbiguousError, AuthError, RateLimitedError, SourceGoneError
from connectors.reddit import RedditConnector
from connectors.reddit_client import RedditConfig
from connectors.transport import Transport
from tests.town_world import TownWorld

ACCOUNT = {"client_id": "app", "client_secret": "app-secret", "username": "brand", "password": "town"}


class CommunityWorld(TownWorld):
    """People write in our community: submissions, and comments under them."""

    writes = ("POST", "/api/comment")

    def __init__(self, town: Town) -> None:
        town.reddit.add_account("brand", "Brand")
        config = {"api_url": f"{town.url}/reddit", **ACCOUNT, "communities": ["brandhelp"]}
        super().__init__(town, town.reddit, RedditConnector, config)
        self.secret_words = ("app-secret",)

    def say(self, text: str, *, parent_id: str | None = None) -> str:
        return self.network.add_post(
            "anna", text, parent_id=parent_id, place="brandhelp", title="" if parent_id else "Aiuto"
        )

    def answers(self, external_id: str) -> list[str]:
        return [post.text for post in self.network.replies_to(external_id) if post.author == "brand"]

    def spoil(self) -> None:
        self.network.add_post("anna", "rotto", place="brandhelp", extra={"json": {"created_utc": "yesterday"}})


class InboxWorld(CommunityWorld):
    """People mention u/brand in somebody else's thread."""

    def __init__(self, town: Town) -> None:
        super().__init__(town)
        self.config = self.config.model_copy(update={"communities": ()})
        self.root = self.network.add_post("bruno", "Chi conosce questo marchio?", place="italy", title="Domanda")

    def say(self, text: str, *, parent_id: str | None = None) -> str:
        return self.network.add_post("anna", f"u/brand {text}", parent_id=parent_id or self.root)

    def spoil(self) -> None:
        self.network.add_post("anna", "u/brand", parent_id=self.root, extra={"json": {"body": None}})


class TestRedditCommunity(ConnectorContract):
    @pytest.fixture
    def world(self, town: Town) -> CommunityWorld:
        return CommunityWorld(town)


class TestRedditInbox(ConnectorContract):
    @pytest.fixture
    def world(self, town: Town) -> InboxWorld:
        return InboxWorld(town)

    def test_replies_keep_their_parent(self, world: InboxWorld) -> None:  # type: ignore[override]  # a mention's parent is the thread's root
        reply = world.say("anch'io")
        assert [post.parent_id for post in world.connector().fetch(None, 5).posts] == [world.root]
        assert reply.startswith("t1_")

    def test_thread_is_whole_and_root_first(self, world: InboxWorld) -> None:  # type: ignore[override]  # as above
        branch = world.say("ramo")
        world.say("foglia", parent_id=branch)
        asked = world.connector().fetch(None, 5).posts[0]
        thread = world.connector().thread(reference_to(asked))
        assert [post.external_id for post in thread][:2] == [world.root, branch]
        assert len(thread) == 3


@pytest.fixture
def world(town: Town) -> CommunityWorld:
    return CommunityWorld(town)


def with_config(world: CommunityWorld, **changes: object) -> RedditConnector:
    config = {**world.config.model_dump(), **changes}
    return RedditConnector(RedditConfig.model_validate(config), transport=Transport(timeout_seconds=2))


def comments_only(world: CommunityWorld) -> RedditConnector:
    """A source without an account: comments and posts of a community are its only listings."""
    return with_config(world, username="", password=None)


def read_on(world: CommunityWorld, cursor: str | None) -> tuple[list[str], str | None]:
    found: list[str] = []
    while True:
        page = comments_only(world).fetch(cursor, 5)
        found += [post.external_id for post in page.posts]
        cursor = page.cursor
        if not page.more:
            return found, cursor


def test_a_deleted_anchor_does_not_silence_the_source(world: CommunityWorld) -> None:
    root = world.say("Domanda")
    anchor = world.say("l'ultimo letto", parent_id=root)
    _, cursor = read_on(world, None)
    world.delete(anchor)
    new = world.say("dopo l'ancora perduta", parent_id=root)
    found: list[str] = []
    for _ in range(RedditConfig.model_fields["recheck_every"].default + 1):
        names, cursor = read_on(world, cursor)
        found += names
    assert found == [new]
    newest = world.say("e ora si continua", parent_id=root)
    assert read_on(world, cursor)[0] == [newest]


def test_a_listing_read_afresh_repeats_nothing(world: CommunityWorld) -> None:
    root = world.say("Domanda")
    for number in range(12):
        world.say(f"commento {number}", parent_id=root)
    found, cursor = read_on(world, None)
    assert len(found) == 13
    for _ in range(9):
        names, cursor = read_on(world, cursor)
        assert names == []


def test_an_answer_that_mentions_us_comes_once(world: CommunityWorld) -> None:
    ours = world.network.add_post("brand", "Benvenuti", place="brandhelp", title="Regole")
    world.say("u/brand grazie", parent_id=ours)
    posts, _ = read_all(world, None)
    names = [post.external_id for post in posts]
    assert len(names) == len(set(names)) == 2
    assert next(post for post in posts if post.parent_id).kind is PostKind.MENTION


def test_take_a_break_says_how_long(world: CommunityWorld) -> None:
    post = find_post(world, world.say("aiuto"))
    world.network.options["break_minutes"] = 9
    with pytest.raises(RateLimitedError) as caught:
        world.connector().reply(reference_to(post), "Eccoci")
    assert caught.value.retry_after == timedelta(minutes=9)


def test_a_used_up_window_raises_instead_of_sleeping(world: CommunityWorld) -> None:
    connector = world.connector()
    connector.fetch(None, 5)
    world.network.options["rate_limit"] = world.network._used + 1
    connector.fetch(None, 5)
    sent = world.request_count()
    with pytest.raises(RateLimitedError) as caught:
        connector.fetch(None, 5)
    assert timedelta(seconds=40) < caught.value.retry_after <= timedelta(seconds=42)
    assert world.request_count() == sent


def test_communities_that_are_closed_or_gone(world: CommunityWorld) -> None:
    world.network.options |= {"private": ["brandhelp"]}
    with pytest.raises(AuthError, match="private"):
        comments_only(world).check()
    world.network.options |= {"private": [], "missing": ["brandhelp"]}
    with pytest.raises(SourceGoneError):
        comments_only(world).fetch(None, 5)


@pytest.mark.parametrize(
    "change",
    [
        {"password": "wrong"},
        {"username": "nobody"},
        {"client_id": "refused"},
        {"refresh_token": "refresh-no", "username": ""},
    ],
)
def test_refused_keys_are_an_auth_error(world: CommunityWorld, change: dict[str, str]) -> None:
    world.network.options["refused_clients"] = ["refused"]
    with pytest.raises(AuthError):
        with_config(world, **change).check()


def test_a_refresh_token_signs_in_too(world: CommunityWorld) -> None:
    connector = with_config(world, username="", password=None, refresh_token="refresh-brand")
    assert connector.check().handle == "brand"


def test_a_praw_ini_nearby_has_no_say(world: CommunityWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "praw.ini").write_text("[DEFAULT]\noauth_url=http://127.0.0.1:9/\nratelimit_seconds=600\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("praw_site", "elsewhere")
    monkeypatch.setattr(praw.config.Config, "CONFIG", None)
    monkeypatch.setenv("PRAW_ALLOW_ENDPOINT_OVERRIDE", "1")
    assert world.connector().check().handle == "brand"


def test_search_finds_submissions_and_fitting_comments(world: CommunityWorld) -> None:
    hit = world.network.add_post("anna", "La scopa elettrica perde colpi", place="italy", title="Brand")
    world.network.add_post("brand", "La nostra scopa", place="italy", title="Novità Brand")
    world.network.add_post("anna", "scopa usata", place="italy", title="Brand, vendo")
    comment = world.network.add_post("bruno", "Anche la mia scopa Brand", parent_id=hit)
    world.network.add_post("bruno", "Bella giornata", parent_id=hit)
    query = {"required": ["scopa", "brand"], "excluded": ["vendo"], "own_handles": ["brand", "u/brand"]}
    connector = with_config(world, kind="query", query=query, communities=["italy"])
    found, cursor = [], None
    for _ in range(9):
        page = connector.fetch(cursor, 5)
        found += [post.external_id for post in page.posts]
        cursor = page.cursor
    assert found == [hit, comment]


def test_a_long_thread_is_bounded_but_holds_the_post_asked_for(world: CommunityWorld) -> None:
    root = world.say("Domanda")
    names = [world.say(f"risposta {number}", parent_id=root) for number in range(8)]
    asked = world.say("in fondo", parent_id=names[-1])
    world.network.options["fold_after"] = 3
    post = PostRef(external_id=asked, thread_id=root)
    whole = comments_only(world).thread(post)
    assert {item.external_id for item in whole} == {root, *names, asked}
    assert all(item.audience == 12_345 for item in whole)
    bounded = with_config(world, thread_more=0).thread(post)
    assert {item.external_id for item in bounded} == {root, *names[:3], names[-1], asked}
    assert bounded[0].external_id == root


def test_reading_without_an_account_cannot_answer(world: CommunityWorld) -> None:
    said = world.say("ciao")
    connector = comments_only(world)
    assert connector.check().external_id == ""
    assert not connector.capabilities.can_reply
    permission = connector.can_reply(PostRef(external_id=said, url="https://www.reddit.com/x"))
    assert not permission.allowed
    assert permission.permalink == "https://www.reddit.com/x"


def test_nothing_is_asked_twice_and_nothing_sleeps_on_500(world: CommunityWorld) -> None:
    post = find_post(world, world.say("aiuto"))
    world.break_calls("commit_then_500", writes=True)
    before = world.request_count()
    with pytest.raises(AmbiguousError):
        world.connector().reply(reference_to(post), "Una volta sola")
    posted = [r for r in world.town.requests[before:] if r.path.startswith("/api/comment")]
    assert len(posted) == 1

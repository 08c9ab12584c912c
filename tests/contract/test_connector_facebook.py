"""Facebook Pages by the real facebook-sdk over the loopback town: the contract, and Facebook's own traps."""

from datetime import timedelta

import pytest

from ascolto.demo.town import Town
from connectors.base import PostKind, PostRef, utc_now
from connectors.contract import ConnectorContract, find_post, read_all, reference_to
from connectors.errors import AuthError, BadQueryError, PermanentError, RateLimitedError, SourceGoneError
from connectors.facebook import FacebookConfig, FacebookConnector
from connectors.transport import Transport
from tests.town_world import TownWorld


class PageWorld(TownWorld):
    """People write on our page and comment there."""

    def __init__(self, town: Town) -> None:
        page = town.facebook.add_account("brand", "Brand", extra={"is_page": True})
        config = {"api_url": f"{town.url}/facebook", "page_id": page.id, "page_token": "town-facebook-brand"}
        super().__init__(town, town.facebook, FacebookConnector, config)
        self.secret_words = ("town-facebook-brand",)

    def say(self, text: str, *, parent_id: str | None = None) -> str:
        return self.network.add_post("anna", text, parent_id=parent_id, place="" if parent_id else "brand")

    def answers(self, external_id: str) -> list[str]:
        return [post.text for post in self.network.replies_to(external_id) if post.author == "brand"]

    def spoil(self) -> None:
        self.network.add_post("anna", "rotto", place="brand", extra={"json": {"created_time": "yesterday"}})


class CommentWorld(PageWorld):
    """People comment under one post of our page."""

    def __init__(self, town: Town) -> None:
        super().__init__(town)
        self.post = self.network.add_post("brand", "Che ne pensate?", place="brand")

    def say(self, text: str, *, parent_id: str | None = None) -> str:
        return self.network.add_post("anna", text, parent_id=parent_id or self.post)

    def spoil(self) -> None:
        self.network.add_post("anna", "rotto", parent_id=self.post, extra={"json": {"message": {"no": "text"}}})


class TestFacebookPage(ConnectorContract):
    @pytest.fixture
    def world(self, town: Town) -> PageWorld:
        return PageWorld(town)


class TestFacebookComments(ConnectorContract):
    @pytest.fixture
    def world(self, town: Town) -> CommentWorld:
        return CommentWorld(town)

    def test_thread_is_whole_and_root_first(self, world: CommentWorld) -> None:  # type: ignore[override]  # the root is our post
        branch = world.say("ramo")
        leaf = world.say("foglia", parent_id=branch)
        thread = world.connector().thread(reference_to(find_post(world, leaf)))
        assert [post.external_id for post in thread] == [world.post, branch, leaf]
        assert [post.parent_id for post in thread] == [None, world.post, branch]


@pytest.fixture
def world(town: Town) -> CommentWorld:
    return CommentWorld(town)


def with_config(world: PageWorld, **changes: object) -> FacebookConnector:
    config = FacebookConfig.model_validate({**world.config.model_dump(), **changes})
    return FacebookConnector(config, transport=Transport(timeout_seconds=2))


def test_the_token_is_in_no_address_and_no_body(world: CommentWorld) -> None:
    comment = world.say("aiuto")
    post = find_post(world, comment)
    connector = world.connector()
    connector.check()
    connector.reply(reference_to(post), "Eccoci")
    connector.hide(reference_to(post))
    connector.refresh([comment])
    for request in world.town.requests:
        assert "town-facebook-brand" not in f"{request.path}{request.query}"
        assert b"town-facebook-brand" not in request.body


def test_calls_are_proved_with_the_app_secret(world: CommentWorld) -> None:
    world.network.options["app_secret"] = "sapp"
    with pytest.raises(PermanentError, match="appsecret_proof"):
        world.connector().check()
    assert with_config(world, app_secret="sapp").check().handle == "brand"


def test_pages_go_on_by_cursor_and_next_is_never_followed(world: CommentWorld) -> None:
    for number in range(12):
        world.say(f"commento {number}")
    posts, _ = read_all(world, None)
    assert len([post for post in posts if post.author.display_name == "anna"]) == 12
    assert all("access_token" not in request.query for request in world.town.requests)


def test_a_comment_under_an_old_post_is_heard_by_the_next_poll(world: CommentWorld) -> None:
    old = world.network.add_post("brand", "Vecchio post", place="brand")
    for number in range(3):
        world.network.add_post("brand", f"Più recente {number}", place="brand")
    _, cursor = read_all(world, None)
    late = world.say("e questo?", parent_id=old)
    posts, _ = read_all(world, cursor)
    assert [post.external_id for post in posts] == [late]
    assert posts[0].thread_id == old
    assert posts[0].kind is PostKind.COMMENT


def test_a_quiet_poll_asks_for_the_two_listings_only(world: CommentWorld) -> None:
    world.network.add_post("brand", "Uno", place="brand", created_at=utc_now() - timedelta(hours=2))
    world.network.posts.pop(next(iter(world.network.posts)))
    _, cursor = read_all(world, None)
    before = world.request_count()
    read_all(world, cursor)
    paths = [request.path.rsplit("/", 1)[-1] for request in world.town.requests[before:]]
    assert paths == ["feed", "tagged"]


def test_posts_that_tag_us_are_mentions(world: CommentWorld) -> None:
    tagged = world.network.add_post("bruno", "Consiglio Brand!", extra={"tags": "brand"})
    post = find_post(world, tagged)
    assert post.kind is PostKind.MENTION
    assert post.mentions_us


def test_hidden_authors_are_not_one_person(world: CommentWorld) -> None:
    world.network.options["hides_authors"] = True
    one, two = world.say("sono io"), world.say("no, io")
    authors = {find_post(world, one).author.external_id, find_post(world, two).author.external_id}
    assert len(authors) == 2


def test_throttling_waits_as_long_as_facebook_says(world: CommentWorld) -> None:
    world.network.options["throttle_minutes"] = 19
    world.break_calls("429")
    with pytest.raises(RateLimitedError) as caught:
        world.connector().fetch(None, 5)
    assert caught.value.retry_after == timedelta(minutes=19)


def test_a_missing_permission_is_named(world: CommentWorld) -> None:
    post = find_post(world, world.say("ciao"))
    world.network.options["missing_permissions"] = ["pages_read_engagement", "pages_manage_engagement"]
    with pytest.raises(AuthError, match="pages_read_engagement"):
        world.connector().fetch(None, 5)
    with pytest.raises(PermanentError, match="pages_manage_engagement"):
        world.connector().reply(reference_to(post), "Ciao!")


def test_a_persons_token_is_refused_with_the_cure(world: CommentWorld) -> None:
    world.network.add_account("anna")
    with pytest.raises(AuthError, match="/me/accounts"):
        with_config(world, page_token="town-facebook-anna").check()


def test_a_retired_version_is_said_and_a_setting(world: CommentWorld) -> None:
    with pytest.raises(PermanentError, match="deprecated version"):
        with_config(world, version="19.0").check()
    assert with_config(world, version="v25.0").check().handle == "brand"


def test_there_is_no_search_by_words(world: CommentWorld) -> None:
    connector = with_config(world, kind="query", query={"any_of": ["brand"]})
    with pytest.raises(BadQueryError, match="no search by words"):
        connector.fetch(None, 5)
    with pytest.raises(BadQueryError):
        connector.check()
    assert not connector.capabilities.can_search


def test_an_answer_to_an_answer_is_found_beside_it(world: CommentWorld) -> None:
    leaf = world.say("anche a me", parent_id=world.say("non va"))
    post, since = find_post(world, leaf), utc_now()
    receipt = world.connector().reply(reference_to(post), "Ecco come fare")
    found = world.connector().find_reply(reference_to(post), "Ecco come fare", since)
    assert found is not None
    assert found.external_id == receipt.external_id


def test_a_deleted_post_takes_only_its_own_comments(world: CommentWorld) -> None:
    other = world.network.add_post("brand", "Altro", place="brand")
    world.say("sotto il primo")
    kept = world.say("sotto l'altro", parent_id=other)
    page = world.connector().fetch(None, 50)
    world.network.delete_post(world.post)
    posts, _ = read_all(world, page.cursor)
    assert kept in {post.external_id for post in posts}


def test_hide_hides_comments_of_others_only(world: CommentWorld) -> None:
    comment = find_post(world, world.say("spam"))
    world.connector().hide(reference_to(comment))
    assert world.network.post(comment.external_id).is_hidden
    with pytest.raises(PermanentError):
        world.connector().hide(PostRef(external_id=world.post))


def test_a_page_that_is_gone_ends_the_source(world: CommentWorld) -> None:
    with pytest.raises(SourceGoneError):
        with_config(world, page_id="4242").fetch(None, 5)

"""RSS and Atom by feedparser against the town: the contract, conditional requests, broken feeds."""

import html
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from ascolto.demo.town import Town
from connectors.contract import ConnectorContract, read_all, reference_to
from connectors.errors import AuthError, SourceGoneError, TransientError
from connectors.rss import RssConfig, RssConnector
from connectors.rss_entries import parse_feed, read_entry
from connectors.transport import FetchedDocument
from tests.town_world import TownWorld


class FeedWorld(TownWorld):
    """A feed called news."""

    has_replies = False

    def __init__(self, town: Town, *, account: dict[str, Any] | None = None, **changes: Any) -> None:
        town.feeds.add_account("news", "Notizie & dintorni", extra=account)
        super().__init__(town, town.feeds, RssConnector, {"url": f"{town.url}/feeds/news.xml", **changes})

    def say(self, text: str, *, parent_id: str | None = None) -> str:  # noqa: ARG002 - feeds have no replies
        return self.network.add_post("news", f"<p>{html.escape(text)}</p>", extra={"author": "Anna"})

    def spoil(self) -> None:
        self.network.add_post("news", "")


class TestRss(ConnectorContract):
    @pytest.fixture
    def world(self, town: Town) -> FeedWorld:
        return FeedWorld(town)


class TestAtom(ConnectorContract):
    @pytest.fixture
    def world(self, town: Town) -> FeedWorld:
        return FeedWorld(town, account={"format": "atom"})


class TestFeedWithoutTags(ConnectorContract):
    @pytest.fixture
    def world(self, town: Town) -> FeedWorld:
        town.feeds.options.update(has_etag=False, has_last_modified=False)
        return FeedWorld(town)


@pytest.mark.parametrize("has_etag", [True, False])
def test_unchanged_feed_is_not_sent_again(town: Town, has_etag: bool) -> None:  # noqa: FBT001 - parametrised
    town.feeds.options["has_etag"] = has_etag
    world = FeedWorld(town)
    world.say("uno")
    _, cursor = read_all(world, None)
    page = world.connector().fetch(cursor, 20)
    assert (page.posts, page.more, page.cursor) == ((), False, cursor)
    assert town.requests[-1].answer == "304"


def test_unread_rest_is_not_hidden_by_not_modified(town: Town) -> None:
    world = FeedWorld(town)
    said = [world.say(f"numero {n}") for n in range(7)]
    first = world.connector().fetch(None, 5)
    second = world.connector().fetch(first.cursor, 5)
    assert first.more
    assert {post.external_id for post in (*first.posts, *second.posts)} == set(said)


def test_query_filters_entries(town: Town) -> None:
    world = FeedWorld(town, query={"required": ["caffè"], "excluded": ["concorso"]})
    wanted = world.say("Il Caffè di una volta")
    world.say("Il tè di una volta")
    world.say("Caffè a concorso")
    posts, _ = read_all(world, None)
    assert [post.external_id for post in posts] == [wanted]


@pytest.mark.parametrize("broken", ["truncated", "mislabelled"])
def test_broken_feed_is_read_as_far_as_it_goes(town: Town, broken: str) -> None:
    world = FeedWorld(town, account={"broken": broken})
    for number in range(3):
        world.say(f"perché no {number}")
    posts, _ = read_all(world, None)
    assert len(posts) == 3
    assert "no 2" in posts[2].text


@pytest.mark.parametrize("broken", ["html", "empty"])
def test_page_instead_of_a_feed_is_waited_out_but_never_accepted(town: Town, broken: str) -> None:
    connector = FeedWorld(town, account={"broken": broken}).connector()
    with pytest.raises(TransientError):
        connector.fetch(None, 20)
    with pytest.raises(SourceGoneError, match="no RSS or Atom feed"):
        connector.check()


@pytest.mark.parametrize(("status", "error"), [(404, SourceGoneError), (410, SourceGoneError), (403, AuthError)])
def test_refused_feed_is_named(town: Town, status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        FeedWorld(town, account={"status": status}).connector().fetch(None, 20)


def test_check_gives_the_title(town: Town) -> None:
    assert FeedWorld(town).connector().check().display_name == "Notizie & dintorni"


def test_entry_keeps_title_author_link_and_plain_text(town: Town) -> None:
    world = FeedWorld(town)
    moment = datetime(2026, 5, 1, 8, tzinfo=UTC)
    town.feeds.add_post(
        "news",
        "<p>A &lt; B</p><script>x()</script>",
        title="Prezzi & saldi",
        created_at=moment,
        extra={"author": "Bea"},
    )
    (post,), _ = read_all(world, None)
    assert (post.title, post.text, post.author.handle) == ("Prezzi & saldi", "A < B", "Bea")
    assert post.created_at == moment
    assert post.url is not None
    assert world.connector().can_reply(reference_to(post)).permalink == post.url


def test_entry_without_date_is_dated_when_found() -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    body = (
        b'<rss version="2.0"><channel><title>x</title><item><guid>1</guid><description>ciao</description></item>'
        b"<item><guid>1</guid><description>doppio</description></item></channel></rss>"
    )
    parsed = parse_feed(FetchedDocument("u", 200, {}, body))
    post = read_entry(parsed.entries[0], parsed.feed, feed_url="https://a.example/f", now=now)
    assert post.created_at == now
    assert post.external_id == "https://a.example/f#1"


@pytest.mark.parametrize("url", ["ftp://a.example/x", "/etc/passwd", "https://", "https://me:secret@a.example/f"])
def test_address_that_is_no_feed_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        RssConfig(url=url)


def test_first_sync_that_is_ended_forgets_what_was_older(town: Town) -> None:
    world = FeedWorld(town)
    said = [world.say(f"vecchio {n}") for n in range(12)]
    page = world.connector().fetch(None, 5)
    assert {post.external_id for post in page.posts} == set(said[-5:])
    assert page.cursor is not None
    cursor = world.connector().end_walk(page.cursor)
    new = world.say("nuovo")
    posts, _ = read_all(world, cursor)
    assert [post.external_id for post in posts] == [new]

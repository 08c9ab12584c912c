"""Recorded answers of Reddit, played to our connector through the real praw."""

from typing import Any

import pytest

from connectors.base import PostKind, PostRef
from connectors.errors import AmbiguousError
from connectors.reddit import RedditConnector
from connectors.reddit_client import RedditConfig
from connectors.transport import Transport
from tests.playback import Playback, Recorded, answer_from, load_cassette, playing
from tests.shared_data import shared_data

pytestmark = pytest.mark.recordings

INBOX = (
    ("TestInbox.test_mentions.json", "/message/mentions"),
    ("TestInbox.test_comment_replies.json", "/message/comments/"),
    ("TestInbox.test_unread.json", "/message/unread/"),
    ("TestInbox.test_mark_read.json", "/message/unread/"),
    ("TestInbox.test_stream.json", "/message/unread/"),
)
COMMUNITIES = (
    ("TestSubredditListings.test_comments.json", "askreddit"),
    ("TestSubredditStreams.test_comments.json", "all"),
    ("TestSubredditStreams.test_comments__with_pause.json", "kakapo"),
    ("TestSubredditStreams.test_submissions.json", "all"),
)
SEARCH = "TestSubreddit.test_search.json"
THREAD = "TestSubmission.test_comments.json"
BRANCHES = ("TestComment.test_parent__chain.json", "TestComment.test_refresh.json")
REPLY, REPLY_UNSEEN, UNKNOWN = (
    "TestComment.test_reply.json",
    "TestComment.test_reply__none.json",
    "TestComment.test_invalid.json",
)
REPLAYED = tuple(
    f"reddit/{name}"
    for name in (
        *(name for name, _ in INBOX),
        *(name for name, _ in COMMUNITIES),
        SEARCH,
        THREAD,
        *BRANCHES,
        REPLY,
        REPLY_UNSEEN,
        UNKNOWN,
    )
)


def load(name: str) -> list[Recorded]:
    return load_cassette(shared_data(f"recorded/reddit/{name}"))


def reddit(playback: Playback, **changes: Any) -> RedditConnector:
    keys: dict[str, Any] = {"client_id": "recorded", "client_secret": "recorded", "api_url": playback.url}
    config = RedditConfig.model_validate({**keys, "username": "username", "password": "password", **changes})
    return RedditConnector(config, transport=Transport(timeout_seconds=5))


def children(recorded: Recorded) -> list[dict[str, Any]]:
    return [child for child in recorded.json["data"]["children"] if child["kind"] in {"t1", "t3"}]


def standing(recorded: Recorded) -> set[str]:
    """The names of what was neither deleted nor removed, told outside the product."""
    found = set()
    for child in children(recorded):
        data = child["data"]
        words = data["body"] if child["kind"] == "t1" else data["selftext"]
        is_empty_shell = child["kind"] == "t3" and data["author"] in {None, "[deleted]"} and not words
        if words not in {"[deleted]", "[removed]"} and not is_empty_shell:
            found.add(data["name"])
    return found


@pytest.mark.parametrize(("name", "path"), INBOX)
def test_the_inbox_is_read(name: str, path: str) -> None:
    recorded = load(name)
    listing = next(item for item in recorded if item.path == path)
    # Unread items have the inbox's own shape: they are played where our connector reads the inbox.
    listing.path = "/message/mentions" if path == "/message/unread/" else path
    nothing = {"kind": "Listing", "data": {"children": [], "after": None}}
    others = [
        answer_from(nothing, other)
        for other in ("/message/mentions", "/message/comments/", "/message/selfreply/")
        if other != listing.path
    ]
    found, cursor = [], None
    with playing([recorded[0], listing, *others]) as playback:
        for _ in range(3):
            page = reddit(playback).fetch(cursor, 100)
            assert page.bad == ()
            found += page.posts
            cursor = page.cursor
            if found:
                break
    assert {post.external_id for post in found} == standing(listing)
    assert all(post.thread_id and post.thread_id.startswith("t3_") and post.url for post in found)
    assert {post.kind for post in found} <= {PostKind.MENTION, PostKind.REPLY}


@pytest.mark.parametrize(("name", "community"), COMMUNITIES)
def test_communities_are_read(name: str, community: str) -> None:
    recorded = load(name)
    listings = [item for item in recorded if item.path.startswith("/r/")]
    is_posts = listings[0].path.endswith("/new")
    for listing in listings:
        answer = Recorded("GET", listing.path, {}, 200, listing.body)
        with playing([recorded[0], answer]) as playback:
            connector = reddit(playback, username="", password=None, communities=[community])
            page = connector.fetch('{"turn":1,"places":{}}' if is_posts else None, 100)
        assert page.bad == ()
        assert {post.external_id for post in page.posts} == standing(listing)
        assert all(post.author.external_id for post in page.posts)
        times = [post.created_at for post in page.posts]
        assert times == sorted(times)


def test_search_results_are_read() -> None:
    recorded = load(SEARCH)
    query = {"required": ["praw", "oauth", "search"]}
    with playing(recorded) as playback:
        page = reddit(playback, kind="query", query=query).fetch(None, 100)
    assert {post.external_id for post in page.posts} == standing(recorded[1])
    assert all(post.title for post in page.posts)
    assert page.bad == ()


def test_a_thread_is_read() -> None:
    recorded = load(THREAD)
    with playing(recorded) as playback:
        thread = reddit(playback, thread_more=0).thread(PostRef(external_id="t3_2gmzqe"))
    assert thread[0].external_id == "t3_2gmzqe"
    assert len(thread) == 1 + _count(recorded[1].json[1])
    assert {post.thread_id for post in thread} == {"t3_2gmzqe"}


@pytest.mark.parametrize("name", BRANCHES)
def test_comments_with_their_context_are_read(name: str) -> None:
    recorded = load(name)
    comment = children(recorded[1])[0]["data"]
    for branch in recorded[2:]:
        asked = f"t1_{branch.path.rsplit('/', 1)[-1]}"
        root = comment["link_id"]
        whole = Recorded("GET", f"/comments/{root[3:]}", {}, 200, branch.body)
        with playing([recorded[0], whole, branch]) as playback:
            thread = reddit(playback, thread_more=0).thread(PostRef(external_id=asked, thread_id=root))
        assert thread[0].external_id == root
        assert asked in {post.external_id for post in thread}
    with playing(recorded[:2]) as playback:
        (status,) = reddit(playback).refresh([comment["name"]])
    assert not status.is_deleted
    assert status.text


def test_a_reply_gives_a_receipt() -> None:
    recorded = load(REPLY)
    with playing(recorded) as playback:
        receipt = reddit(playback).reply(PostRef(external_id="t1_d1616q2"), "Comment reply")
    assert receipt.external_id == recorded[1].json["json"]["data"]["things"][0]["data"]["name"]
    assert receipt.created_at is not None


def test_a_reply_reddit_does_not_show_is_in_doubt() -> None:
    with playing(load(REPLY_UNSEEN)) as playback, pytest.raises(AmbiguousError):
        reddit(playback).reply(PostRef(external_id="t1_eear2ml"), "TEST")


def test_an_unknown_comment_is_not_judged() -> None:
    with playing(load(UNKNOWN)) as playback:
        assert reddit(playback).refresh(["t1_0"]) == ()


def _count(listing: dict[str, Any]) -> int:
    """How many comments a tree holds, counted outside the product."""
    total = 0
    for child in listing["data"]["children"]:
        if child["kind"] == "t1":
            replies = child["data"]["replies"]
            total += 1 + (_count(replies) if isinstance(replies, dict) else 0)
    return total

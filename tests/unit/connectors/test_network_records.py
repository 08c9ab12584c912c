"""Hostile records of X, Facebook and Reddit: read or handed over as bad, never a crash, never a neighbour lost."""

from datetime import timedelta

import praw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import PostKind
from connectors.errors import (
    AmbiguousError,
    AuthError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
    TransientError,
)
from connectors.facebook_cursor import FacebookCursor
from connectors.facebook_posts import Where
from connectors.facebook_posts import read_records as read_facebook
from connectors.graph_api import MissingNodeError, error_of, next_arguments, wait_of
from connectors.reddit_listing import Place, RedditCursor, move
from connectors.reddit_posts import RedditRecords, read_listing
from connectors.x_cursor import XCursor, advance
from connectors.x_posts import OwnNames, same_words, time_of
from connectors.x_posts import read_records as read_x

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
REDDIT = praw.Reddit("DEFAULT", client_id="x", client_secret=None, user_agent="test agent", check_for_updates=False)


def spoiled(whole: dict[str, object]) -> st.SearchStrategy[dict[str, object]]:
    """Records like `whole` with some fields replaced by anything or missing."""
    return st.fixed_dictionaries(
        {}, optional={name: st.one_of(st.just(value), ANYTHING) for name, value in whole.items()}
    )


X_RECORD = {
    "id": "1578522401263919106",
    "text": "ciao",
    "author_id": "7",
    "created_at": "2026-11-10T09:00:00.000Z",
    "referenced_tweets": [{"type": "replied_to", "id": "5"}],
    "entities": {"urls": [{"url": "https://t.co/a", "expanded_url": "https://example.com"}], "mentions": []},
    "public_metrics": {"like_count": 1},
    "edit_history_tweet_ids": ["1578522401263919106"],
    "attachments": {"media_keys": ["1"]},
    "note_tweet": {"text": "lungo"},
    "lang": "it",
}
FACEBOOK_RECORD = {
    "id": "1_2",
    "message": "ciao",
    "created_time": "2026-11-10T09:00:00+0000",
    "updated_time": "2026-11-10T09:00:00+0000",
    "from": {"id": "3", "name": "Anna", "picture": {"data": {"url": "https://example.com/a.png"}}},
    "attachments": {"data": [{"media_type": "photo", "media": {"image": {"src": "https://example.com/b.png"}}}]},
    "comments": {"summary": {"total_count": 2}},
    "parent": {"id": "1_1"},
    "permalink_url": "https://www.facebook.com/1_2",
}
REDDIT_RECORD = {
    "name": "t1_abc",
    "id": "abc",
    "body": "ciao",
    "author": "anna",
    "author_fullname": "t2_x",
    "created_utc": 1_700_000_000.0,
    "edited": False,
    "link_id": "t3_root",
    "parent_id": "t3_root",
    "permalink": "/r/italy/comments/root/_/abc/",
    "subreddit": "italy",
    "score": 3,
}


@settings(max_examples=150, deadline=None)
@given(spoiled(X_RECORD))
def test_any_record_of_x_is_read_or_bad(record: dict[str, object]) -> None:
    records = read_x({"data": [record, X_RECORD], "includes": {"users": [record]}}, own=OwnNames())
    assert len(records.posts) + len(records.bad) == 2
    assert records.posts[-1].text == "lungo"


@settings(max_examples=150, deadline=None)
@given(spoiled(FACEBOOK_RECORD), st.sampled_from([PostKind.POST, PostKind.COMMENT]))
def test_any_record_of_facebook_is_read_or_bad(record: dict[str, object], kind: PostKind) -> None:
    posts, bad = read_facebook([record, FACEBOOK_RECORD], Where("9", kind, "1_0"))
    assert len(posts) + len(bad) == 2
    assert posts[-1].external_id == "1_2"


@settings(max_examples=150, deadline=None)
@given(spoiled(REDDIT_RECORD))
def test_any_record_of_reddit_is_read_or_bad(record: dict[str, object]) -> None:
    children = [{"kind": "t1", "data": record}, {"kind": "t1", "data": dict(REDDIT_RECORD)}, {"kind": "t4", "data": {}}]
    records = read_listing(REDDIT, {"data": {"children": children, "after": None}})
    assert records.posts[-1].external_id == "t1_abc"
    assert all(record.reason for record in records.bad)


def test_nul_and_surrogates_become_readable() -> None:
    (post,) = read_x({"data": [{**X_RECORD, "text": "a\x00b\ud800c", "note_tweet": None}]}, own=OwnNames()).posts
    assert post.text == "a\ufffdb\ufffdc"


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.text(max_size=30), ANYTHING.map(str)))
def test_any_cursor_text_is_taken(text: str) -> None:
    XCursor.parse(text).dump()
    RedditCursor.parse(text).dump()
    FacebookCursor.parse(text).dump()


def test_cursors_come_back_as_they_were() -> None:
    place = Place(before="t1_a", newest=5.0, seen=("t1_a",), quiet=2, after="t1_b", top="t1_c", top_time=6.0, walked=7)
    assert RedditCursor.parse(RedditCursor({"mentions": place}, 2).dump()) == RedditCursor({"mentions": place}, 2)
    cursor = XCursor(since="1", page_token="t", until="9", top="8", seen=3)
    assert XCursor.parse(cursor.dump()) == cursor


def test_a_cut_page_of_x_leaves_the_rest_for_the_next_call() -> None:
    items = [{**X_RECORD, "id": str(1578522401263919106 + n)} for n in range(5)]
    posts = read_x({"data": items}, own=OwnNames()).posts
    after, kept, more = advance(XCursor(since="1"), posts, {"meta": {"next_token": "t"}}, 2)
    assert [post.external_id for post in kept] == [item["id"] for item in items[3:]]
    assert (after.until, after.page_token, more) == (items[3]["id"], None, True)


def test_an_id_of_x_tells_its_time() -> None:
    assert time_of("1578522401263919106").isoformat(timespec="seconds") == "2022-10-07T23:07:22+00:00"


def test_read_back_on_x_sees_through_mentions_and_links() -> None:
    assert same_words("Eccoci: https://example.com/a & b", "@anna @bruno Eccoci: https://t.co/abc &amp; b")
    assert not same_words("Eccoci", "@anna Eccoci qui")


def test_an_empty_anchored_page_counts_as_quiet() -> None:
    place = Place(before="t1_a", newest=5.0)
    after, posts, more = move(place, RedditRecords((), (), (), None), {"before": "t1_a"}, 100)
    assert (after.quiet, posts, more) == (1, (), False)


@pytest.mark.parametrize(
    ("code", "sent", "wanted"),
    [
        (4, False, RateLimitedError),
        (17, True, RateLimitedError),
        (80014, False, RateLimitedError),
        (190, True, AuthError),
        (102, False, AuthError),
        (10, False, AuthError),
        (200, True, PermanentError),
        (803, False, MissingNodeError),
        (2, False, TransientError),
        (1, True, AmbiguousError),
        (100, False, PermanentError),
        ("190", False, PermanentError),
        (None, False, PermanentError),
    ],
)
def test_graph_errors_are_named_by_code(code: object, sent: bool, wanted: type[ConnectorError]) -> None:  # noqa: FBT001 - a parameter of the case
    error = error_of({"code": code, "message": "access_token=abcdef123 broke"}, 400, {}, sent=sent)
    assert type(error) is wanted
    assert "abcdef123" not in error.message


@pytest.mark.parametrize("problem", ["text", 7, [], {"code": []}])
def test_a_graph_error_of_another_shape_is_an_error_still(problem: object) -> None:
    assert isinstance(error_of(problem, 500, {}, sent=False), TransientError)


@pytest.mark.parametrize(
    ("usage", "minutes"),
    [
        ('{"1": [{"estimated_time_to_regain_access": 19}, {"estimated_time_to_regain_access": 3}]}', 19),
        ('{"1": "odd"}', 5),
        ("not json", 5),
        ('{"1": [{"estimated_time_to_regain_access": 999999}]}', 24 * 60),
    ],
)
def test_facebook_says_how_long_in_minutes(usage: str, minutes: int) -> None:
    assert wait_of({"X-Business-Use-Case-Usage": usage}) == timedelta(minutes=minutes)


def test_the_next_link_gives_arguments_without_its_token() -> None:
    link = "https://graph.facebook.com/v2.1/1/feed?access_token=secret&until=5&__paging_token=enc&limit=25"
    assert next_arguments({"paging": {"next": link}}) == {"until": "5", "__paging_token": "enc"}
    assert next_arguments({"paging": {"cursors": {"after": "x"}}}) is None
    assert next_arguments({"paging": {"cursors": {"after": "x"}, "next": link}}) == {"after": "x"}

"""Recorded answers of X's API v2, played to our connector through the real tweepy."""

import json
from typing import Any

import pytest

from connectors.base import PostRef, utc_now
from connectors.transport import Transport
from connectors.x import XConnector
from connectors.x_client import XConfig
from tests.playback import Playback, load_cassette, playing
from tests.shared_data import shared_data

pytestmark = pytest.mark.recordings

MENTIONS = ("test_client_get_users_mentions.yaml", "test_asyncclient_get_users_mentions.yaml")
SEARCHES = ("test_client_search_recent_tweets.yaml", "test_asyncclient_search_recent_tweets.yaml")
QUOTES = ("test_asyncclient_get_quote_tweets.yaml",)
TIMELINES = ("test_asyncclient_get_users_tweets.yaml",)
LOOK_UPS = (
    "test_client_get_tweet.yaml",
    "test_client_get_tweets.yaml",
    "test_asyncclient_get_tweet.yaml",
    "test_asyncclient_get_tweets.yaml",
)
CREATIONS = (
    "test_client_create_and_delete_tweet.yaml",
    "test_asyncclient_create_and_delete_tweet.yaml",
    "test_client_create_tweet_with_community.yaml",
)
HIDINGS = ("test_client_hide_and_unhide_reply.yaml", "test_asyncclient_hide_and_unhide_reply.yaml")
REPLAYED = tuple(f"x/{name}" for name in (*MENTIONS, *SEARCHES, *QUOTES, *TIMELINES, *LOOK_UPS, *CREATIONS, *HIDINGS))


def x(playback: Playback, **changes: Any) -> XConnector:
    keys = {"oauth2_token": "recorded", "account_id": "783214", "api_url": playback.url}
    return XConnector(XConfig.model_validate({**keys, **changes}), transport=Transport(timeout_seconds=5))


@pytest.mark.parametrize("name", MENTIONS)
def test_mentions_are_read(name: str) -> None:
    recorded = load_cassette(shared_data(f"recorded/x/{name}"))
    body = recorded[0].json
    with playing(recorded) as playback:
        page = x(playback).fetch(None, 100)
    assert [post.external_id for post in page.posts] == sorted((item["id"] for item in body["data"]), key=int)
    assert page.more
    assert json.loads(page.cursor or "")["page_token"] == body["meta"]["next_token"]
    assert all(post.mentions_us and post.text and post.created_at.year == 2022 for post in page.posts)
    assert page.bad == ()


@pytest.mark.parametrize("name", [*SEARCHES, *QUOTES])
def test_search_results_are_read(name: str) -> None:
    recorded = load_cassette(shared_data(f"recorded/x/{name}"))
    recorded[0].path, body = "/2/tweets/search/recent", recorded[0].json
    with playing(recorded) as playback:
        page = x(playback, kind="query", query={"any_of": ["Tweepy"]}).fetch(None, 100)
    assert {post.external_id for post in page.posts} == {item["id"] for item in body["data"]}
    assert page.bad == ()
    assert len({post.author.external_id for post in page.posts}) == len(page.posts)  # no author was recorded


@pytest.mark.parametrize("name", TIMELINES)
def test_our_own_timeline_is_read_back(name: str) -> None:
    recorded = load_cassette(shared_data(f"recorded/x/{name}"))
    with playing(recorded[:1]) as playback:
        connector = x(playback)
        post = PostRef(external_id="1", mentions_us=True)
        with pytest.raises(Exception, match="more on X"):  # the recording says that there is always more
            connector.find_reply(post, "never said", utc_now())
    assert playback.asked[0][1] == recorded[0].path


@pytest.mark.parametrize("name", LOOK_UPS)
def test_look_ups_are_read(name: str) -> None:
    recorded = load_cassette(shared_data(f"recorded/x/{name}"))
    data = recorded[0].json["data"]
    items = data if isinstance(data, list) else [data]
    recorded[0].path = "/2/tweets"
    with playing(recorded) as playback:
        statuses = x(playback).refresh([item["id"] for item in items])
    assert [status.external_id for status in statuses] == [item["id"] for item in items]
    assert all(status.text and not status.is_deleted for status in statuses)


@pytest.mark.parametrize("name", CREATIONS)
def test_a_created_post_gives_a_receipt(name: str) -> None:
    recorded = load_cassette(shared_data(f"recorded/x/{name}"))
    with playing(recorded) as playback:
        receipt = x(playback).reply(PostRef(external_id="1", mentions_us=True), "Test Tweet")
    assert receipt.external_id == recorded[0].json["data"]["id"]


@pytest.mark.parametrize("name", HIDINGS)
def test_a_reply_is_hidden(name: str) -> None:
    recorded = load_cassette(shared_data(f"recorded/x/{name}"))
    with playing(recorded) as playback:
        x(playback).hide(PostRef(external_id="1344794616005066752"))
    assert playback.asked[0][0] == "PUT"

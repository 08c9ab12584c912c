"""Recorded answers of the Graph API, played to our connector through facebook-sdk's GraphAPI."""

import json
from typing import Any

import pytest

from connectors.base import PostKind, PostRef
from connectors.errors import AuthError, ConnectorError, PermanentError, TransientError
from connectors.facebook import FacebookConfig, FacebookConnector
from connectors.facebook_cursor import FacebookCursor, Strand, Watched
from connectors.transport import Transport
from tests.playback import Playback, answer_from, playing
from tests.shared_data import shared_data

pytestmark = pytest.mark.recordings

PAGE = "19292868552"
FEEDS = (
    "python-facebook/facebook_apidata_posts_feeds_default_fields_p1.json",
    "python-facebook/facebook_apidata_posts_feeds_default_fields_p2.json",
    "python-facebook/facebook_apidata_posts_feed_fields_p1.json",
    "python-facebook/facebook_apidata_posts_feed_fields_p2.json",
    "python-facebook/base_full_connecions_p1.json",
    "python-facebook/base_full_connecions_p2.json",
    "restfb/v2_1_feed-got.json",
)
COMMENTS = (
    "python-facebook/facebook_apidata_comments_comments_p1.json",
    "python-facebook/facebook_apidata_comments_comments_p2.json",
)
POSTS = (
    "python-facebook/facebook_apidata_posts_single_post_data.json",
    "python-facebook/facebook_models_post.json",
    "restfb/post-with-comment-count-only.json",
)
COMMENT_RECORDS = (
    "python-facebook/facebook_apidata_comments_comment_info.json",
    "python-facebook/facebook_models_comment.json",
    "restfb/v2_2_comment-issue286.json",
    "restfb/v2_2_comment_canHide.json",
    "restfb/v2_2_comment_noCanHide.json",
)
PARTIAL = (  # records without a time, as a caller who asks for few fields gets them
    "python-facebook/facebook_apidata_posts_single_post_data_fields.json",
    "restfb/v2_2_comment_object.json",
    "restfb/v2_9_comment-messagetags.json",
    "restfb/v2_9_comment-permalink.json",
    "restfb/v2_9_comment-reactions.json",
)
BY_ID = (
    "python-facebook/facebook_apidata_comments_comments_info.json",
    "python-facebook/facebook_apidata_posts_multi_posts_data.json",
    "python-facebook/facebook_apidata_posts_multi_posts_data_fields.json",
)
NESTED = "restfb/v5_0_post-with-comment.json"
TAGGED = "restfb/v10_0_tagged-post.json"
CREATED = "python-facebook/facebook_apidata_comments_create_resp.json"
PAGE_RECORDS = ("python-facebook/facebook_apidata_pages_single_default_page.json", "restfb/v10_0_from-as-page.json")
ERRORS = (
    ("python-facebook/error.json", PermanentError),
    ("python-facebook/base_error_data.json", PermanentError),
    ("restfb/exampleErrorNew.json", AuthError),
    ("restfb/exampleError.json", AuthError),
    ("restfb/exampleOauthError.json", PermanentError),
    ("restfb/oauthExampleError.json", TransientError),
)
REPLAYED = tuple(
    f"facebook/{name}"
    for name in (
        *FEEDS,
        *COMMENTS,
        *POSTS,
        *COMMENT_RECORDS,
        *PARTIAL,
        *BY_ID,
        NESTED,
        TAGGED,
        CREATED,
        *PAGE_RECORDS,
        *(name for name, _ in ERRORS),
    )
)


def load(name: str) -> Any:
    return json.loads(shared_data(f"recorded/facebook/{name}").read_text(encoding="utf-8"))


def facebook(playback: Playback, page_id: str = PAGE) -> FacebookConnector:
    config = FacebookConfig.model_validate({"page_id": page_id, "page_token": "recorded", "api_url": playback.url})
    return FacebookConnector(config, transport=Transport(timeout_seconds=5))


def with_comments_to_read(post_id: str) -> str:
    done = Strand(is_done=True)
    return FacebookCursor(feed=done, tagged=done, watch={post_id: Watched()}, queue=(post_id,)).dump()


@pytest.mark.parametrize("name", FEEDS)
def test_a_pages_feed_is_read(name: str) -> None:
    body = load(name)
    with playing([answer_from(body, f"/v26.0/{PAGE}/feed")]) as playback:
        page = facebook(playback).fetch(None, 100)
    assert {post.external_id for post in page.posts} == {record["id"] for record in body["data"]}
    assert page.bad == ()
    times = [post.created_at for post in page.posts]
    assert times == sorted(times)
    said = {post.external_id: post.text for post in page.posts}
    assert all(said[record["id"]] == record["message"].strip() for record in body["data"] if record.get("message"))


@pytest.mark.parametrize("name", COMMENTS)
def test_comments_are_read(name: str) -> None:
    body = load(name)
    post_id = f"{PAGE}_10158407654328553"
    with playing([answer_from(body, f"/v26.0/{post_id}/comments")]) as playback:
        page = facebook(playback).fetch(with_comments_to_read(post_id), 100)
    numbers = [record["permalink_url"].rpartition("=")[2] for record in body["data"]]  # recorded without ids
    assert {post.external_id.rpartition("_")[2] for post in page.posts} == set(numbers)
    assert len(page.posts) == len(body["data"])
    assert {post.thread_id for post in page.posts} == {post_id}
    assert {post.kind for post in page.posts} == {PostKind.COMMENT}
    assert page.bad == ()
    assert page.more is ("next" in body["paging"])


@pytest.mark.parametrize("name", POSTS)
def test_a_post_is_read_as_the_root_of_its_thread(name: str) -> None:
    body = load(name)
    nothing = answer_from({"data": []}, f"/v26.0/{body['id']}/comments")
    with playing([answer_from(body, f"/v26.0/{body['id']}"), nothing]) as playback:
        (root,) = facebook(playback).thread(PostRef(external_id=body["id"]))
    assert root.external_id == body["id"]
    assert root.text


@pytest.mark.parametrize("name", COMMENT_RECORDS)
def test_a_comment_record_is_read(name: str) -> None:
    body = load(name)
    post_id = f"{PAGE}_1"
    with playing([answer_from({"data": [body]}, f"/v26.0/{post_id}/comments")]) as playback:
        (comment,) = facebook(playback).fetch(with_comments_to_read(post_id), 100).posts
    assert comment.external_id == body["id"]
    assert comment.text == body.get("message", "").strip()
    assert comment.likes == body["like_count"]


@pytest.mark.parametrize("name", PARTIAL)
def test_a_record_with_few_fields_is_refreshed(name: str) -> None:
    body = load(name)
    with playing([answer_from({body["id"]: body}, "/v26.0/")]) as playback:
        (status,) = facebook(playback).refresh([body["id"]])
    assert not status.is_deleted
    assert status.text == body.get("message")


@pytest.mark.parametrize("name", BY_ID)
def test_records_asked_for_by_id_are_refreshed(name: str) -> None:
    body = load(name)
    with playing([answer_from(body, "/v26.0/")]) as playback:
        statuses = facebook(playback).refresh(list(body))
    assert [status.external_id for status in statuses] == list(body)
    assert all(not status.is_deleted for status in statuses)


def test_comments_given_within_a_post_are_read() -> None:
    body = load(NESTED)
    with playing([answer_from(body["comments"], f"/v26.0/{body['id']}/comments")]) as playback:
        (comment,) = facebook(playback).fetch(with_comments_to_read(body["id"]), 100).posts
    assert comment.author.display_name == body["comments"]["data"][0]["from"]["name"]
    assert comment.parent_id == body["id"]


def test_a_post_that_tags_us_is_read() -> None:
    body = load(TAGGED)
    at = FacebookCursor(feed=Strand(is_done=True)).dump()
    with playing([answer_from({"data": [body]}, f"/v26.0/{PAGE}/tagged")]) as playback:
        (post,) = facebook(playback).fetch(at, 100).posts
    assert post.kind is PostKind.MENTION
    assert post.created_at.isoformat() == "2021-02-26T11:49:57+00:00"


def test_a_created_comment_gives_a_receipt() -> None:
    body = load(CREATED)
    with playing([answer_from(body, "/v26.0/1_2/comments", method="POST")]) as playback:
        receipt = facebook(playback).reply(PostRef(external_id="1_2"), "Message from api")
    assert receipt.external_id == body["id"]


@pytest.mark.parametrize("name", PAGE_RECORDS)
def test_a_page_record_is_our_account(name: str) -> None:
    body = load(name)
    with playing([answer_from(body, "/v26.0/me")]) as playback:
        account = facebook(playback, body["id"]).check()
    assert account.display_name == body["name"]


@pytest.mark.parametrize(("name", "wanted"), ERRORS)
def test_errors_are_named_by_their_code(name: str, wanted: type[ConnectorError]) -> None:
    refused = answer_from(load(name), f"/v26.0/{PAGE}/feed", status=400)
    with playing([refused]) as playback, pytest.raises(wanted) as caught:
        facebook(playback).fetch(None, 10)
    assert caught.value.message.startswith("Facebook ")

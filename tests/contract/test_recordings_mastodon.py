"""Recorded answers of real Mastodon and GoToSocial servers, played to our connector through Mastodon.py."""

from typing import Any

import pytest

from connectors.base import FetchedPost, PostKind, PostRef, utc_now
from connectors.errors import AmbiguousError, PermanentError
from connectors.mastodon import MastodonConfig, MastodonConnector
from connectors.transport import Transport
from tests.playback import Playback, Recorded, answer_from, load_cassette, playing
from tests.shared_data import shared_data

pytestmark = pytest.mark.recordings

MENTIONS = (
    "cassettes_test_notifications.yaml",
    "cassettes_test_notifications_mentions_only.yaml",
    "cassettes_test_notifications_exclude_and_types.yaml",
    "cassettes_test_notifications_dismiss.yaml",
    "cassettes_test_notification_requests_accept.yaml",
    "cassettes_entity_tests_test_entity_notification.yaml",
)
GROUPED = "cassettes_test_grouped_notification_pagination.yaml"
TAG = "cassettes_test_hashtag_tl.yaml"
TAG_PAGES = "cassettes_test_pagination_iterator.yaml"
HOME = "cassettes_special_test_scheduled_status_long_part2.yaml"
SEARCHES = ("cassettes_test_search.yaml", "cassettes_entity_tests_test_entity_searchv2.yaml")
CONTEXTS = ("cassettes_entity_tests_test_entity_context.yaml", "cassettes_test_status_context.yaml")
STATUSES = (
    "cassettes_entity_tests_test_entity_status.yaml",
    "cassettes_entity_tests_test_entity_statusmention.yaml",
)
TIMELINES = (
    "cassettes_test_fetch_next_previous.yaml",
    "cassettes_test_fetch_next_previous_from_pagination_info.yaml",
    "cassettes_test_get_pagination_info.yaml",
)
POSTED = (
    "cassettes_test_status_reply.yaml",
    "cassettes_test_id_hook_in_reply_to.yaml",
    "cassettes_test_status_post_with_quote.yaml",
    "cassettes_test_status_post_with_quote_approval_policy.yaml",
    "cassettes_test_status_post[None-None].yaml",
    "cassettes_test_status_post[None-public].yaml",
    "cassettes_test_status_post[None-unlisted].yaml",
    "cassettes_test_status_post[None-private].yaml",
    "cassettes_test_status_post[None-direct].yaml",
    "cassettes_test_notifications_exclude_types.yaml",
    "cassettes_test_grouped_notifications.yaml",
    "cassettes_test_stream_user_local.yaml",
)
GOTOSOCIAL = "recorded_gotosocial_mentions_reply.yaml"
REPLAYED = tuple(
    f"mastodon/{name}"
    for name in (
        *MENTIONS,
        GROUPED,
        TAG,
        TAG_PAGES,
        HOME,
        *SEARCHES,
        *CONTEXTS,
        *STATUSES,
        *TIMELINES,
        *POSTED,
        GOTOSOCIAL,
    )
)


def load(name: str) -> list[Recorded]:
    return load_cassette(shared_data(f"recorded/mastodon/{name}"))


def mastodon(playback: Playback, *, server: str = "localhost:3000", **changes: Any) -> MastodonConnector:
    keys = {"server": server, "access_token": "recorded", "api_url": playback.url, "private_mentions": True}
    return MastodonConnector(MastodonConfig.model_validate({**keys, **changes}), transport=Transport(timeout_seconds=5))


def got(recorded: list[Recorded], path: str) -> list[Recorded]:
    """The answers to GETs of a path that hold something."""
    return [item for item in recorded if item.method == "GET" and item.path == path and item.body != b"[]"]


def uris(statuses: list[dict[str, Any]]) -> set[str]:
    return {status["uri"] for status in statuses}


def read_mentions(notes: list[dict[str, Any]]) -> tuple[FetchedPost, ...]:
    """Play a page of notifications; what they answer was not recorded, so the server knows it not."""
    with playing([answer_from(notes, "/api/v1/notifications")]) as playback:
        page = mastodon(playback).fetch(None, 80)
    assert page.bad == ()
    return page.posts


@pytest.mark.parametrize("name", MENTIONS)
def test_mentions_are_read(name: str) -> None:
    for answer in got(load(name), "/api/v1/notifications"):
        notes = [note for note in answer.json if note["type"] == "mention"]
        if any(note.get("status") is None for note in notes):  # recorded with statuses taken out: quarantine
            with playing([answer]) as playback:
                page = mastodon(playback).fetch(None, 80)
            assert len(page.bad) + len(page.posts) == len(notes)
            assert {post.external_id for post in page.posts} == uris([n["status"] for n in notes if n["status"]])
            continue
        posts = read_mentions(answer.json)
        assert {post.external_id for post in posts} == uris([note["status"] for note in notes])
        assert all(post.mentions_us and post.author.handle and post.created_at.tzinfo for post in posts)
        assert all("<p>" not in post.text for post in posts)


def test_statuses_of_grouped_notifications_are_read() -> None:
    for answer in got(load(GROUPED), "/api/v2/notifications"):
        statuses = answer.json["statuses"]
        notes = [{"id": str(n), "type": "mention", "status": s} for n, s in enumerate(statuses, 1)]
        assert {post.external_id for post in read_mentions(notes)} == uris(statuses)


def tag_pages(pages: list[Recorded], tag: str) -> set[str]:
    played = [answer_from(page.json, f"/api/v1/timelines/tag/{tag}") for page in pages]
    with playing([*played, answer_from([], f"/api/v1/timelines/tag/{tag}")]) as playback:
        connector = mastodon(playback, kind="query", query={"any_of": [f"#{tag}"]}, access_token="")
        found: set[str] = set()
        cursor = None
        for _ in range(len(pages) + 1):
            page = connector.fetch(cursor, 10)
            assert page.bad == ()
            found |= {post.external_id for post in page.posts}
            cursor = page.cursor
            if not page.more:
                break
    return found


def test_a_hashtag_is_read() -> None:
    (answer,) = got(load(TAG), "/api/v1/timelines/tag/hoot")
    assert tag_pages([answer], "hoot") == uris(answer.json)


def test_a_hashtag_is_read_over_pages() -> None:
    tag = "fgiztsshwiaqqiztpmmjbtvmescsculuvmgjgopwoeidbcrixp"
    pages = got(load(TAG_PAGES), f"/api/v1/timelines/tag/{tag}")[:4]
    distinct = {page.body: page for page in pages}
    assert tag_pages(list(distinct.values()), tag) == set().union(*(uris(page.json) for page in pages))


def test_a_home_timelines_statuses_are_read() -> None:
    (answer,) = got(load(HOME), "/api/v1/timelines/home")
    notes = [{"id": str(n), "type": "mention", "status": s} for n, s in enumerate(answer.json, 1)]
    assert {post.external_id for post in read_mentions(notes)} == uris(answer.json)


@pytest.mark.parametrize("name", SEARCHES)
def test_search_results_are_read(name: str) -> None:
    for answer in got(load(name), "/api/v2/search"):
        with playing([answer]) as playback:
            connector = mastodon(playback, kind="query", query={"phrases": ["halcy found"]})
            page = connector.fetch('{"turn":1,"lists":{}}', 40)
        assert page.bad == ()
        assert {post.external_id for post in page.posts} <= uris(answer.json["statuses"])


@pytest.mark.parametrize("name", CONTEXTS)
def test_a_thread_is_read(name: str) -> None:
    (answer,) = [item for item in load(name) if item.path.endswith("/context")]
    around = [*answer.json["ancestors"], *answer.json["descendants"]]
    native = answer.path.split("/")[-2]
    example = load(STATUSES[0])[0].json
    asked = {**example, "id": native, "uri": f"https://localhost:3000/users/a/statuses/{native}"}
    with playing([answer, answer_from(asked, f"/api/v1/statuses/{native}")]) as playback:
        connector = mastodon(playback, server="localhost")
        thread = connector.thread(PostRef(external_id=f"https://localhost/users/a/statuses/{native}"))
    assert {post.external_id for post in thread} == uris(around) | {asked["uri"]}


@pytest.mark.parametrize("name", STATUSES)
def test_statuses_are_refreshed(name: str) -> None:
    for answer in load(name):
        status = answer.json  # of another server: found by its address first
        found = answer_from({"accounts": [], "statuses": [status], "hashtags": []}, "/api/v2/search")
        with playing([answer, found]) as playback:
            (state,) = mastodon(playback, server="mastodon.social").refresh([status["uri"]])
        assert not state.is_deleted
        assert state.likes == status["favourites_count"]


@pytest.mark.parametrize("name", TIMELINES)
def test_our_own_statuses_are_read_back(name: str) -> None:
    recorded = load(name)
    statuses = next(item for item in recorded if item.path.endswith("/statuses") and item.method == "GET")
    whose = next(item for item in recorded if item.path.endswith("verify_credentials"))
    with playing([whose, statuses]) as playback:
        post = PostRef(external_id="https://localhost/users/a/statuses/1")
        found = mastodon(playback, server="localhost").find_reply(post, "Toot number 9!", utc_now())
    assert found is None  # these answer nobody
    assert statuses.path in [path for _, path, _ in playback.asked]


@pytest.mark.parametrize("name", POSTED)
def test_a_posted_status_gives_a_receipt(name: str) -> None:
    recorded = load(name)
    posted = [item for item in recorded if item.method == "POST" and item.path == "/api/v1/statuses"][-1]
    parent = answer_from(load(STATUSES[0])[0].json, "/api/v1/statuses/1")
    with playing([parent, posted]) as playback:
        post = PostRef(external_id="https://localhost/users/a/statuses/1")
        receipt = mastodon(playback, server="localhost").reply(post, "same!")
    assert receipt.external_id == posted.json["uri"]
    assert receipt.created_at is not None


class TestGoToSocial:
    """One whole exchange with a real GoToSocial: ULIDs, newest-first pages, reply, context, hashtag, 404."""

    def test_mentions_are_read_over_pages(self) -> None:
        recorded = load(GOTOSOCIAL)
        answers = got(recorded, "/api/v1/notifications")
        with playing(answers[:2]) as playback:
            first = mastodon(playback).fetch(None, 2)
            second = mastodon(playback).fetch(first.cursor, 2)
        read = [post.external_id for page in (first, second) for post in page.posts]
        wanted = [note["status"]["uri"] for answer in answers[:2] for note in answer.json]
        assert set(read) == set(wanted)
        assert [post.created_at for post in first.posts] == sorted(post.created_at for post in first.posts)
        assert {post.kind for post in (*first.posts, *second.posts)} <= {PostKind.MENTION, PostKind.REPLY}
        assert first.bad == second.bad == ()

    def test_a_window_after_an_id_is_read(self) -> None:
        answers = got(load(GOTOSOCIAL), "/api/v1/notifications")
        window = answers[3]
        cursor = f'{{"turn":0,"lists":{{"mentions:":["{window.query["min_id"][0]}","",""]}}}}'
        with playing([window]) as playback:
            page = mastodon(playback).fetch(cursor, 40)
        assert "min_id" in playback.asked[0][2]
        assert {post.external_id for post in page.posts} == uris([note["status"] for note in window.json])

    def test_reply_thread_and_hashtag(self) -> None:
        recorded = load(GOTOSOCIAL)
        posted = next(item for item in recorded if item.method == "POST")
        context = next(item for item in recorded if item.path.endswith("/context"))
        native = context.path.split("/")[-2]
        notes = [note for answer in got(recorded, "/api/v1/notifications") for note in answer.json]
        status = next(note["status"] for note in notes if note["status"]["id"] == native)
        asked = answer_from(status, f"/api/v1/statuses/{native}")
        server = status["uri"].split("/")[2].partition(":")[0]
        post = PostRef(external_id=f"https://{server}/users/a/statuses/{native}")
        with playing([asked, posted, context]) as playback:
            connector = mastodon(playback, server=server)
            receipt = connector.reply(post, "Sorry! We are on it.")
            thread = connector.thread(post)
        assert receipt.external_id == posted.json["uri"]
        assert receipt.external_id in {item.external_id for item in thread}
        (tagged,) = got(recorded, "/api/v1/timelines/tag/acmehelp")
        assert tag_pages([tagged], "acmehelp") == uris(tagged.json)

    def test_a_status_that_is_gone_is_deleted(self) -> None:
        missing = load(GOTOSOCIAL)[-1]
        native = missing.path.rsplit("/", 1)[-1]
        uri = f"https://localhost/users/a/statuses/{native}"
        with playing([missing]) as playback:
            connector = mastodon(playback, server="localhost")
            assert connector.refresh([uri])[0].is_deleted
            with pytest.raises((PermanentError, AmbiguousError)):
                connector.thread(PostRef(external_id=uri))

"""Checks of fetched posts: what is kept, clamped, refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Author, FetchedPost, Media, PostKind
from inbox.listening.validation import MAX_RAW_BYTES, RefusedError, check_posts, clean_post, raw_of
from tests.listening_factory import NOW, author, fetched


def test_times_become_utc() -> None:
    rome = timezone(timedelta(hours=1))
    clean = clean_post(fetched("1", created_at=datetime(2026, 11, 1, 10, tzinfo=rome)), NOW)
    assert clean.created_at == datetime(2026, 11, 1, 9, tzinfo=UTC)
    assert clean.created_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"external_id": " "}, "no id"),
        ({"external_id": "x" * 501}, "longer"),
        ({"network": ""}, "no network"),
        ({"created_at": None}, "no time"),
        ({"created_at": datetime(1999, 12, 31, tzinfo=UTC)}, "before 2000"),
        ({"created_at": NOW + timedelta(hours=25)}, "ahead"),
    ],
)
def test_what_cannot_be_stored_is_refused_in_words(fields: dict[str, object], words: str) -> None:
    given_fields = {"external_id": "1"} | fields
    with pytest.raises(RefusedError, match=words):
        clean_post(fetched(**given_fields), NOW)  # type: ignore[arg-type] # wrong types are the point


def test_authors_without_id_or_name_are_kept() -> None:
    by_handle = clean_post(fetched("1", author=Author(external_id="", handle="@ada")), NOW)
    assert (by_handle.author.external_id, by_handle.author.handle) == ("ada", "ada")
    nobody = clean_post(fetched("1", author=Author(external_id="", handle="")), NOW)
    assert nobody.author.external_id == "unknown"


def test_the_thread_key_prefers_what_the_network_says() -> None:
    assert clean_post(fetched("1", parent_id="p", thread_id="t"), NOW).thread_key == "t"
    assert clean_post(fetched("1", parent_id="p"), NOW).thread_key == "p"
    assert clean_post(fetched("1"), NOW).thread_key == "1"
    assert clean_post(fetched("1", parent_id="1"), NOW).parent_external_id is None


def test_addresses_that_are_not_of_the_web_are_dropped() -> None:
    media = (Media("javascript:alert(1)", "image"), Media("https://a.example/b.png", "image", "una foto"))
    clean = clean_post(fetched("1", url="javascript:alert(1)", media=media), NOW)
    assert clean.url is None
    assert clean.media == [{"url": "https://a.example/b.png", "kind": "image", "alt_text": "una foto"}]


def test_counts_that_are_none_are_unknown() -> None:
    clean = clean_post(fetched("1", likes=-1, replies=True, reposts="3", rating=9), NOW)
    assert (clean.likes, clean.replies, clean.reposts, clean.rating) == (None, None, None, None)
    assert clean_post(fetched("1", audience=5, author=author(followers=9)), NOW).audience == 9


@pytest.mark.parametrize(("hint", "kept"), [("it", "it"), ("EN_us", "en"), ("qht", "qht"), ("<b>", None), (3, None)])
def test_language_hints_are_codes(hint: object, kept: str | None) -> None:
    assert clean_post(fetched("1", language_hint=hint), NOW).language_hint == kept


def test_raw_records_are_capped() -> None:
    assert len(raw_of(fetched("1", "è\x00" * 100_000)).encode()) <= MAX_RAW_BYTES


JUNK = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.lists(st.integers())
    | st.datetimes()
)


@given(junk=st.lists(JUNK, min_size=12, max_size=12))
def test_no_junk_breaks_the_page(junk: list[object]) -> None:
    hostile = FetchedPost(
        network=junk[0], external_id=junk[1], author=Author(junk[2], junk[3], junk[4]), text=junk[5],  # type: ignore[arg-type] # the point
        created_at=junk[6], kind=junk[7], parent_id=junk[8], thread_id=junk[9], likes=junk[10], media=junk[11],  # type: ignore[arg-type] # the point
    )  # fmt: skip
    checked = check_posts([hostile, fetched("good", kind=PostKind.POST)], NOW)
    assert checked.posts[-1].external_id == "good"
    assert len(checked.posts) + len(checked.refused) + checked.repeated == 2
    assert all(refused.reason for refused in checked.refused)

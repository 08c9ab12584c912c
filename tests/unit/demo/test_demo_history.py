"""Borbotto's story: the same every time, believable, and with everything in it that a demo must show."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from ascolto.demo.brand import CRISIS_DAYS_AGO, OUTAGE_DAYS_AGO, PEOPLE, brand_file
from ascolto.demo.calendar import day_of
from ascolto.demo.history import DemoPost, build_history
from ascolto.demo.voices import load_words
from connectors.base import LengthRule
from connectors.length import measure
from inbox.store.types import Role

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def story() -> tuple[DemoPost, ...]:
    return build_history(NOW)


def test_story_is_the_same_for_the_same_moment(story: tuple[DemoPost, ...]) -> None:
    assert build_history(NOW) == story


@pytest.mark.parametrize("hours", [0, 7, 13, 23, 24 * 5])
def test_story_has_about_two_thousand_posts_whenever_it_is_told(hours: int) -> None:
    posts = build_history(NOW + timedelta(hours=hours))
    assert 1800 <= len(posts) <= 2500
    assert all(post.created_at < NOW + timedelta(hours=hours) for post in posts)


@pytest.mark.parametrize("language", ["it", "en"])
def test_each_language_has_its_own_sentences(language: str) -> None:
    lines = [line for lines in load_words(language).values() for line in lines]
    assert len(set(lines)) >= 250


def test_texts_rarely_repeat(story: tuple[DemoPost, ...]) -> None:
    others = [post.text for post in story if not post.author.is_own]
    assert len(set(others)) > 0.93 * len(others)
    assert not any("{" in post.text or "=>" in post.text for post in story)


def test_parents_stand_before_their_answers(story: tuple[DemoPost, ...]) -> None:
    told: dict[int, DemoPost] = {}
    for post in story:
        if post.parent is not None:
            assert told[post.parent].created_at <= post.created_at
            assert told[post.parent].network == post.network
        told[post.number] = post


def test_crisis_doubles_the_volume_and_reddit_falls_silent_for_two_days(story: tuple[DemoPost, ...]) -> None:
    ours = [post for post in story if post.brand == "demo"]
    days = Counter(day_of(post.created_at, 0) for post in ours)
    usual = sorted(days.values())[len(days) // 2]
    assert max(days, key=lambda day: days[day]) == day_of(NOW, CRISIS_DAYS_AGO - 1)
    assert max(days.values()) > 3 * usual
    begun = {day_of(post.created_at, 0) for post in ours if post.network == "reddit" and post.parent is None}
    assert day_of(NOW, OUTAGE_DAYS_AGO) not in begun
    assert day_of(NOW, OUTAGE_DAYS_AGO - 1) not in begun


def test_story_holds_what_a_demo_must_show(story: tuple[DemoPost, ...]) -> None:
    topics = Counter(post.topic for post in story)
    for topic in ("praise", "complaint", "question", "idea", "churn", "spam", "rtl", "rival", "crisis_victim"):
        assert topics[topic], topic
    assert {post.network for post in story} == {"x", "facebook", "reddit", "mastodon", "rss"}
    assert any(post.source == "x-search" and not post.mentions_us for post in story)  # may not be answered
    assert {post.brand for post in story} == {"demo", *(rival.slug for rival in brand_file().competitors)}
    languages = Counter(post.language for post in story)
    assert languages["en"] > 400


def test_posts_on_x_fit_x(story: tuple[DemoPost, ...]) -> None:
    assert all(measure(post.text, LengthRule.X_WEIGHTED) <= 280 for post in story if post.network == "x")


def test_answers_come_after_believable_delays(story: tuple[DemoPost, ...]) -> None:
    told = {post.number: post for post in story}
    delays = [
        post.created_at - told[post.parent].created_at
        for post in story
        if post.author.is_own and post.parent is not None
    ]
    assert len(delays) > 300
    assert min(delays) > timedelta(minutes=1)
    assert sorted(delays)[len(delays) // 2] < timedelta(hours=20)


def test_three_people_work_here() -> None:
    assert [person.role for person in PEOPLE] == [Role.ADMIN, Role.AGENT, Role.AGENT]
    assert {person.language for person in PEOPLE} == {"it", "en"}

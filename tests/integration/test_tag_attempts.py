"""A text that takes the tagging process down is tried alone, then given up; the others are tagged. Both engines."""

import multiprocessing
import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from ascolto.jobs import handlers
from ascolto.jobs.embedded import EmbeddedJobs
from ascolto.jobs.postgres import PostgresJobs
from inbox.listening.tag_attempts import GIVEN_UP, MOST_ALONE, MOST_TOGETHER
from inbox.store.engine import Store
from inbox.store.tables import Post, PostTags
from inbox.store.types import PostState
from nlp.base import Tags
from tests.conftest import FakeClock
from tests.jobs_factory import WordTagger, make_house
from tests.triage_factory import make_brand, make_identity, make_post

TEXTS = ("tutto bene", "questo uccide", "dov'è il pacco?", "grazie mille")
LETHAL = 23
LIFE_SECONDS = 90.0


class LethalTagger(WordTagger):
    """Ends the process, as a crash in native code would."""

    def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:
        if any("uccide" in text for text in texts):
            os._exit(LETHAL)
        return super().tag(texts, languages)


@pytest.fixture
def waiting(store: Store, clock: FakeClock) -> Store:
    with store.write() as session:
        brand = make_brand(session, now=clock())
        anna = make_identity(session, brand, now=clock(), handle="anna")
        for number, text in enumerate(TEXTS):
            make_post(session, brand, anna, now=clock(), external_id=f"p{number}", text=text, state=PostState.NEW)
    return store


def live(store: Store, folder: Path, engine: str) -> int | None:
    """Work in a process of its own until nothing waits for tags, or it dies; gives how it ended."""
    url = store.url.render_as_string(hide_password=False)
    store.engine.dispose()
    process = multiprocessing.get_context("fork").Process(target=_work, args=(url, folder, engine))
    process.start()
    process.join(LIFE_SECONDS)
    assert not process.is_alive()
    return process.exitcode


def _work(url: str, folder: Path, engine: str) -> None:
    store = Store(url)
    house = make_house(store, folder)
    object.__setattr__(house, "load_tagger", lambda _store: LethalTagger())
    if engine == "handler":
        handlers.tag(house)
        os._exit(0)
    jobs = PostgresJobs(house, feed_seconds=0.1) if engine == "distributed" else EmbeddedJobs(house, pace=0.1)
    jobs.start()
    deadline = time.monotonic() + LIFE_SECONDS - 2
    while time.monotonic() < deadline and waits(store):
        time.sleep(0.05)
    os._exit(0)


def waits(store: Store) -> int:
    with store.read() as session:
        statement = sa.select(sa.func.count()).select_from(Post).where(Post.state == PostState.NEW)
        return session.scalar(statement) or 0


@pytest.mark.parametrize(
    ("store", "engine"),
    [("sqlite", "embedded"), ("postgres", "embedded"), ("postgres", "distributed"), ("postgres", "handler")],
    indirect=["store"],
)
def test_a_text_that_kills_its_worker_is_given_up_and_the_others_are_tagged(
    waiting: Store, tmp_path: Path, engine: str
) -> None:
    endings: list[int | None] = []
    while waits(waiting) and len(endings) < 10:
        endings.append(live(waiting, tmp_path, engine))
    most = MOST_TOGETHER + MOST_ALONE
    assert endings[-1] == 0
    assert set(endings[:-1]) == {LETHAL}
    # The distributed engine's threads may begin the same batch twice in one life.
    assert len(endings) == most + 1 if engine != "distributed" else len(endings) <= most + 1
    with waiting.read() as session:
        rows = session.execute(sa.select(Post, PostTags).join(PostTags, PostTags.post_id == Post.id)).all()
        errors = {post.text: tags.error for post, tags in rows}
        assert errors == dict.fromkeys(TEXTS, None) | {TEXTS[1]: GIVEN_UP}
        killer = next(tags for post, tags in rows if post.text == TEXTS[1])
        assert (killer.sentiment_unsure, killer.intents_unsure, killer.intent_labels) == (True, True, [])
        # Where two threads had begun one batch, the second may leave its mark on a post the first has tagged.
        assert {post.tag_attempts for post, _ in rows} <= ({0, 1} if engine == "distributed" else {0})


def test_a_failure_the_process_survives_blames_no_text(waiting: Store, tmp_path: Path) -> None:
    house = make_house(waiting, tmp_path)

    def fail(*_: object) -> None:
        raise RuntimeError("the database is away")

    for _ in range(MOST_TOGETHER + 2):
        with pytest.raises(RuntimeError):
            handlers.tag(house, then=fail)
    with waiting.read() as session:
        assert set(session.scalars(sa.select(Post.tag_attempts))) == {0}
    assert handlers.tag(house).rows == len(TEXTS)

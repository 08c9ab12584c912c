"""Keeps the town talking while the demo runs, so that the real clients bring something in: new posts, and thanks."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import structlog

from ascolto.demo.brand import OWN_HANDLES, RIVALS, SLUG
from ascolto.demo.history import NETWORKS, DemoPost, Historian
from ascolto.demo.seeding import add_to_town
from ascolto.demo.town import Town
from connectors.base import Clock, utc_now

log = structlog.get_logger(__name__)

SECONDS = (15.0, 25.0)
THANKS_AFTER = (timedelta(seconds=20), timedelta(seconds=45))
REMEMBERED = 60
_TOPICS = {
    "complaint": 30, "question": 24, "praise": 18, "idea": 8, "buy": 8, "churn": 4, "advocacy": 4, "chat": 3, "spam": 1,
}  # fmt: skip


@dataclass(slots=True)
class _Thread:
    """A thread of the live town that somebody may thank in."""

    post: DemoPost
    external_id: str
    answered_at: datetime | None = None
    is_over: bool = False


class LiveTown:
    """Adds a post to a random network every 15 to 25 seconds. `start` and `stop` once each."""

    def __init__(
        self,
        town: Town,
        *,
        seconds: tuple[float, float] = SECONDS,
        seed: int | None = None,
        clock: Clock = utc_now,
        on_post: Callable[[str], None] | None = None,
    ) -> None:
        """`on_post` hears the network of every new post, after it stands in the town."""
        self._town = town
        self._seconds = seconds
        self._clock = clock
        self._on_post = on_post or (lambda _network: None)
        self._random = Random(seed)
        # A seed of its own each start, else every evening would tell the same story.
        self._historian = Historian(clock(), self._random.randrange(10**9))
        self._threads: list[_Thread] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live-town", daemon=True)

    def start(self) -> None:
        """Begin to talk."""
        self._thread.start()

    def stop(self) -> None:
        """Fall silent."""
        self._stopping.set()
        self._thread.join(5)

    def say_something(self) -> str:
        """Add one post now and give its id; what the timer calls."""
        network = self._random.choices(NETWORKS, weights=(36, 28, 20, 16))[0]
        now = self._clock()
        if self._random.random() < 0.12:
            post, parent_id = self._rival_post(now), None
        elif self._threads and self._random.random() < 0.2:
            earlier = self._random.choice(self._threads)
            post, parent_id = self._historian.follow_up(earlier.post, now), earlier.external_id
        else:
            post, parent_id = self._new_root(network, now), None
        settled = add_to_town(self._town, post, parent_id=parent_id, at=now)
        if parent_id is None and post.brand == SLUG:
            self._threads = [*self._threads[-REMEMBERED:], _Thread(post, settled.external_id)]
        self._on_post(post.network)
        return settled.external_id

    def thank(self) -> int:
        """Let authors who got an answer of ours come back; gives how many did."""
        now, thanked = self._clock(), 0
        for thread in self._threads:
            answer = None if thread.is_over else self._our_answer(thread)
            if answer is None:
                continue
            if thread.answered_at is None:
                low, high = THANKS_AFTER
                thread.answered_at = now + low + (high - low) * self._random.random()
            elif now >= thread.answered_at:
                thread.is_over = True
                if self._random.random() < 0.8:
                    post = self._historian.thank_you(thread.post, now)
                    add_to_town(self._town, post, parent_id=answer, at=now)
                    self._on_post(post.network)
                    thanked += 1
        return thanked

    def _run(self) -> None:
        due = self._clock() + self._pause()
        while not self._stopping.wait(1.0):
            try:
                self.thank()
                if self._clock() >= due:
                    due = self._clock() + self._pause()
                    self.say_something()
            except Exception:
                log.exception("demo.live_failed")  # the demo goes on; its town only falls silent

    def _pause(self) -> timedelta:
        return timedelta(seconds=self._random.uniform(*self._seconds))

    def _new_root(self, network: str, now: datetime) -> DemoPost:
        language = "it" if self._random.random() < 0.62 else "en"
        topic = self._random.choices(list(_TOPICS), weights=list(_TOPICS.values()))[0]
        return self._historian.new_root(network, language, topic, now)

    def _rival_post(self, now: datetime) -> DemoPost:
        return self._historian.rival_post(self._random.choice(RIVALS), now)

    def _our_answer(self, thread: _Thread) -> str | None:
        network = self._town.networks[thread.post.network]
        ours = OWN_HANDLES[thread.post.network]
        try:
            answers = network.replies_to(thread.external_id)
        except KeyError:
            return None
        return next((network.external_id(answer) for answer in answers if answer.author == ours), None)

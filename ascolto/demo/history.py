"""Eight weeks of Borbotto as a plain list of posts: deterministic, dated relative to now, no store, no network."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from ascolto.demo.brand import (
    HISTORY_DAYS,
    NAME,
    OUTAGE_DAYS,
    OUTAGE_DAYS_AGO,
    OWN_HANDLES,
    PEOPLE,
    RIVALS,
    SLUG,
    Rival,
)
from ascolto.demo.calendar import answer_time, crisis_posts_on, day_of, moment_on, roots_on
from ascolto.demo.voices import DemoAuthor, Voice, load_words, people_crowd

SEED = 1974
NETWORKS = ("x", "facebook", "reddit", "mastodon")
_NETWORK_WEIGHTS = (34, 28, 22, 16)
_TOPICS: Mapping[str, int] = {
    "praise": 34, "complaint": 24, "question": 19, "idea": 9, "churn": 4, "buy": 6, "advocacy": 5, "chat": 7,
    "spam": 2, "rtl": 1,
}  # fmt: skip
_ANSWERED: Mapping[str, float] = {
    "complaint": 0.82, "question": 0.85, "praise": 0.5, "idea": 0.6, "churn": 0.8, "buy": 0.7, "advocacy": 0.3,
    "rtl": 0.4,
}  # fmt: skip
_ANSWER_WORDS: Mapping[str, str] = {
    "complaint": "brand_complaint", "question": "brand_question", "praise": "brand_praise",
    "idea": "brand_idea", "churn": "brand_churn", "buy": "brand_question", "advocacy": "brand_praise",
    "rtl": "brand_praise",
}  # fmt: skip
_FOLLOW: Mapping[str, str] = {
    "question": "follow_answer", "buy": "follow_answer", "praise": "follow_nice", "advocacy": "follow_nice",
    "idea": "follow_nice", "chat": "follow_nice", "rtl": "follow_nice", "brand_post": "follow_nice",
}  # fmt: skip
_CRISIS = ("crisis_victim", "crisis_reaction", "crisis_question")


@dataclass(frozen=True, slots=True)
class DemoPost:
    """One post of the story. `parent` and `root` are numbers of other posts; `topic` is what it was meant as.

    `source` names what hears it; `title` is set for Reddit submissions and blog articles.
    """

    number: int
    brand: str
    source: str
    network: str
    author: DemoAuthor
    text: str
    created_at: datetime
    topic: str
    language: str
    root: int
    parent: int | None = None
    title: str = ""
    mentions_us: bool = False
    likes: int = 0


def own_account(network: str, *, language: str = "it") -> DemoAuthor:
    """Give Borbotto's own account on a network."""
    return DemoAuthor(network, OWN_HANDLES[network], NAME, 18_400, language, is_own=True, is_verified=True)


class Historian:
    """Writes the story day by day. Everything comes from one seeded source of chance."""

    def __init__(self, now: datetime, seed: int = SEED) -> None:
        self.now = now
        self.random = Random(seed)
        self.voice = Voice(self.random)
        self.posts: list[DemoPost] = []
        self._crowd = people_crowd(self.random, NETWORKS, 560)
        self._loud = {
            network: DemoAuthor(network, f"il_filtro_{network}", "Il Filtro", 48_300, "it", is_verified=True)
            for network in NETWORKS
        }

    def write(self) -> tuple[DemoPost, ...]:
        """Give the whole story, oldest first, parents always before their answers."""
        for days_ago in range(HISTORY_DAYS, -1, -1):
            self._write_day(days_ago)
        known = sorted((post for post in self.posts if post.created_at < self.now), key=_by_time)
        return tuple(known)

    def _write_day(self, days_ago: int) -> None:
        random, day = self.random, day_of(self.now, days_ago)
        for _ in range(roots_on(random, day, days_ago)):
            self._write_thread(moment_on(random, day), days_ago)
        for _ in range(random.randint(2, 5)):
            self.rival_post(random.choice(RIVALS), moment_on(random, day))
        for hour in range(crisis_posts_on(days_ago)):
            self._write_crisis(moment_on(random, day, not_before_hour=6 if hour else 0), days_ago)
        if days_ago % 3 == 0:
            self._write_campaign(moment_on(random, day, not_before_hour=9), days_ago)
        if days_ago % 4 == 1:
            self._write_article(moment_on(random, day, not_before_hour=8))

    def _write_thread(self, at: datetime, days_ago: int) -> None:
        network = self.random.choices(NETWORKS, weights=_NETWORK_WEIGHTS)[0]
        if network == "reddit" and OUTAGE_DAYS_AGO - OUTAGE_DAYS < days_ago <= OUTAGE_DAYS_AGO:
            return  # written there, but never heard: the gap on the dashboard
        language = self._language(network, at)
        topic = self.random.choices(list(_TOPICS), weights=list(_TOPICS.values()))[0]
        if topic == "rtl":
            language = "en"
        root = self.new_root(network, language, topic, at)
        if topic != "spam":
            self._converse(root)

    def _write_crisis(self, at: datetime, days_ago: int) -> None:
        random = self.random
        network = random.choices(NETWORKS, weights=(46, 30, 14, 10))[0]
        later = crisis_posts_on(days_ago) < 40
        topic = "crisis_after" if later and random.random() < 0.5 else random.choices(_CRISIS, (22, 58, 20))[0]
        language = "it" if random.random() < 0.72 else "en"
        root = self.new_root(network, language, topic, at)
        if random.random() < 0.22:
            self.follow_up(root, at + timedelta(minutes=random.randint(2, 180)))
        if topic in {"crisis_victim", "crisis_question"} and random.random() < 0.75:
            self._add_answer(root, "brand_crisis", at, median_minutes=420 if crisis_posts_on(days_ago) > 50 else 60)

    def rival_post(self, rival: Rival, at: datetime) -> DemoPost:
        """Let somebody talk about a competitor."""
        random = self.random
        language = "it" if random.random() < 0.65 else "en"
        text = self.voice.say(language, "rival", given={"rival": rival.name})
        if rival.name.lower() not in text.lower():
            text = f"{text} #{rival.name}"
        return self._add(
            brand=rival.slug, source=rival.slug, network="x", author=self._author("x", language), text=text,
            created_at=at, topic="rival", language=language,
        )  # fmt: skip

    def _write_campaign(self, at: datetime, days_ago: int) -> None:
        """Borbotto's own post on Facebook, with the people under it."""
        language = "it" if days_ago % 2 else "en"
        text = self.voice.fill(self.random.choice(load_words(language)["brand_post"]), language)
        root = self._add(
            brand=SLUG, source="facebook", network="facebook", author=own_account("facebook"), text=text,
            created_at=at, topic="brand_post", language=language,
        )  # fmt: skip
        for _ in range(self.random.randint(2, 4)):
            topic = self.random.choice(("praise", "question", "follow_nice", "advocacy", "complaint"))
            comment = self._reply_to(root, self._author("facebook", language), topic, at + self._later(10, 900))
            if topic in _ANSWER_WORDS and self.random.random() < _ANSWERED.get(topic, 0):
                self._add_answer(comment, _ANSWER_WORDS[topic], comment.created_at)

    def _write_article(self, at: datetime) -> None:
        title, text = self.voice.article("it", self.random.randint(3, 5))
        author = DemoAuthor("rss", "chicchi-e-chiacchiere", "Chicchi e chiacchiere", 0, "it")
        self._add(
            brand=SLUG, source="blog", network="rss", author=author, text=f"{text} ({NAME})", created_at=at,
            topic="article", language="it", title=title,
        )  # fmt: skip

    def _converse(self, root: DemoPost) -> None:
        """Let others join, the brand answer, the author come back."""
        random, at = self.random, root.created_at
        for _ in range(random.choices((0, 1, 2, 4), weights=(70, 20, 8, 2))[0]):
            self.follow_up(root, at + self._later(3, 600))
        hours_old = (self.now - at).total_seconds() / 3600
        # What came in lately is still waiting: that is what the inbox is for.
        patience = 1.0 if hours_old > 40 else 0.35
        if random.random() >= _ANSWERED.get(root.topic, 0) * patience or not _may_answer(root):
            return
        answer = self._add_answer(root, _ANSWER_WORDS[root.topic], at)
        chance = random.random()
        if root.topic in {"complaint", "question", "churn"} and chance < 0.55:
            topic = "thanks" if chance < 0.42 else "still"
            self._reply_to(answer, root.author, topic, answer.created_at + self._later(4, 900))

    def new_root(self, network: str, language: str, topic: str, at: datetime) -> DemoPost:
        """Let somebody begin a thread."""
        random = self.random
        author = self._loud[network] if topic == "crisis_reaction" and random.random() < 0.03 else None
        text = self.voice.say(language, topic)
        title = ""
        addressed = True
        if network == "reddit":
            title = text.split(". ")[0][:110].rstrip(".")
            text = text if len(text) > len(title) + 8 else f"{text} {self.voice.say(language, 'tail')}"
        elif network in {"x", "mastodon"}:
            addressed = network == "mastodon" or random.random() < 0.76
            text = self._address(text, network, addressed=addressed)
        return self._add(
            brand=SLUG, source=network if addressed else "x-search", network=network, topic=topic, text=text,
            author=author or self._author(network, "en" if topic == "rtl" else language), created_at=at,
            language=language, title=title, mentions_us=addressed and network in {"x", "mastodon"},
            likes=int(random.lognormvariate(1.0, 1.2)),
        )  # fmt: skip

    def _address(self, text: str, network: str, *, addressed: bool) -> str:
        handle = f"@{OWN_HANDLES[network]}"
        if not addressed:
            return text if NAME.lower() in text.lower() else f"{text} #{NAME}"
        place = self.random.random()
        if place < 0.6:
            return f"{handle} {text}"
        return f"{text} {handle}"

    def follow_up(self, root: DemoPost, at: datetime) -> DemoPost:
        """Let somebody else join a thread."""
        topic = self.random.choice(("follow", _FOLLOW.get(root.topic, "follow_trouble")))
        return self._reply_to(root, self._author(root.network, root.language), topic, at)

    def thank_you(self, root: DemoPost, at: datetime) -> DemoPost:
        """Let the author of a thread come back after our answer."""
        return self._reply_to(root, root.author, "thanks", at)

    def _reply_to(self, post: DemoPost, author: DemoAuthor, topic: str, at: datetime) -> DemoPost:
        given = {"agent": self.random.choice(PEOPLE).signature}
        text = self.voice.say(post.language, topic, given=given)
        addressed = post.network in {"x", "mastodon"}
        if addressed:
            text = f"@{OWN_HANDLES[post.network]} {text}"
        return self._add(
            brand=post.brand, source=_answer_source(post), network=post.network, author=author, text=text,
            created_at=at, topic=topic, language=post.language, parent=post.number, root=post.root,
            mentions_us=addressed,
        )  # fmt: skip

    def _add_answer(self, post: DemoPost, section: str, asked: datetime, *, median_minutes: float = 38) -> DemoPost:
        person = self.random.choice([person for person in PEOPLE if person.language == post.language])
        handle = post.author.handle
        name = post.author.first_name if post.network == "facebook" else f"@{handle}"
        text = self.voice.answer(post.language, section, question=post.text, name=name, agent=person.signature)
        if post.network in {"x", "mastodon"} and not text.startswith("@") and f"@{handle}" not in text:
            text = f"@{handle} {text}"
        return self._add(
            brand=SLUG, source=_answer_source(post), network=post.network, author=own_account(post.network),
            text=text, created_at=answer_time(self.random, asked, median_minutes=median_minutes), topic=section,
            language=post.language, parent=post.number, root=post.root,
        )  # fmt: skip

    def _add(
        self, *, brand: str, source: str, network: str, author: DemoAuthor, text: str, created_at: datetime,
        topic: str, language: str, parent: int | None = None, root: int | None = None, title: str = "",
        mentions_us: bool = False, likes: int = 0,
    ) -> DemoPost:  # fmt: skip
        number = len(self.posts)
        post = DemoPost(
            number=number, brand=brand, source=source, network=network, author=author, text=text,
            created_at=created_at, topic=topic, language=language, root=number if root is None else root,
            parent=parent, title=title, mentions_us=mentions_us, likes=likes,
        )  # fmt: skip
        self.posts.append(post)
        return post

    def _author(self, network: str, language: str) -> DemoAuthor:
        """Pick somebody; regulars (the front of the list) speak more often than others."""
        people = self._crowd[network, language]
        return people[int(self.random.random() ** 1.7 * len(people))]

    def _language(self, network: str, at: datetime) -> str:
        italian = 0.4 if network == "reddit" else 0.66
        return "it" if self.random.random() < italian + (0.04 if at.hour < 8 else 0) else "en"

    def _later(self, low_minutes: int, high_minutes: int) -> timedelta:
        return timedelta(minutes=self.random.randint(low_minutes, high_minutes), seconds=self.random.randrange(60))


def _may_answer(post: DemoPost) -> bool:
    return post.source != "x-search"


def _answer_source(post: DemoPost) -> str:
    return "x" if post.source == "x-search" else post.source


def _by_time(post: DemoPost) -> tuple[datetime, int]:
    return post.created_at, post.number


def build_history(now: datetime, seed: int = SEED) -> tuple[DemoPost, ...]:
    """Give the posts of eight weeks up to `now`: the same for the same now and seed."""
    return Historian(now, seed).write()

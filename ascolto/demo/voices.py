"""Who talks in the demo and in which words: authors with habits, and sentences dealt like cards."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from random import Random

from ascolto.demo.brand import BLENDS, CITIES, MACHINES, RIVALS

_EMOJI = {
    "praise": ("☕", "😍", "❤️", "🙌", "👏", "🥰"),
    "advocacy": ("💪", "☕", "👌", "🏆"),
    "complaint": ("😡", "🙄", "😤", "🤦", "👎", "😒"),
    "churn": ("👋", "💔", "😞"),
    "question": ("🤔", "🙏", "❓"),
    "idea": ("💡", "🙌", "🤞"),
    "crisis_victim": ("😱", "🚑", "😡"),
    "crisis_reaction": ("😡", "😱", "🤬", "💔"),
}
_PLAIN = {"follow", "follow_trouble", "follow_answer", "follow_nice", "thanks", "still", "spam", "rtl", "rival"}
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class DemoAuthor:
    """An account on one network, with the language it writes in."""

    network: str
    handle: str
    name: str
    followers: int
    language: str
    is_own: bool = False
    is_verified: bool = False

    @property
    def first_name(self) -> str:
        """How an answer addresses this person."""
        return self.name.split()[0] if self.name else f"@{self.handle}"


@lru_cache(maxsize=4)
def load_words(language: str) -> Mapping[str, tuple[str, ...]]:
    """Read the sentences of a language by section, as they stand in words/."""
    return {**_read_sections(f"{language}_customers.txt"), **_read_sections(f"{language}_threads.txt")}


@lru_cache(maxsize=8)
def _read_sections(file_name: str) -> Mapping[str, tuple[str, ...]]:
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    text = resources.files("ascolto.demo").joinpath("words", file_name).read_text("utf-8")
    for line in text.splitlines():
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], [])
        elif line and not line.startswith("#"):
            current.append(line)
    return {section: tuple(lines) for section, lines in sections.items()}


class Deck:
    """Deals the sentences of a section in random order, all of them before any comes again."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._left: dict[tuple[str, str], list[str]] = {}

    def deal(self, language: str, section: str) -> str:
        """Give the next sentence, slots unfilled."""
        left = self._left.setdefault((language, section), [])
        if not left:
            left.extend(load_words(language)[section])
            self._random.shuffle(left)
        return left.pop()


class Voice:
    """Puts sentences into somebody's mouth: slots, moods, habits of typing. Never the same text twice."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self._deck = Deck(random)
        self._said: set[str] = set()

    def fill(self, sentence: str, language: str, given: Mapping[str, str] | None = None) -> str:
        """Fill the slots of a sentence; `given` wins over chance."""
        return _SLOT.sub(lambda slot: (given or {}).get(slot[1]) or self._slot(slot[1], language), sentence)

    def say(self, language: str, section: str, *, given: Mapping[str, str] | None = None) -> str:
        """Give a text as a person would type it."""
        text = ""
        for _ in range(6):
            text = self.fill(self._deck.deal(language, section), language, given)
            text = self._type(text, language, section)
            if text not in self._said:
                break
        self._said.add(text)
        return text

    def answer(self, language: str, section: str, *, question: str, name: str, agent: str) -> str:
        """Give an answer of the brand that fits the question's words, carefully typed and signed."""
        fitting, general = [], []
        for line in load_words(language)[section]:
            words, _, answer = line.rpartition("=>")
            if not words.strip():
                general.append(answer.strip())
            elif re.search(rf"\b(?:{words.strip()})", question, re.IGNORECASE):
                fitting.append(answer.strip())
        chosen = self.random.choice(fitting or general)
        return self.fill(chosen, language, {"name": name, "agent": f"— {agent}"})

    def article(self, language: str, sentences: int) -> tuple[str, str]:
        """Give a blog post: title and text."""
        parts = [self.fill(self._deck.deal(language, section), language)
                 for section in self.random.choices(("praise", "chat", "idea", "advocacy"), k=sentences)]  # fmt: skip
        title = parts[0].split(".")[0].split("?")[0].strip()
        return title[:90], " ".join(parts)

    def _slot(self, slot: str, language: str) -> str:
        random = self.random
        choices: dict[str, Callable[[], str]] = {
            "machine": lambda: random.choice(MACHINES),
            "blend": lambda: random.choice(BLENDS),
            "city": lambda: random.choice(CITIES[language]),
            "days": lambda: str(random.randint(3, 19)),
            "n": lambda: str(random.choice((6, 8, 12, 14, 18, 20, 25, 30, 35, 40))),
            "euro": lambda: str(random.choice((39, 59, 79, 149, 189, 249, 320, 450))),
            "order": lambda: f"BB-{random.randint(40000, 99999)}",
            "rival": lambda: random.choice(RIVALS).name,
        }
        return choices[slot]()

    def _type(self, text: str, language: str, section: str) -> str:
        random = self.random
        if section in _PLAIN:
            return self._hurry(text) if section != "rtl" else text
        if section in {"complaint", "question", "idea", "churn"} and random.random() < 0.16:
            opener = self._deck.deal(language, "opener")
            text = f"{opener} {text if opener[-1] in '.!?' else text[0].lower() + text[1:]}"
        if random.random() < 0.15:
            text = f"{text} {self.fill(self._deck.deal(language, 'tail'), language)}"
        if section in _EMOJI and random.random() < 0.22:
            text = f"{text} {random.choice(_EMOJI[section])}"
        return self._hurry(text)

    def _hurry(self, text: str) -> str:
        """Type as people do: now and then no capital, no full stop, letters swapped, a raised voice."""
        chance = self.random.random()
        if chance < 0.1:
            return text.lower().rstrip(".")
        if chance < 0.3:
            return text.rstrip(".")
        if chance < 0.34 and len(text) > 40:
            at = self.random.randint(8, len(text) - 10)
            if text[at : at + 2].isalpha():
                return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        if chance < 0.36 and len(text) < 90:
            return text.upper()
        return text


def people_crowd(random: Random, networks: Sequence[str], size: int) -> dict[tuple[str, str], list[DemoAuthor]]:
    """Invent the public: authors by (network, language), a few with many followers."""
    crowd: dict[tuple[str, str], list[DemoAuthor]] = {}
    taken: set[tuple[str, str]] = set()
    for index in range(size):
        network = networks[index % len(networks)]
        language = "it" if random.random() < (0.35 if network == "reddit" else 0.62) else "en"
        author = _invent_author(random, network, language)
        if (network, author.handle) in taken:
            continue
        taken.add((network, author.handle))
        crowd.setdefault((network, language), []).append(author)
    return crowd


def _invent_author(random: Random, network: str, language: str) -> DemoAuthor:
    names = _read_sections("people.txt")
    first, last = random.choice(names[f"first_{language}"]), random.choice(names[f"last_{language}"])
    plain = f"{first}{last}".lower()
    handle = random.choice((
        f"{first.lower()}_{last.lower()}",
        f"{plain}{random.randint(70, 99)}",
        f"{first.lower()}.{last.lower()}"[:20].replace(".", "_") + str(random.randint(1, 9)),
        f"{random.choice(names['nick'])}_{first.lower()}",
        f"{first[0].lower()}{last.lower()}{random.randint(1, 99)}",
    ))  # fmt: skip
    followers = int(random.lognormvariate(5.6, 1.35))
    name = handle if network == "reddit" else f"{first} {last}"
    return DemoAuthor(
        network=network,
        handle=handle,
        name=name,
        followers=followers,
        language=language,
        is_verified=followers > 12_000 and random.random() < 0.5,
    )

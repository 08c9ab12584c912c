"""Templates: what we may say in a situation, by language and network, and how their files are read.

A file is Markdown with TOML front matter between two lines of `+++`. `library/it/delay.md` fits every network;
`library/it/delay.reddit.md` takes its place on Reddit.
"""

import datetime as dt
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, ValidationError

LIBRARY = Path(__file__).parent / "library"
MAX_BYTES = 64_000
_FRONT_MATTER = re.compile(r"\A\+\+\+\r?\n(?P<head>.*?)\r?\n\+\+\+\r?\n(?P<body>.*)\Z", re.DOTALL)
_FILE_NAME = re.compile(r"^(?P<situation>[a-z0-9-]+)(\.(?P<network>[a-z0-9_]+))?\.md$")


class TemplateError(Exception):
    """A template's file cannot be used; the message names the file and what is wrong."""


class Tone(StrEnum):
    """How a template sounds; shown to the agent, so that it fits the customer's."""

    CALM = "calm"
    WARM = "warm"
    PLAIN = "plain"
    GRAVE = "grave"


class _FrontMatter(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=1, max_length=120)
    intents: tuple[str, ...] = Field(min_length=1)
    sentiments: tuple[str, ...] = ()
    tone: Tone
    needs_approval: bool = False
    is_crisis: bool = False
    review_by: dt.date
    owner: str = ""
    keywords: tuple[str, ...] = ()
    examples: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Template:
    """One text we may say. `network` "" fits every network; `examples` holds a value for each variable.

    After `review_by` it is flagged: there are no lasting best practices.
    """

    situation: str
    language: str
    network: str
    title: str
    body: str
    intents: tuple[str, ...]
    sentiments: tuple[str, ...]
    tone: Tone
    needs_approval: bool
    is_crisis: bool
    review_by: dt.date
    owner: str
    keywords: tuple[str, ...]
    examples: MappingProxyType[str, str]

    @property
    def key(self) -> str:
        """What names it in the whole library: "it/delay" or "it/delay.reddit"."""
        return f"{self.language}/{self.situation}" + (f".{self.network}" if self.network else "")

    def is_expired(self, today: dt.date) -> bool:
        """Whether its review date has passed."""
        return today > self.review_by


def parse_template(content: str, *, situation: str, language: str, network: str = "") -> Template:
    """Read a template from a file's content; TemplateError says what to correct."""
    name = f"{language}/{situation}" + (f".{network}" if network else "")
    match = _FRONT_MATTER.match(content.removeprefix("\ufeff"))
    if match is None:
        raise TemplateError(f"{name}: it must begin with front matter between two lines of +++")
    body = match["body"].strip()
    if not body:
        raise TemplateError(f"{name}: the text is empty")
    try:
        head = _FrontMatter.model_validate(tomllib.loads(match["head"].replace("\r\n", "\n")))
    except tomllib.TOMLDecodeError as error:
        raise TemplateError(f"{name}: the front matter is no valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise TemplateError(f"{name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return Template(
        situation=situation,
        language=language,
        network=network,
        title=head.title,
        body=body,
        intents=head.intents,
        sentiments=head.sentiments,
        tone=head.tone,
        needs_approval=head.needs_approval,
        is_crisis=head.is_crisis,
        review_by=head.review_by,
        owner=head.owner,
        keywords=head.keywords,
        examples=MappingProxyType(dict(head.examples)),
    )


def load_library(folder: Path = LIBRARY) -> tuple[Template, ...]:
    """Read all templates of a library, one folder a language, ordered by key."""
    templates = []
    for path in sorted(folder.glob("*/*.md")):
        match = _FILE_NAME.match(path.name)
        if match is None:
            raise TemplateError(f"{path}: name it situation.md or situation.network.md, in small letters")
        if path.stat().st_size > MAX_BYTES:
            raise TemplateError(f"{path}: larger than a template can be ({MAX_BYTES:,} bytes)")
        try:
            content = path.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise TemplateError(f"{path}: not UTF-8 text") from error
        templates.append(
            parse_template(
                content,
                situation=match["situation"],
                language=path.parent.name,
                network=match["network"] or "",
            )
        )
    return tuple(templates)


def for_network(templates: Iterable[Template], *, language: str, network: str) -> tuple[Template, ...]:
    """Templates of a language as they apply on a network: its own variants take the place of the general ones."""
    chosen: dict[str, Template] = {}
    for template in templates:
        if template.language != language or template.network not in {"", network}:
            continue
        if template.network or template.situation not in chosen:
            chosen[template.situation] = template
    return tuple(chosen.values())

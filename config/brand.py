"""The brand file: who we are, what we are called, when we answer. Its schema and how it is read.

A TOML file that people write and keep under version control; `ascolto init --brand FILE` loads it, and loading it
again brings the database in line (inbox/listening/brands.py). config/examples/brand.toml shows every field.
"""

import datetime as dt
import itertools
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from config.brand_rules import Homonym, LabelRule, Name, Part

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = (
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
)  # fmt: skip
Language = Literal["it", "en"]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
_SHIFT = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)-(([01]\d|2[0-3]):([0-5]\d)|24:00)$")
MAX_BYTES = 1_000_000


def _office_hours() -> dict[Weekday, tuple[str, ...]]:
    shifts: tuple[str, ...] = ("09:00-17:00",)
    return dict.fromkeys(WEEKDAYS[:5], shifts)


class BrandFileError(Exception):
    """The brand file cannot be used; the message names the file, the field and what is wrong."""


class Term(Homonym):
    """A name people call the brand or a product by, with the forms they write it in."""

    name: Name = Field(description="The name as you write it yourselves")
    forms: tuple[Name, ...] = Field(
        default=(), description="Other ways people write it: without accents, abbreviated, misspelt"
    )
    capital_is_enough: bool = Field(
        default=False, description="With context: a capital within a sentence will do in place of a context word"
    )

    @property
    def all_forms(self) -> tuple[str, ...]:
        """The name and its forms, without repeats."""
        return tuple(dict.fromkeys((self.name, *self.forms)))


class Competitor(Homonym):
    """A brand we compare ourselves with; heard, never answered."""

    slug: Slug = Field(description="Short name for addresses and commands")
    name: Name = Field(description="Name as shown")
    forms: tuple[Name, ...] = Field(default=(), description="Other ways people write the name")
    products: tuple[Term, ...] = Field(default=(), description="Their products worth recognising")


class Holiday(Part):
    """A day on which no clock runs."""

    date: dt.date = Field(description="The day")
    name: str = Field(default="", description="What it is called; for people")


class BrandFile(Part):
    """One own brand, as its file describes it."""

    slug: Slug = Field(description="Short name for addresses and commands")
    name: Name = Field(description="Name as shown")
    languages: tuple[Language, ...] = Field(
        default=("it", "en"), min_length=1, description="Languages the brand answers in, the first preferred"
    )
    timezone: str = Field(default="Europe/Rome", description="IANA time zone of hours and days")
    first_response_minutes: int = Field(
        default=60, ge=1, le=10_080, description="First answer is due within these minutes of business hours"
    )
    terms: tuple[Term, ...] = Field(default=(), description="Names the brand goes by")
    products: tuple[Term, ...] = Field(default=(), description="Products worth recognising")
    competitors: tuple[Competitor, ...] = Field(default=(), description="Brands to compare with")
    rules: tuple[LabelRule, ...] = Field(default=(), description="Your own words on labels; the first that fits wins")
    own_handles: dict[str, tuple[Name, ...]] = Field(
        default_factory=dict, description="Our accounts by network; what they write is never a mention"
    )
    business_hours: dict[Weekday, tuple[str, ...]] = Field(
        default_factory=_office_hours,
        description="Shifts by weekday, such as 09:00-13:00; a day left out is closed",
    )
    holidays: tuple[Holiday, ...] = Field(default=(), description="Days on which no clock runs")

    @field_validator("timezone")
    @classmethod
    def known_timezone(cls, name: str) -> str:
        """Only names the time zone data knows."""
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f'"{name}" is no IANA time zone; write one such as Europe/Rome') from error
        return name

    @field_validator("business_hours")
    @classmethod
    def orderly_shifts(cls, hours: dict[Weekday, tuple[str, ...]]) -> dict[Weekday, tuple[str, ...]]:
        """Each shift ends after it starts, and those of a day do not overlap."""
        return {day: _orderly(day, shifts) for day, shifts in hours.items()}

    @field_validator("own_handles")
    @classmethod
    def bare_handles(cls, handles: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Handles without the leading @."""
        return {network: tuple(handle.lstrip("@") for handle in names) for network, names in handles.items()}

    @field_validator("rules")
    @classmethod
    def distinct_names(cls, rules: tuple[LabelRule, ...]) -> tuple[LabelRule, ...]:
        """No two rules share a name."""
        names = [rule.name.casefold() for rule in rules]
        repeated = sorted({rule.name for rule in rules if names.count(rule.name.casefold()) > 1})
        if repeated:
            raise ValueError(f'two rules are called "{repeated[0]}"; give each a name of its own')
        return rules

    @model_validator(mode="after")
    def distinct_slugs(self) -> "BrandFile":
        """No two brands of the file share a slug."""
        slugs = [self.slug, *(competitor.slug for competitor in self.competitors)]
        repeated = sorted({slug for slug in slugs if slugs.count(slug) > 1})
        if repeated:
            raise ValueError(f"these slugs are used twice: {', '.join(repeated)}")
        return self

    @property
    def all_terms(self) -> tuple[Term, ...]:
        """The brand's terms; its name is always one of them."""
        if any(term.name == self.name for term in self.terms):
            return self.terms
        return (Term(name=self.name), *self.terms)

    @property
    def stored_hours(self) -> dict[str, list[list[str]]]:
        """Hours as the store keeps them: "0" is Monday, each shift [start, end]."""
        return {
            str(number): [shift.split("-") for shift in self.business_hours[day]]
            for number, day in enumerate(WEEKDAYS)
            if self.business_hours.get(day)
        }


def load_brand_file(path: Path) -> BrandFile:
    """Read and check a brand file; BrandFileError says what to correct."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BrandFileError(f"{path} cannot be read: {error.strerror}.") from error
    if len(raw) > MAX_BYTES:
        raise BrandFileError(f"{path} is larger than a brand file can be ({MAX_BYTES:,} bytes).")
    try:
        content = tomllib.loads(raw.decode("utf-8-sig"))
        return BrandFile.model_validate(content)
    except UnicodeDecodeError as error:
        raise BrandFileError(f"{path} is not UTF-8 text.") from error
    except tomllib.TOMLDecodeError as error:
        raise BrandFileError(f"{path} is no valid TOML: {error}.") from error
    except ValidationError as error:
        raise BrandFileError(f"{path}: {_in_words(error)}") from error


def _orderly(day: str, shifts: tuple[str, ...]) -> tuple[str, ...]:
    for shift in shifts:
        if not _SHIFT.match(shift):
            raise ValueError(f'{day}: "{shift}" is no shift; write one such as 09:00-13:00')
        start, end = shift.split("-")
        if end <= start:
            raise ValueError(f"{day}: {shift} ends before it starts; split a night at midnight over two days")
    ordered = tuple(sorted(shifts))
    for earlier, later in itertools.pairwise(ordered):
        if later.split("-")[0] < earlier.split("-")[1]:
            raise ValueError(f"{day}: {earlier} and {later} overlap")
    return ordered


def _in_words(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'file'}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors()
    )

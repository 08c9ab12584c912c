"""The set-up's forms for a brand and its hours, in the terms of a brand file."""

import re
import unicodedata
from datetime import datetime, time
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from sqlalchemy.orm import Session

from ascolto.web.formatting import zone_of
from ascolto.web.i18n import N_
from config.brand import WEEKDAYS, BrandFile, Competitor, Term
from inbox import audit
from inbox.store.queries.brands import list_brands
from inbox.store.tables import Brand

MAX_NAMES = 40
_SEPARATORS = re.compile(r"[\n,;]+")


def brand_from_form(*, name: str, forms: str, products: str, competitors: str, slug: str | None = None) -> BrandFile:
    """Make a brand file of what was typed: names one a line or with commas. ValidationError if it cannot be."""
    title = " ".join(name.split())[:120]
    rivals = [rival for rival in split_names(competitors) if rival.casefold() != title.casefold()]
    own_slug = slug or slug_of(title)
    slugs = {own_slug}
    return BrandFile(
        slug=own_slug,
        name=title,
        terms=(Term(name=title, forms=tuple(split_names(forms))),) if title else (),
        products=tuple(Term(name=product) for product in split_names(products)),
        competitors=tuple(Competitor(slug=_free_slug(rival, slugs), name=rival) for rival in rivals),
    )


def split_names(text: str) -> list[str]:
    """Give the names in a text, trimmed, without repeats, at most forty."""
    names = (" ".join(part.split())[:120] for part in _SEPARATORS.split(text))
    return list(dict.fromkeys(name for name in names if name))[:MAX_NAMES]


def slug_of(name: str) -> str:
    """Give a short name for addresses: plain letters, digits and single hyphens."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-") or "brand"


def _free_slug(name: str, taken: set[str]) -> str:
    base = slug_of(name)
    slug = next(slug for number in range(1, MAX_NAMES + 2)
                if (slug := base if number == 1 else f"{base}-{number}") not in taken)  # fmt: skip
    taken.add(slug)
    return slug


def own_brand(session: Session) -> Brand | None:
    """Give the brand the set-up is about: the first of our own."""
    return next(iter(list_brands(session, own_only=True)), None)


def brand_values(session: Session, brand: Brand | None) -> dict[str, Any]:
    """Give what is known of a brand, for a form that was filled in before."""
    if brand is None:
        return {"name": "", "forms": "", "products": "", "competitors": ""}
    forms = [form for term in brand.terms for form in term.get("forms", []) if form != brand.name]
    return {
        "name": brand.name,
        "forms": "\n".join(forms),
        "products": "\n".join(product["name"] for product in brand.products),
        "competitors": "\n".join(rival.name for rival in list_brands(session) if rival.competitor_of == brand.id),
    }


class HoursForm(BaseModel):
    """When answers are given, and within how many minutes the first is due."""

    model_config = ConfigDict(extra="forbid")

    opens: time
    closes: time
    minutes: Annotated[int, Field(ge=1, le=10_080)]
    timezone: str
    days: tuple[Annotated[int, Field(ge=0, le=6)], ...]

    @field_validator("opens", "closes", mode="before")
    @classmethod
    def read_time(cls, value: object) -> time:
        """A time of day such as 09:00."""
        try:
            return time.fromisoformat(str(value)).replace(second=0, microsecond=0, tzinfo=None)
        except ValueError as error:
            raise ValueError(N_("Write a time such as 09:00.")) from error

    @field_validator("minutes", mode="before")
    @classmethod
    def read_minutes(cls, value: object) -> int:
        """Whole minutes."""
        if not str(value).strip().isascii() or not str(value).strip().isdigit() or not 1 <= int(str(value)) <= 10_080:  # noqa: PLR2004 - a week
            raise ValueError(N_("Write whole minutes, at most a week (10080)."))
        return int(str(value))

    @field_validator("timezone")
    @classmethod
    def read_zone(cls, value: str) -> str:
        """Only names the time zone data knows."""
        if zone_of(value).key != value:
            raise ValueError(N_("Write a time zone such as Europe/Rome."))
        return value

    @model_validator(mode="after")
    def in_order(self) -> "HoursForm":
        """The day ends after it begins, and there is one."""
        if self.closes <= self.opens:
            raise ValueError(N_("The day must end after it begins."))
        if not self.days:
            raise ValueError(N_("Choose at least one day."))
        return self


def hours_values(brand: Brand | None) -> dict[str, Any]:
    """Give the hours as a form shows them: the first shift stands for all."""
    hours = brand.business_hours if brand else {}
    shifts = next((shifts for _, shifts in sorted(hours.items()) if shifts), [["09:00", "17:00"]])
    return {
        "opens": shifts[0][0],
        "closes": shifts[-1][1],
        "minutes": brand.first_response_minutes if brand else 60,
        "timezone": brand.timezone if brand else "Europe/Rome",
        "days": sorted(hours) or [str(day) for day in range(5)],
    }


def keep_hours(session: Session, brand: Brand, form: HoursForm, *, now: datetime, user_id: int) -> None:
    """Keep the hours with the brand, and in the trail: they decide what counts as late."""
    before = {"hours": brand.business_hours, "minutes": brand.first_response_minutes, "timezone": brand.timezone}
    shift = [form.opens.strftime("%H:%M"), form.closes.strftime("%H:%M")]
    brand.business_hours = {str(day): [shift] for day in sorted(set(form.days)) if day < len(WEEKDAYS)}
    brand.first_response_minutes, brand.timezone = form.minutes, form.timezone
    after = {"hours": brand.business_hours, "minutes": form.minutes, "timezone": form.timezone}
    if before != after:
        audit.record(
            session, now=now, action="brand.hours", entity="brand", entity_id=brand.id, user_id=user_id,
            before=before, after=after,
        )  # fmt: skip

"""Brings the database's brands in line with a brand file: our own and its competitors."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from config.brand import BrandFile, Competitor, Term
from inbox import audit
from inbox.errors import ConflictError
from inbox.listening.tag_rules import apply_rules_of_file
from inbox.store.queries.brands import find_brand
from inbox.store.tables import Brand
from nlp.entities import BrandTerms
from nlp.entities import Term as NamedTerm
from nlp.rules import Rule


@dataclass(frozen=True, slots=True)
class BrandReport:
    """What applying a brand file did: slugs made, slugs changed, slugs that were as the file says."""

    brand_id: int
    created: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


def apply_brand_file(
    session: Session, file: BrandFile, *, now: datetime, user_id: int | None = None, is_demo: bool = False
) -> BrandReport:
    """Create or update the brand and its competitors; nothing is removed. Repeating it changes nothing.

    ConflictError when a slug of the file belongs to a brand of the other kind (own against competitor), InvalidError
    when its rules on labels cannot hold together with those there are.
    """
    created: list[str] = []
    changed: list[str] = []
    unchanged: list[str] = []
    own, outcome = _apply(
        session, file.slug, _own_fields(file), competitor_of=None, is_demo=is_demo, now=now, user_id=user_id
    )
    {"created": created, "changed": changed, "unchanged": unchanged}[outcome].append(file.slug)
    apply_rules_of_file(session, own.id, rules_of(file), now=now, user_id=user_id)
    for competitor in file.competitors:
        _, outcome = _apply(
            session,
            competitor.slug,
            _competitor_fields(file, competitor),
            competitor_of=own.id,
            is_demo=is_demo,
            now=now,
            user_id=user_id,
        )
        {"created": created, "changed": changed, "unchanged": unchanged}[outcome].append(competitor.slug)
    return BrandReport(own.id, tuple(created), tuple(changed), tuple(unchanged))


def _apply(
    session: Session,
    slug: str,
    fields: dict[str, Any],
    *,
    competitor_of: int | None,
    is_demo: bool,
    now: datetime,
    user_id: int | None,
) -> tuple[Brand, str]:
    brand = find_brand(session, slug)
    if brand is None:
        brand = Brand(slug=slug, competitor_of=competitor_of, is_demo=is_demo, created_at=now, **fields)
        session.add(brand)
        session.flush()
        audit.record(
            session,
            now=now,
            action="brand.created",
            entity="brand",
            entity_id=brand.id,
            user_id=user_id,
            after={"slug": slug},
        )
        return brand, "created"
    if brand.competitor_of != competitor_of:
        raise ConflictError(
            'The name "%(slug)s" is already taken by a brand of another kind. Choose another slug.',
            values={"slug": slug},
        )
    before = {name: getattr(brand, name) for name in fields if getattr(brand, name) != fields[name]}
    if not before:
        return brand, "unchanged"
    for name in before:
        setattr(brand, name, fields[name])
    session.flush()
    audit.record(
        session,
        now=now,
        action="brand.changed",
        entity="brand",
        entity_id=brand.id,
        user_id=user_id,
        before=before,
        after={name: fields[name] for name in before},
    )
    return brand, "changed"


def _own_fields(file: BrandFile) -> dict[str, Any]:
    return {
        "name": file.name,
        "languages": list(file.languages),
        "timezone": file.timezone,
        "terms": _stored_terms(file.all_terms),
        "products": _stored_terms(file.products),
        "business_hours": file.stored_hours,
        "holidays": [holiday.date.isoformat() for holiday in file.holidays],
        "own_handles": {network: list(handles) for network, handles in file.own_handles.items()},
        "first_response_minutes": file.first_response_minutes,
    }


def _competitor_fields(file: BrandFile, competitor: Competitor) -> dict[str, Any]:
    return {
        "name": competitor.name,
        "languages": list(file.languages),
        "timezone": file.timezone,  # days must be the same days, or shares could not be compared
        "terms": _stored_terms([_as_term(competitor)]),
        "products": _stored_terms(competitor.products),
    }


def terms_of(file: BrandFile) -> BrandTerms:
    """Give what a tagger must recognise of a brand file, without a database."""
    rivals = file.competitors
    return BrandTerms(
        terms=(
            *(_name("brand", file.name, term) for term in file.all_terms),
            *(_name("competitor", rival.name, _as_term(rival)) for rival in rivals),
            *(_name("product", term.name, term) for term in file.products),
            *(_name("product", term.name, term) for rival in rivals for term in rival.products),
        )
    )


def rules_of(file: BrandFile) -> tuple[Rule, ...]:
    """Give a brand file's rules on labels in order."""
    return tuple(
        Rule(
            name=rule.name,
            terms=rule.terms,
            forces=rule.force,
            forbids=rule.forbid,
            language=rule.language,
            context=rule.context,
            not_with=rule.not_with,
        )
        for rule in file.rules
    )


def _name(kind: str, name: str, term: Term) -> NamedTerm:
    return NamedTerm(
        kind,
        name,
        term.all_forms,
        term.context,
        term.not_with,
        capital_is_enough=term.capital_is_enough,
        has_own_forms=True,
    )


def _as_term(rival: Competitor) -> Term:
    return Term(name=rival.name, forms=rival.forms, context=rival.context, not_with=rival.not_with)


def _stored_terms(terms: Iterable[Term]) -> list[dict[str, Any]]:
    stored: list[dict[str, Any]] = []
    for term in terms:
        doubts = {
            "context": list(term.context),
            "not_with": list(term.not_with),
            "capital_is_enough": term.capital_is_enough,
        }
        said = {name: value for name, value in doubts.items() if value}
        stored.append({"name": term.name, "forms": list(term.all_forms), **said})
    return stored

"""Reads brands."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import Brand
from nlp.entities import BrandTerms, Term


def get_brand(session: Session, brand_id: int) -> Brand | None:
    """Give one brand by its id."""
    return session.get(Brand, brand_id)


def find_brand(session: Session, slug: str) -> Brand | None:
    """Give one brand by its slug."""
    return session.scalar(sa.select(Brand).where(Brand.slug == slug))


def list_brands(session: Session, *, own_only: bool = False) -> Sequence[Brand]:
    """Give all brands, our own first, by name."""
    query = sa.select(Brand).order_by(Brand.competitor_of.is_not(None), Brand.name, Brand.id)
    if own_only:
        query = query.where(Brand.competitor_of.is_(None))
    return session.scalars(query).all()


def read_brand_terms(session: Session) -> BrandTerms:
    """Give what the tagger must recognise: our brands, their accounts and products, the competitors, in all forms."""
    brands = list_brands(session)
    return BrandTerms(
        terms=tuple(
            [term for brand in brands for term in _names_of(brand)]
            + [_term("product", str(product["name"]), product) for brand in brands for product in brand.products]
        )
    )


def _names_of(brand: Brand) -> Iterator[Term]:
    kind = "brand" if brand.competitor_of is None else "competitor"
    for term in brand.terms:
        yield _term(kind, brand.name, term)
    handles = dict.fromkeys(f"@{handle}" for names in brand.own_handles.values() for handle in names)
    if handles:
        yield Term(kind, brand.name, tuple(handles), has_own_forms=True)


def _term(kind: str, name: str, stored: Mapping[str, Any]) -> Term:
    return Term(
        kind,
        name,
        tuple(stored["forms"]),
        context=tuple(stored.get("context", ())),
        not_with=tuple(stored.get("not_with", ())),
        capital_is_enough=bool(stored.get("capital_is_enough")),
        has_own_forms=True,
    )

"""Reads brands."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import Brand
from nlp.entities import BrandTerms


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
    """Give what the tagger must recognise: our brands, their products, and the competitors, with their forms."""
    brands: dict[str, tuple[str, ...]] = {}
    products: dict[str, tuple[str, ...]] = {}
    competitors: dict[str, tuple[str, ...]] = {}
    for brand in list_brands(session):
        names = competitors if brand.competitor_of is not None else brands
        names[brand.name] = tuple(dict.fromkeys(form for term in brand.terms for form in term["forms"]))
        for product in brand.products:
            products[str(product["name"])] = tuple(product["forms"])
    return BrandTerms(brands=brands, products=products, competitors=competitors)

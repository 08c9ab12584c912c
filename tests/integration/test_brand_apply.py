"""A brand file brings the database in line, once and again, on both databases."""

from datetime import UTC, datetime

import pytest

from config.brand import BrandFile
from inbox import audit
from inbox.errors import ConflictError
from inbox.listening.brands import apply_brand_file
from inbox.store.engine import Store
from inbox.store.queries.brands import find_brand, read_brand_terms

NOW = datetime(2026, 11, 10, 9, tzinfo=UTC)


def brand_file(**changes: object) -> BrandFile:
    content = {
        "slug": "fiordaliso",
        "name": "Fiordaliso",
        "products": [{"name": "Luce Serena", "forms": ["luceserena"]}],
        "competitors": [{"slug": "lampara", "name": "Lampara", "forms": ["lampara luce"]}],
        "own_handles": {"x": ["@fiordaliso"]},
    }
    return BrandFile.model_validate({**content, **changes})


def test_brand_and_competitors_are_made(store: Store) -> None:
    with store.write() as session:
        report = apply_brand_file(session, brand_file(), now=NOW)
    assert report.created == ("fiordaliso", "lampara")
    with store.read() as session:
        own, other = find_brand(session, "fiordaliso"), find_brand(session, "lampara")
        assert own is not None
        assert other is not None
        assert other.competitor_of == own.id == report.brand_id
        assert own.own_handles == {"x": ["fiordaliso"]}
        terms = read_brand_terms(session)
    names = set(terms.names())
    assert {("product", "Luce Serena", "Luce Serena"), ("product", "Luce Serena", "luceserena")} <= names
    assert {("competitor", "Lampara", "Lampara"), ("competitor", "Lampara", "lampara luce")} <= names
    assert ("brand", "Fiordaliso", "@fiordaliso") in names


def test_again_changes_nothing_and_a_change_is_audited(store: Store) -> None:
    for file in (brand_file(), brand_file(), brand_file(first_response_minutes=30)):
        with store.write() as session:
            report = apply_brand_file(session, file, now=NOW)
    assert report.changed == ("fiordaliso",)
    with store.read() as session:
        verified = audit.verify(session)
    assert (verified.is_intact, verified.events) == (True, 3)


def test_own_brand_never_becomes_a_competitor(store: Store) -> None:
    with store.write() as session:
        apply_brand_file(session, brand_file(), now=NOW)
    clash = brand_file(slug="altra", competitors=[{"slug": "fiordaliso", "name": "Fiordaliso"}])
    with pytest.raises(ConflictError), store.write() as session:
        apply_brand_file(session, clash, now=NOW)

"""Rows written straight through the driver are the rows SQLAlchemy's own way would have written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from inbox.store.engine import Store
from inbox.store.rows import insert_rows, update_rows
from inbox.store.statements import expire_loaded, table_of
from inbox.store.tables import Brand, Identity

NOW = datetime(2026, 11, 1, 9, 30, 15, 250, tzinfo=timezone(timedelta(hours=1)))


def _identity(brand_id: int, name: str, **values: object) -> dict[str, object]:
    row: dict[str, object] = {
        "brand_id": brand_id, "network": "x", "instance": "", "external_id": name, "handle": name,
        "display_name": f"100% {name} :name %(name)s", "url": None, "avatar_url": None, "followers": 3,
        "is_verified": False, "is_own": False, "first_seen_at": NOW, "last_seen_at": NOW,
    }  # fmt: skip
    return row | values


@pytest.fixture
def brand_id(store: Store) -> int:
    with store.write() as session:
        brand = Brand(slug="b", name="B", created_at=NOW)
        session.add(brand)
        session.flush()
        return brand.id


def test_rows_written_in_bulk_read_back_whole(store: Store, brand_id: int) -> None:
    table = table_of(Identity)
    with store.write() as session:
        insert_rows(session, table, [_identity(brand_id, "anna"), _identity(brand_id, "ugo", followers=None)])
        own = Identity(**_identity(brand_id, "own"))
        session.add(own)
    with store.read() as session:
        anna, ugo, third = session.scalars(sa.select(Identity).order_by(Identity.id))
    assert (anna.handle, anna.display_name, anna.followers, ugo.followers) == (
        "anna", "100% anna :name %(name)s", 3, None,
    )  # fmt: skip
    assert anna.first_seen_at == third.first_seen_at == NOW
    assert anna.first_seen_at.tzinfo is UTC
    if store.is_sqlite:
        with store.engine.connect() as connection:
            texts = connection.exec_driver_sql("SELECT DISTINCT first_seen_at FROM identity").scalars().all()
        assert texts == ["2026-11-01 08:30:15.000250"]


def test_a_standing_key_is_left_alone_or_changed_as_asked(store: Store, brand_id: int) -> None:
    table, key = table_of(Identity), ("brand_id", "network", "instance", "external_id")
    with store.write() as session:
        insert_rows(session, table, [_identity(brand_id, "anna")])
        insert_rows(session, table, [_identity(brand_id, "anna", followers=9)], key=key)
        assert session.scalars(sa.select(Identity.followers)).all() == [3]
        insert_rows(session, table, [_identity(brand_id, "anna", followers=9)], key=key, changed=("followers",))
        assert session.scalars(sa.select(Identity.followers)).all() == [9]
        anna = session.scalars(sa.select(Identity)).one()
        update_rows(session, table, [{"id": anna.id, "followers": 2, "handle": "anna2"}], added=("followers",))
        expire_loaded(session, Identity, [anna.id])
        assert (anna.followers, anna.handle) == (11, "anna2")


def test_what_cannot_be_stored_is_refused_as_everywhere(store: Store, brand_id: int) -> None:
    naive = _identity(brand_id, "anna", last_seen_at=datetime(2026, 11, 1))  # noqa: DTZ001 - the fault tried here
    with pytest.raises(sa.exc.StatementError, match="naive"), store.write() as session:
        insert_rows(session, table_of(Identity), [_identity(brand_id, "ugo"), naive])
    with pytest.raises(TypeError, match="defaults"), store.write() as session:
        insert_rows(session, table_of(Brand), [{"slug": "c", "name": "C", "created_at": NOW}])
    with store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Identity)) == 0

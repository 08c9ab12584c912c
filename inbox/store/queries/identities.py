"""Reads identities."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.statements import is_one_of
from inbox.store.tables import Identity


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """What ingest needs to know of an account."""

    id: int
    external_id: str
    handle: str
    display_name: str
    url: str | None
    avatar_url: str | None
    followers: int | None
    is_own: bool
    last_seen_at: datetime


_COLUMNS = (
    Identity.id,
    Identity.external_id,
    Identity.handle,
    Identity.display_name,
    Identity.url,
    Identity.avatar_url,
    Identity.followers,
    Identity.is_own,
    Identity.last_seen_at,
)


def list_identities(
    session: Session, brand_id: int, network: str, instance: str, external_ids: Sequence[str]
) -> Iterator[IdentityRow]:
    """Give a brand's identities with these ids on one server."""
    query = sa.select(*_COLUMNS).where(
        Identity.brand_id == brand_id,
        Identity.network == network,
        Identity.instance == instance,
        is_one_of(session, Identity.external_id, external_ids),
    )
    for row in session.execute(query):
        yield IdentityRow(*row)


def is_called(brand_id: int, handle: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Give the conditions that an identity of a brand has a handle, case aside; as the index holds it."""
    # Both sides in the database's own lower case: Python's knows more letters than SQLite's.
    return Identity.brand_id == brand_id, sa.func.lower(Identity.handle) == sa.func.lower(handle)


def list_ids_by_handle(session: Session, brand_id: int, handle: str, network: str | None = None) -> list[int]:
    """Give the identities with this handle, case aside, on one network or all."""
    query = sa.select(Identity.id).where(*is_called(brand_id, handle))
    if network is not None:
        query = query.where(Identity.network == network)
    return list(session.scalars(query.limit(100)))

"""Identities: the accounts behind what is heard, ours among them, kept as the networks show them now."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.queries.identities import IdentityRow, list_identities
from inbox.store.statements import insert_ignoring
from inbox.store.tables import Identity

# "Last seen" is written at most this often, so that a busy author costs no update per post.
SEEN_STEP = timedelta(hours=1)
IDENTITY_KEY = ("brand_id", "network", "instance", "external_id")


class Profile(Protocol):
    """What a network shows of an account; every field already checked."""

    @property
    def network(self) -> str:
        """Network the account is on."""

    @property
    def instance(self) -> str:
        """Server of that network, or empty."""

    @property
    def external_id(self) -> str:
        """The network's stable id."""

    @property
    def handle(self) -> str:
        """Name in addresses and mentions, without @."""

    @property
    def display_name(self) -> str:
        """Name on the profile."""

    @property
    def url(self) -> str | None:
        """Address of the profile."""

    @property
    def avatar_url(self) -> str | None:
        """Address of the picture."""

    @property
    def followers(self) -> int | None:
        """How many follow the account; None where the network does not tell."""

    @property
    def is_verified(self) -> bool:
        """Whether the network vouches for the account."""


@dataclass(frozen=True, slots=True)
class KnownIdentity:
    """An identity's row: its id and whether it is one of our own accounts."""

    id: int
    is_own: bool


IdentityKey = tuple[str, str, str]  # network, instance, external id


def store_identities(
    session: Session, brand_id: int, profiles: Iterable[Profile], now: datetime, *, own: frozenset[IdentityKey]
) -> dict[IdentityKey, KnownIdentity]:
    """Insert new accounts and bring known ones up to date; gives the row of each. `own` marks our accounts.

    An account once known as ours stays ours, whatever `own` says.
    """
    wanted = {(one.network, one.instance, one.external_id): one for one in profiles}
    known = _find(session, brand_id, wanted)
    new = [
        {
            "brand_id": brand_id,
            **_columns(profile),
            "network": profile.network,
            "instance": profile.instance,
            "external_id": profile.external_id,
            "is_own": key in own,
            "first_seen_at": now,
            "last_seen_at": now,
        }
        # In one order everywhere, so that two transactions with the same authors never wait for each other.
        for key, profile in sorted(wanted.items(), key=itemgetter(0))
        if key not in known
    ]
    if new:
        insert_ignoring(session, Identity, new, IDENTITY_KEY)
        known |= _find(session, brand_id, {key: wanted[key] for key in wanted if key not in known})
    _update(session, known, wanted, now, own)
    return {key: KnownIdentity(id=row.id, is_own=row.is_own or key in own) for key, row in known.items()}


def _find(session: Session, brand_id: int, wanted: dict[IdentityKey, Profile]) -> dict[IdentityKey, IdentityRow]:
    by_place: dict[tuple[str, str], list[str]] = {}
    for network, instance, external_id in wanted:
        by_place.setdefault((network, instance), []).append(external_id)
    return {
        (network, instance, row.external_id): row
        for (network, instance), ids in by_place.items()
        for row in list_identities(session, brand_id, network, instance, ids)
    }


def _update(
    session: Session,
    known: dict[IdentityKey, IdentityRow],
    wanted: dict[IdentityKey, Profile],
    now: datetime,
    own: frozenset[IdentityKey],
) -> None:
    changed = []
    for key, row in known.items():
        profile = wanted[key]
        followers = profile.followers if profile.followers is not None else row.followers
        is_same = (
            (row.handle, row.display_name, row.followers, row.is_own)
            == (profile.handle, profile.display_name or row.display_name, followers, row.is_own or key in own)
            and (profile.avatar_url is None or profile.avatar_url == row.avatar_url)
            and now - row.last_seen_at < SEEN_STEP
        )
        if not is_same:
            columns = _columns(profile)
            columns |= {
                "followers": followers,
                "display_name": profile.display_name or row.display_name,
                "url": profile.url or row.url,
                "avatar_url": profile.avatar_url or row.avatar_url,
                "is_own": row.is_own or key in own,
            }
            changed.append({"id": row.id, "last_seen_at": max(now, row.last_seen_at), **columns})
    if changed:
        session.execute(sa.update(Identity), sorted(changed, key=itemgetter("id")))


def _columns(profile: Profile) -> dict[str, str | int | bool | None]:
    return {
        "handle": profile.handle,
        "display_name": profile.display_name,
        "url": profile.url,
        "avatar_url": profile.avatar_url,
        "followers": profile.followers,
        "is_verified": profile.is_verified,
    }


def mark_own(session: Session, identity_ids: Sequence[int]) -> None:
    """Mark accounts as ours: posts they write from now on are answers, never work."""
    session.execute(sa.update(Identity).where(Identity.id.in_(identity_ids)).values(is_own=True))

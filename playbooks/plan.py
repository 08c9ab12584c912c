"""The editorial plan: what we mean to publish of our own accord, about what, where and when."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class PlanState(StrEnum):
    """Where an item stands, from an idea to what people said under it."""

    IDEA = "idea"
    DRAFT = "draft"
    REVIEW = "review"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    MEASURED = "measured"


# One step on, or back to be reworked; what is published stays published.
NEXT_STATES: dict[PlanState, frozenset[PlanState]] = {
    PlanState.IDEA: frozenset({PlanState.DRAFT}),
    PlanState.DRAFT: frozenset({PlanState.REVIEW, PlanState.IDEA}),
    PlanState.REVIEW: frozenset({PlanState.APPROVED, PlanState.DRAFT}),
    PlanState.APPROVED: frozenset({PlanState.SCHEDULED, PlanState.DRAFT}),
    PlanState.SCHEDULED: frozenset({PlanState.PUBLISHED, PlanState.APPROVED, PlanState.DRAFT}),
    PlanState.PUBLISHED: frozenset({PlanState.MEASURED}),
    PlanState.MEASURED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Pillar:
    """A theme the brand speaks about. `share` is the part of all items it should have, in [0, 1]."""

    key: str
    name: str
    share: float


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One thing to publish. `publish_at` is aware UTC, None while no date is set."""

    key: str
    pillar: str
    title: str
    networks: tuple[str, ...]
    state: PlanState = PlanState.IDEA
    publish_at: dt.datetime | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Collision:
    """Two items for one network closer to each other than they should be."""

    network: str
    earlier: PlanItem
    later: PlanItem


def can_move(state: PlanState, to: PlanState) -> bool:
    """Whether an item may go from one state to another."""
    return to in NEXT_STATES[state]


def find_collisions(items: Iterable[PlanItem], *, apart: dt.timedelta) -> tuple[Collision, ...]:
    """Items that would stand less than `apart` from each other on one network, by time."""
    dated = sorted(
        ((item.publish_at, item) for item in items if item.publish_at is not None),
        key=lambda pair: (pair[0], pair[1].key),
    )
    collisions = []
    latest: dict[str, tuple[dt.datetime, PlanItem]] = {}
    for moment, item in dated:
        for network in item.networks:
            before = latest.get(network)
            if before is not None and moment - before[0] < apart:
                collisions.append(Collision(network, before[1], item))
            latest[network] = (moment, item)
    return tuple(collisions)


def pillar_shares(items: Iterable[PlanItem], pillars: Iterable[Pillar]) -> dict[str, tuple[float, float]]:
    """By pillar: the share it has among the items, and the share it should have. All 0.0 without items."""
    counted = [item.pillar for item in items]
    total = len(counted)
    return {pillar.key: (counted.count(pillar.key) / total if total else 0.0, pillar.share) for pillar in pillars}

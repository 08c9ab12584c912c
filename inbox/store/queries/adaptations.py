"""Queries about adaptations, and about the labels of people that they are fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import Adaptation, Brand, Correction, Post, PostTags
from inbox.store.types import AdaptationState, PostState

MOST_GOLD = 3_000  # a task and brand; the newest
MOST_STANDING = 400


@dataclass(frozen=True, slots=True)
class GoldRow:
    """A person's word on one task, with the post it is about."""

    task: str
    value: list[str]
    machine_value: list[str]
    said_at: datetime
    post_id: int
    title: str
    text: str
    language_hint: str | None
    language: str | None


@dataclass(frozen=True, slots=True)
class SaidLabel:
    """A person's word and the machine's, without the post."""

    task: str
    value: list[str]
    machine_value: list[str]
    language: str | None


@dataclass(frozen=True, slots=True)
class StandingRow:
    """A post that was tagged and that nobody has corrected."""

    title: str
    text: str
    language_hint: str | None


def get_adaptation(session: Session, adaptation_id: int) -> Adaptation | None:
    """Give one, locked against others who decide about it."""
    return session.scalar(sa.select(Adaptation).where(Adaptation.id == adaptation_id).with_for_update())


def list_adaptations(session: Session, brand_id: int) -> Sequence[Adaptation]:
    """Give a brand's adaptations, the newest first."""
    statement = (
        sa.select(Adaptation).where(Adaptation.brand_id == brand_id).order_by(Adaptation.version.desc()).limit(100)
    )
    return session.scalars(statement).all()


def active_adaptations(session: Session, base: str) -> Sequence[Adaptation]:
    """Give what is active over this tagger, one a brand at most."""
    return session.scalars(
        sa.select(Adaptation).where(Adaptation.state == AdaptationState.ACTIVE, Adaptation.base == base)
    ).all()


def in_state(session: Session, brand_id: int, state: AdaptationState) -> Sequence[Adaptation]:
    """Give a brand's adaptations in a state."""
    return session.scalars(
        sa.select(Adaptation).where(Adaptation.brand_id == brand_id, Adaptation.state == state)
    ).all()


def find_version(session: Session, brand_id: int, version: int) -> Adaptation | None:
    """Give a brand's adaptation of this number."""
    return session.scalar(sa.select(Adaptation).where(Adaptation.brand_id == brand_id, Adaptation.version == version))


def latest_version(session: Session, brand_id: int) -> int:
    """Give the highest number used for a brand; 0 when there is none."""
    return session.scalar(sa.select(sa.func.max(Adaptation.version)).where(Adaptation.brand_id == brand_id)) or 0


def lock_brand(session: Session, brand_id: int) -> bool:
    """Let nobody else store an adaptation of this brand until the end; says whether the brand is there."""
    return session.scalar(sa.select(Brand.id).where(Brand.id == brand_id).with_for_update(key_share=True)) is not None


def count_new_gold(session: Session, base: str, tasks: Sequence[str]) -> dict[int, dict[str, int]]:
    """Count, by brand and task, the labels people gave since the last adaptation over this tagger was fitted."""
    seen = (
        sa.select(Adaptation.brand_id, sa.func.max(Adaptation.newest_at).label("newest_at"))
        .where(Adaptation.base == base)
        .group_by(Adaptation.brand_id)
        .subquery()
    )
    statement = (
        sa.select(Correction.brand_id, Correction.task, sa.func.count())
        .outerjoin(seen, seen.c.brand_id == Correction.brand_id)
        .where(
            Correction.task.in_(tasks),
            sa.or_(seen.c.newest_at.is_(None), Correction.created_at > seen.c.newest_at),
        )
        .group_by(Correction.brand_id, Correction.task)
    )
    found: dict[int, dict[str, int]] = {}
    for brand_id, task, count in session.execute(statement):
        found.setdefault(brand_id, {})[task] = count
    return found


def has_gold(session: Session, tasks: Sequence[str], least: int) -> bool:
    """Whether some brand has so many labels of one task."""
    statement = (
        sa.select(Correction.brand_id)
        .where(Correction.task.in_(tasks))
        .group_by(Correction.brand_id, Correction.task)
        .having(sa.func.count() >= least)
        .limit(1)
    )
    return session.scalar(statement) is not None


def list_gold(session: Session, brand_id: int, tasks: Sequence[str]) -> list[GoldRow]:
    """Give people's labels of a brand's posts by others, the newest first, up to MOST_GOLD a task."""
    found: list[GoldRow] = []
    for task in tasks:
        statement = (
            sa.select(
                Correction.task,
                Correction.value,
                Correction.machine_value,
                Correction.created_at,
                Correction.post_id,
                Post.title,
                Post.text,
                Post.language_hint,
                Post.language,
            )
            .join(Post, Post.id == Correction.post_id)
            .where(Correction.brand_id == brand_id, Correction.task == task, Post.deleted_at_source.is_(None))
            .order_by(Correction.created_at.desc(), Correction.id.desc())
            .limit(MOST_GOLD)
        )
        found += [GoldRow(*row) for row in session.execute(statement)]
    return found


def list_said_labels(session: Session, brand_id: int, tasks: Sequence[str]) -> list[SaidLabel]:
    """Give people's newest words on a brand's posts, up to MOST_GOLD in all."""
    statement = (
        sa.select(Correction.task, Correction.value, Correction.machine_value, Post.language)
        .join(Post, Post.id == Correction.post_id)
        .where(Correction.brand_id == brand_id, Correction.task.in_(tasks))
        .order_by(Correction.created_at.desc(), Correction.id.desc())
        .limit(MOST_GOLD)
    )
    return [SaidLabel(*row) for row in session.execute(statement)]


def list_standing(session: Session, brand_id: int) -> list[StandingRow]:
    """Give the newest posts by others that carry tags and no word of a person, up to MOST_STANDING."""
    corrected = sa.exists().where(Correction.brand_id == brand_id, Correction.post_id == Post.id)
    statement = (
        sa.select(Post.title, Post.text, Post.language_hint)
        .join(PostTags, sa.and_(PostTags.brand_id == Post.brand_id, PostTags.post_id == Post.id))
        .where(
            Post.brand_id == brand_id,
            Post.is_own.is_(False),
            Post.state.in_([PostState.TAGGED, PostState.ROUTED]),
            Post.deleted_at_source.is_(None),
            PostTags.error.is_(None),
            ~corrected,
        )
        .order_by(Post.created_at.desc(), Post.id.desc())
        .limit(MOST_STANDING)
    )
    return [StandingRow(*row) for row in session.execute(statement)]

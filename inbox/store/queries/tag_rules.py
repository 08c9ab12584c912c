"""Reads the rules on tags, and the posts they might touch."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.tables import Post, TagRule
from inbox.store.types import PostState
from nlp.rules import Rule
from nlp.rulesets import Rulesets


@dataclass(frozen=True, slots=True)
class TaggedText:
    """A post as the machine read it: its text, its own hint of a language, when it was written."""

    post_id: int
    conversation_id: int | None
    title: str
    text: str
    language_hint: str | None
    created_at: datetime


def list_tag_rules(session: Session, brand_id: int) -> Sequence[TagRule]:
    """Give a brand's rules in order, those switched off among them."""
    query = sa.select(TagRule).where(TagRule.brand_id == brand_id).order_by(TagRule.position, TagRule.id)
    return session.scalars(query).all()


def get_tag_rule(session: Session, rule_id: int) -> TagRule | None:
    """Give one rule."""
    return session.get(TagRule, rule_id)


def read_rulesets(session: Session, brand_ids: Collection[int]) -> Rulesets:
    """Give the active rules of these brands, ready to apply."""
    query = (
        sa.select(TagRule)
        .where(TagRule.brand_id.in_(sorted(set(brand_ids))), TagRule.is_active)
        .order_by(TagRule.brand_id, TagRule.position, TagRule.id)
    )
    by_brand: dict[int | None, list[Rule]] = {}
    for row in session.scalars(query):
        by_brand.setdefault(row.brand_id, []).append(rule_of(row))
    return Rulesets(by_brand)


def rule_of(row: TagRule) -> Rule:
    """Give a stored rule in the terms of nlp."""
    return Rule(
        name=row.name,
        terms=tuple(row.terms),
        forces=tuple(row.forces),
        forbids=tuple(row.forbids),
        language=row.language,
        context=tuple(row.context),
        not_with=tuple(row.not_with),
    )


def list_texts_since(session: Session, brand_id: int, since: datetime, limit: int) -> list[TaggedText]:
    """Give a brand's tagged posts by others since then, the newest first."""
    query = (
        sa.select(
            Post.id, Post.conversation_id, Post.title, Post.text, Post.language_hint, Post.created_at
        )
        .where(
            Post.brand_id == brand_id,
            Post.created_at >= since,
            ~Post.is_own,
            Post.state.in_((PostState.TAGGED, PostState.ROUTED)),
            Post.deleted_at_source.is_(None),
        )
        .order_by(Post.created_at.desc(), Post.id.desc())
        .limit(limit)
    )  # fmt: skip
    return [TaggedText(*row) for row in session.execute(query)]

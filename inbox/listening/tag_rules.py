"""A brand's rules on tags, stored, put in order and audited. What a rule means is in nlp/rulesets.py."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from inbox import audit
from inbox.errors import InvalidError, NotFoundError
from inbox.store.queries.tag_rules import get_tag_rule, list_tag_rules, rule_of
from inbox.store.tables import TagRule
from nlp.rules import Rule, RuleError, check_rules

MAX_RULES = 200


def save_tag_rule(
    session: Session,
    brand_id: int,
    rule: Rule,
    *,
    now: datetime,
    user_id: int | None,
    rule_id: int | None = None,
    is_active: bool = True,
) -> TagRule:
    """Store a new rule at the end, or change one where it stands; the caller commits.

    InvalidError says in words why the brand's rules could not hold with it.
    """
    kept = list(list_tag_rules(session, brand_id))
    row = _find(kept, rule_id) if rule_id is not None else None
    _check([rule if other is row else rule_of(other) for other in kept] + ([rule] if row is None else []))
    if row is None and len(kept) >= MAX_RULES:
        raise InvalidError("A brand can have %(count)s rules; delete one first.", values={"count": MAX_RULES})
    before = _as_json(row) if row is not None else None
    if row is None:
        position = kept[-1].position + 1 if kept else 1
        row = TagRule(brand_id=brand_id, position=position, created_at=now, changed_at=now, name=rule.name, terms=[])
        session.add(row)
    row.name, row.language, row.is_active = rule.name, rule.language, is_active
    row.terms, row.context, row.not_with = list(rule.terms), list(rule.context), list(rule.not_with)
    row.forces, row.forbids = list(rule.forces), list(rule.forbids)
    after = _as_json(row)
    if before != after:
        row.changed_at = now
        session.flush()
        action = "tag_rule.changed" if before else "tag_rule.created"
        _record(session, row, action, now=now, user_id=user_id, before=before, after=after)
    return row


def check_with_others(session: Session, brand_id: int, rule: Rule, *, rule_id: int | None = None) -> None:
    """Raise InvalidError where a rule could not hold with the brand's others; nothing is stored."""
    _check([*(rule_of(row) for row in list_tag_rules(session, brand_id) if row.id != rule_id), rule])


def delete_tag_rule(session: Session, rule_id: int, *, now: datetime, user_id: int | None) -> TagRule:
    """Remove a rule; what it decided stays as it is. The caller commits."""
    row = get_tag_rule(session, rule_id)
    if row is None:
        raise NotFoundError("This rule does not exist (any more).")
    _record(session, row, "tag_rule.deleted", now=now, user_id=user_id, before=_as_json(row), after=None)
    session.delete(row)
    session.flush()
    return row


def move_tag_rule(session: Session, rule_id: int, *, is_up: bool, now: datetime, user_id: int | None) -> TagRule:
    """Let a rule change places with the one before it or after it; at the end of the list nothing happens."""
    row = get_tag_rule(session, rule_id)
    if row is None:
        raise NotFoundError("This rule does not exist (any more).")
    order = list(list_tag_rules(session, row.brand_id))
    place = order.index(row)
    other = place - 1 if is_up else place + 1
    if 0 <= other < len(order):
        before = {"order": [one.name for one in order]}
        order[place], order[other] = order[other], order[place]
        for position, one in enumerate(order, 1):
            one.position = position
        session.flush()
        after = {"order": [one.name for one in order]}
        _record(session, row, "tag_rule.moved", now=now, user_id=user_id, before=before, after=after)
    return row


def apply_rules_of_file(
    session: Session, brand_id: int, rules: Sequence[Rule], *, now: datetime, user_id: int | None
) -> None:
    """Bring the rules of these names in line with a brand file; rules it does not name stay. The caller commits.

    All together are checked before any is stored: InvalidError names what cannot hold.
    """
    kept = {row.name: row for row in list_tag_rules(session, brand_id)}
    named = {rule.name for rule in rules}
    _check([*(rule_of(row) for name, row in kept.items() if name not in named), *rules])
    for rule in rules:
        row = kept.get(rule.name)
        if row is None or rule_of(row) != rule:
            save_tag_rule(
                session, brand_id, rule, now=now, user_id=user_id, rule_id=row.id if row else None,
                is_active=row.is_active if row else True,
            )  # fmt: skip


def _check(rules: Sequence[Rule]) -> None:
    try:
        check_rules(rules)
    except RuleError as error:
        raise InvalidError(error.message, values=error.values) from error


def _find(rows: Sequence[TagRule], rule_id: int) -> TagRule:
    row = next((row for row in rows if row.id == rule_id), None)
    if row is None:
        raise NotFoundError("This rule does not exist (any more).")
    return row


def _as_json(row: TagRule) -> dict[str, Any]:
    return {
        "name": row.name, "language": row.language, "terms": row.terms, "forces": row.forces, "forbids": row.forbids,
        "context": row.context, "not_with": row.not_with, "is_active": row.is_active,
    }  # fmt: skip


def _record(
    session: Session,
    row: TagRule,
    action: str,
    *,
    now: datetime,
    user_id: int | None,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    audit.record(
        session, now=now, action=action, entity="tag_rule", entity_id=row.id, user_id=user_id, before=before,
        after=after,
    )  # fmt: skip

"""The editorial plan: steps, collisions, and how the pillars are served."""

from datetime import UTC, datetime, timedelta

from playbooks.plan import Pillar, PlanItem, PlanState, can_move, find_collisions, pillar_shares

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


def item(key: str, *, hours: float | None, networks: tuple[str, ...] = ("x",), pillar: str = "help") -> PlanItem:
    moment = None if hours is None else NOON + timedelta(hours=hours)
    return PlanItem(key, pillar, key, networks, publish_at=moment)


def test_items_go_step_by_step_and_back_but_never_unpublish() -> None:
    assert can_move(PlanState.IDEA, PlanState.DRAFT)
    assert not can_move(PlanState.IDEA, PlanState.PUBLISHED)
    assert not can_move(PlanState.PUBLISHED, PlanState.DRAFT)


def test_items_close_to_each_other_on_one_network_collide() -> None:
    items = [item("b", hours=1), item("a", hours=0), item("c", hours=1.5, networks=("reddit",)), item("d", hours=None)]
    (collision,) = find_collisions(items, apart=timedelta(hours=2))
    assert (collision.network, collision.earlier.key, collision.later.key) == ("x", "a", "b")
    assert find_collisions(items, apart=timedelta(hours=1)) == ()


def test_shares_show_what_is_and_what_should_be() -> None:
    pillars = [Pillar("help", "Help", 0.5), Pillar("people", "People", 0.5)]
    items = [item("a", hours=0), item("b", hours=1), item("c", hours=2, pillar="people")]
    assert pillar_shares(items, pillars) == {"help": (2 / 3, 0.5), "people": (1 / 3, 0.5)}
    assert pillar_shares([], pillars)["help"] == (0.0, 0.5)

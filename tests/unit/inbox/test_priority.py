"""Priority as a sum with its reasons."""

from datetime import UTC, datetime, timedelta

import pytest

from inbox.store.types import SlaState
from inbox.triage.priority import Standing, audience_points, sum_up

NOW = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)


def test_the_sum_is_the_sum_of_its_reasons() -> None:
    found = sum_up(
        Standing(
            sla_state=SlaState.ACTIVE,
            sla_due_at=NOW + timedelta(minutes=10),
            intents={"complaint": 0.8, "question": 0.5},
            negative=0.9,
            audience=12_000,
            is_vip=True,
        ),
        now=NOW,
    )
    assert found.points == sum(part["points"] for part in found.reasons) == 20 + 20 + 14 + 20 + 15
    assert [part["reason"] for part in found.reasons][-1] == "negative"
    assert {"reason": "intent", "value": "complaint", "points": 20} in found.reasons


@pytest.mark.parametrize(
    ("minutes", "state", "points"),
    [(-1, SlaState.MISSED, 30), (-1, SlaState.ACTIVE, 30), (30, SlaState.ACTIVE, 20), (31, SlaState.ACTIVE, 10),
     (5, SlaState.HIT, 0), (5, SlaState.NONE, 0)],
)  # fmt: skip
def test_the_clock_weighs_more_the_less_is_left(minutes: int, state: SlaState, points: int) -> None:
    standing = Standing(sla_state=state, sla_due_at=NOW + timedelta(minutes=minutes))
    assert sum_up(standing, now=NOW).points == points


def test_spam_sinks_and_unknown_intents_weigh_nothing() -> None:
    assert sum_up(Standing(intents={"spam": 1.0}), now=NOW).points == -20
    assert sum_up(Standing(intents={"invented": 1.0}), now=NOW).points == 0


@pytest.mark.parametrize(("audience", "points"), [(0, 0), (-5, 0), (9, 5), (999, 15), (10**12, 25)])
def test_audience_counts_by_its_order_of_magnitude(audience: int, points: int) -> None:
    assert audience_points(audience) == points


@pytest.mark.parametrize(
    ("urgency", "reasons"),
    [
        ({"3": 1.0}, [{"reason": "urgency", "value": "3", "points": 30}]),
        ({"0": 0.0, "1": 0.1, "2": 0.5, "3": 0.4}, [{"reason": "urgency", "value": "2", "points": 18}]),
        ({"0": 0.9, "1": 0.1, "2": 0.0, "3": 0.0}, [{"reason": "urgency", "value": "0", "points": -4}]),
        ({"0": 0.1, "1": 0.7, "2": 0.1, "3": 0.1}, [{"reason": "urgency", "points": 4}]),
        ({"0": 0.0, "1": 1.0, "2": 0.0, "3": 0.0}, []),
        (dict.fromkeys("0123", 0.25), []),
        ({"9": 1.0}, []),
    ],
    ids=["now", "expected", "none needed", "a chance of now", "usual", "a model that says nothing", "no level"],
)
def test_urgency_weighs_by_what_is_to_be_expected(urgency: dict[str, float], reasons: list[dict[str, object]]) -> None:
    found = sum_up(Standing(urgency=urgency), now=NOW)
    assert found.reasons == reasons

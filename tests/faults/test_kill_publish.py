"""Killed at every named point and at random moments, each answer stands exactly once; blind retry shows."""

import os
import random
from collections.abc import Callable
from functools import partial

import pytest

from ascolto.demo.town import Fault
from tests.faults.rounds import REPLIES, Ground, Verdict, kill_at_random, publish_round

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

ROUNDS = int(os.environ.get("ASCOLTO_TEST_FAULT_ROUNDS", "100"))
SEED = int(os.environ.get("ASCOLTO_TEST_FAULT_SEED", "20261122"))
MakeGround = Callable[..., Ground]
WRITE = {"x": r"/2/tweets$", "mastodon": r"/api/v1/statuses$"}


@pytest.mark.parametrize(
    ("engine", "network", "every"), [("sqlite", "x", 1), ("sqlite", "mastodon", 3), ("postgres", "x", 2)]
)
def test_killed_at_every_named_point_each_answer_stands_once(
    make_ground: MakeGround, engine: str, network: str, every: int
) -> None:
    ground = make_ground(engine, network)
    _, points = publish_round(ground)
    assert {"commit:1:before", "reply:1:before", "reply:1:after"} <= set(points)
    total = Verdict()
    for point in points[::every]:
        verdict, _ = publish_round(ground, kill_at=point)
        assert verdict.killed == 1, point
        total.add(verdict)
    assert total.is_clean, total


@pytest.mark.parametrize(("engine", "share"), [("sqlite", 1.0), ("postgres", 0.2)])
def test_killed_at_random_moments_each_answer_stands_once(make_ground: MakeGround, engine: str, share: float) -> None:
    ground = make_ground(engine)
    kills = max(5, int(ROUNDS * share))
    total = kill_at_random(partial(publish_round, ground), random.Random(SEED), kills)
    assert total.is_clean, total
    assert total.killed == kills


def test_blind_retry_is_seen(make_ground: MakeGround) -> None:
    """The yardstick measures: with the look before a retry taken away, answers double."""
    ground = make_ground("sqlite")
    total = Verdict()
    for number in range(1, REPLIES + 1):
        verdict, _ = publish_round(ground, kill_at=f"reply:{number}:after", is_blind=True)
        total.add(verdict)
    assert total.doubled == REPLIES


@pytest.mark.parametrize("then", ["500", "503", "reset", "hang", "429"])
@pytest.mark.parametrize("network", ["x", "mastodon"])
def test_committed_then_failed_stands_once(make_ground: MakeGround, network: str, then: str) -> None:
    ground = make_ground("sqlite", network)
    fault = Fault(
        kind="commit_then_fail", then=then, network=network, method="POST", path=WRITE[network], times=2,
        hang_seconds=4, retry_after=1,
    )  # fmt: skip
    verdict, _ = publish_round(ground, faults=[fault], timeout_seconds=2.0 if then == "hang" else 15.0)
    assert verdict.is_clean, verdict


def test_committed_then_failed_and_killed_stands_once(make_ground: MakeGround) -> None:
    ground = make_ground("sqlite")
    for point in ("find_reply:1:before", "find_reply:1:after", "commit:3:before", "commit:4:after"):
        fault = Fault(kind="commit_then_fail", then="500", network="x", method="POST", path=WRITE["x"], times=1)
        verdict, _ = publish_round(ground, faults=[fault], kill_at=point)
        assert verdict.is_clean, (point, verdict)

"""Killed anywhere between poll and roll-up: no post lost, none twice, everything routed and counted."""

import random
from collections.abc import Callable
from functools import partial

import pytest

from tests.faults.rounds import Ground, Verdict, kill_at_random, say_posts, take_in_round
from tests.faults.test_kill_publish import ROUNDS, SEED

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("engine", "network", "every"), [("sqlite", "x", 1), ("sqlite", "mastodon", 4), ("postgres", "x", 3)]
)
def test_killed_at_every_named_point_no_post_is_lost_or_doubled(
    make_ground: Callable[..., Ground], engine: str, network: str, every: int
) -> None:
    ground = make_ground(engine, network)
    say_posts(ground)
    clean, points = take_in_round(ground)
    assert clean.is_clean, clean
    assert {"fetch:1:before", "fetch:2:after", "commit:1:before"} <= set(points)
    total = Verdict()
    for point in points[::every]:
        verdict, _ = take_in_round(ground, kill_at=point)
        assert verdict.killed == 1, point
        total.add(verdict)
    assert total.is_clean, total


def test_killed_at_random_moments_no_post_is_lost_or_doubled(make_ground: Callable[..., Ground]) -> None:
    ground = make_ground("sqlite")
    say_posts(ground)
    kills = max(5, ROUNDS // 8)
    total = kill_at_random(partial(take_in_round, ground), random.Random(SEED), kills)
    assert total.is_clean, total
    assert total.killed == kills

"""Topics: what is near joins, what is dense opens, names tell the matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.topics import (
    MEMORY,
    Centre,
    Vectors,
    assign,
    find_dense,
    find_same,
    move,
    name_topic,
    read_background,
)
from tests.topics_factory import WordSpace


def unit(*numbers: float) -> Vectors:
    row = np.array(numbers, dtype=np.float32)
    return row / np.linalg.norm(row)


def test_a_post_joins_the_nearest_centre_that_is_near_enough() -> None:
    centres = [Centre(unit(1, 0), 5), Centre(unit(0, 1), 5)]
    points = np.stack([unit(1, 0.1), unit(0.1, 1), unit(-1, -1)])
    places, nearness = assign(points, centres, join=0.8)
    assert places.tolist() == [0, 1, -1]
    assert nearness[0] == pytest.approx(0.995, abs=0.001)


def test_without_centres_or_posts_nothing_is_placed() -> None:
    assert assign(np.stack([unit(1, 0)]), [], join=0.5)[0].tolist() == [-1]
    assert assign(np.zeros((0, 2), dtype=np.float32), [Centre(unit(1, 0), 1)], join=0.5)[0].tolist() == []


def test_a_centre_follows_its_posts_and_a_full_memory_forgets() -> None:
    young = move(Centre(unit(1, 0), 1.0), np.stack([unit(0, 1)]))
    assert young.vector == pytest.approx(unit(1, 1), abs=1e-5)
    old = move(Centre(unit(1, 0), MEMORY), np.stack([unit(0, 1)]))
    assert old.weight == MEMORY
    assert float(old.vector @ unit(1, 0)) > 0.99


def test_opposite_posts_do_not_break_a_centre() -> None:
    centre = move(Centre(unit(1, 0), 1.0), np.stack([-unit(1, 0)]))
    assert np.isfinite(centre.vector).all()


def test_dense_places_are_found_and_scattered_posts_left() -> None:
    draw = np.random.default_rng(3)
    near = [
        np.stack([unit(*(np.eye(8)[axis] + draw.normal(0, 0.1, 8))) for _ in range(12 - 3 * axis)]) for axis in (0, 1)
    ]
    scattered = np.stack([unit(*draw.normal(0, 1, 8)) for _ in range(3)])
    found = find_dense(np.concatenate([*near, scattered]), join=0.75)
    assert [sorted(members.tolist()) for members in found] == [list(range(12)), list(range(12, 21))]


def test_fewer_than_five_are_no_topic() -> None:
    assert find_dense(np.stack([unit(1, 0)] * 4), join=0.8) == []
    assert len(find_dense(np.stack([unit(1, 0)] * 5), join=0.8)) == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.integers(0, 2**31))
def test_every_post_stands_in_one_place_at_most(count: int, seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    found = find_dense(points, join=0.5)
    members = [int(member) for group in found for member in group]
    assert len(members) == len(set(members))
    assert all(len(group) >= 5 for group in found)


def test_topics_that_became_one_keep_the_older_id() -> None:
    centres = {7: Centre(unit(1, 0), 9), 3: Centre(unit(1, 0.05), 2), 9: Centre(unit(0, 1), 5)}
    assert find_same(centres, merge=0.9) == [(3, 7)]


NAMED = {
    "it": (
        ["Ancora nessun rimborso del volo", "Il rimborso volo quando arriva?", "Aspetto il rimborso volo", "Rimborso?"],
        ["Il caffè è buono", "Che bel negozio", "La commessa è scortese", "Treno in ritardo", "Bolletta doppia"],
        "rimborso",
    ),
    "en": (
        ["Where is my refund for the flight", "flight refund missing", "Waiting on a flight refund", "no refund yet"],
        ["Lovely coffee", "The shop is closed", "Rude clerk at the till", "Train late again", "Charged twice"],
        "refund",
    ),
}


@pytest.mark.parametrize("language", ["it", "en"])
def test_a_name_tells_the_matter(language: str) -> None:
    topic, others, expected = NAMED[language]
    found = name_topic(topic, read_background([*topic, *others], language))
    assert any(expected in term for term in found)
    assert len(found) <= 2


def test_the_brands_own_name_is_no_matter() -> None:
    texts = ["Lumea rimborso mai arrivato"] * 5
    assert all(
        "lumea" not in term
        for term in name_topic(texts, read_background(["altro", "testo", "qui"], "it", avoid=["Lumea"]))
    )


def test_hostile_texts_have_no_name_and_raise_nothing() -> None:
    texts = ["", "🔥🔥", "\u202e\u0301\x00", "<script>" * 3, "a" * 100_000]
    assert name_topic(texts, read_background(texts, "it")) == ()
    assert WordSpace().embed([""]).any() == np.False_


def test_a_search_of_what_is_fresh_finds_what_a_search_of_all_finds() -> None:
    draw = np.random.default_rng(8)
    old = draw.normal(size=(40, 6)).astype(np.float32)
    old /= np.linalg.norm(old, axis=1, keepdims=True)
    fresh = np.stack([unit(*(np.eye(6)[2] + draw.normal(0, 0.1, 6))) for _ in range(6)])
    points = np.concatenate([fresh, old])
    groups = [set(members.tolist()) for members in find_dense(points, join=0.8)]
    with_fresh = [group for group in groups if group & set(range(6))]
    assert [set(members.tolist()) for members in find_dense(points, join=0.8, fresh=6)] == with_fresh
    assert find_dense(points, join=0.8, fresh=0) == []

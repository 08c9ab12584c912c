"""The space of topics in a model folder: read whole, refused torn, and chosen where clusters agree with kinds."""

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.model_files import DESCRIPTION, MODELS, ModelFileError
from nlp.pipeline import TIER_1
from nlp.topic_space import PieceSpace, PieceTable, _read, load_topic_space, own_directions
from nlp.train.topic_space import learn_table, pair_f1, write_space

SHIPPED = MODELS / TIER_1


def table(pieces: int = 30, width: int = 3) -> PieceTable:
    draw = np.random.default_rng(1)
    return PieceTable(
        rarity=np.ones(pieces, dtype=np.float32),
        likes=draw.integers(-127, 127, (pieces, width)).astype(np.int8),
        centre=np.zeros(width, dtype=np.float32),
        spread=np.ones(width, dtype=np.float32),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    path.mkdir()
    shutil.copy(SHIPPED / "tokenizer.json", path)
    described = json.loads((SHIPPED / DESCRIPTION).read_text())
    files = {"tokenizer.json": described["files"]["tokenizer.json"]}
    (path / DESCRIPTION).write_text(json.dumps({"name": "tiny.v1", "kind": "encoder", "max_tokens": 8, "files": files}))
    write_space(path, table(50_000), join=0.5, merge=0.8)
    return path


def test_a_written_space_is_read_again(folder: Path) -> None:
    space = load_topic_space(folder)
    assert isinstance(space, PieceSpace)
    assert (space.name, round(space.join, 3), round(space.merge, 3)) == ("tiny.v1/pieces.1", 0.5, 0.8)
    assert space.embed([]).shape == (0, 259)


@pytest.mark.parametrize("harm", ["torn", "missing", "other sum"])
def test_a_space_that_cannot_be_used_is_none(folder: Path, harm: str) -> None:
    file = folder / "topics.npz"
    if harm == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:100] if harm == "torn" else file.read_bytes() + b"x")
    assert load_topic_space(folder) is None


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "topics.npz"
    none = np.zeros(2)
    np.savez(file, rarity=np.zeros(4), likes=np.zeros((5, 2)), centre=none, spread=none, join=0.5, merge=0.8)
    with pytest.raises(ModelFileError, match=r"topics\.npz"):
        _read(file)


def test_directions_are_the_same_for_ever_and_far_from_each_other() -> None:
    found = own_directions(np.arange(200))
    assert set(np.unique(found)) == {-1.0, 1.0}
    assert found[7, :8].tolist() == own_directions(np.array([7]))[0, :8].tolist()
    likeness = found @ found.T / 256 - np.eye(200)
    assert np.abs(likeness).max() < 0.35


def test_matters_lie_apart_in_the_shipped_space_in_both_languages() -> None:
    space = load_topic_space(SHIPPED)
    assert space is not None
    for one, same, other in (
        ("Il rimborso del volo non arriva", "Aspetto ancora il rimborso del volo", "L'app si blocca all'avvio"),
        ("My flight refund never came", "Still no refund for the flight", "The app crashes when it starts"),
    ):
        points = space.embed([one, same, other])
        assert points[0] @ points[1] > space.join > points[0] @ points[2]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=200), max_size=5))
def test_no_text_raises_and_a_point_depends_on_its_own_text_alone(texts: list[str]) -> None:
    space = _shipped()
    points = space.embed(texts)
    lengths = np.linalg.norm(points, axis=1)
    assert np.isfinite(points).all()
    assert np.all(lengths < 1.001)
    for row, text in enumerate(texts):
        np.testing.assert_array_equal(points[row], space.embed([text])[0])


@cache
def _shipped() -> PieceSpace:
    found = load_topic_space(SHIPPED)
    assert found is not None
    return found


def test_rare_pieces_count_more_and_texts_without_letters_lie_nowhere() -> None:
    ids = [[1, 2], [1, 3], [1, 4], [1, 5]]
    learnt = learn_table(ids, np.random.default_rng(2).normal(size=(120, 384)).astype(np.float32))
    assert learnt.rarity[1] < learnt.rarity[2]
    assert not _shipped().embed(["", "123 456 !!!", "🔥🔥"]).any()


def test_pairs_count_for_clusters_that_are_kinds() -> None:
    points = np.repeat(np.eye(3, dtype=np.float32), 6, axis=0)
    kinds = [kind for kind in "abc" for _ in range(6)]
    assert pair_f1(points, kinds, 0.9) == 1.0
    assert pair_f1(points, ["a"] * 18, 0.9) < 0.5

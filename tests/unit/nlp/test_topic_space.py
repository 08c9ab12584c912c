"""The space of topics in a model folder: read whole, refused torn, and chosen where clusters agree with kinds."""

import json
from pathlib import Path

import numpy as np
import pytest

from nlp.model_files import ModelFileError
from nlp.topic_space import EncoderSpace, _read, load_topic_space
from nlp.train.topic_space import centre_by_language, learn_turn, pair_f1, unit, write_space


def folder_with(path: Path, *, width: int = 6, directions: int = 3) -> Path:
    path.mkdir(parents=True)
    (path / "model.json").write_text(json.dumps({"name": "tiny.v1", "kind": "encoder", "max_tokens": 8, "files": {}}))
    draw = np.random.default_rng(1)
    turn = draw.normal(size=(width, directions)).astype(np.float32)
    write_space(path, mean=np.zeros(width, dtype=np.float32), turn=turn, join=0.5, merge=0.8)
    return path


def test_a_written_space_is_read_again(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model")
    space = load_topic_space(folder)
    assert isinstance(space, EncoderSpace)
    assert (space.name, round(space.join, 3), round(space.merge, 3)) == ("tiny.v1/3", 0.5, 0.8)
    assert space.embed([]).shape == (0, 3)


@pytest.mark.parametrize("harm", ["torn", "missing", "other sum"])
def test_a_space_that_cannot_be_used_is_none(tmp_path: Path, harm: str) -> None:
    folder = folder_with(tmp_path / "model")
    file = folder / "topics.npz"
    if harm == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:100] if harm == "torn" else file.read_bytes() + b"x")
    assert load_topic_space(folder) is None


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "topics.npz"
    np.savez(file, mean=np.zeros(4), turn=np.zeros((5, 2)), join=0.5, merge=0.8)
    with pytest.raises(ModelFileError, match=r"topics\.npz"):
        _read(file)


def test_a_turn_finds_the_target_in_the_vectors() -> None:
    draw = np.random.default_rng(4)
    target = unit(draw.normal(size=(400, 3)).astype(np.float32))
    vectors = target @ draw.normal(size=(3, 12)).astype(np.float32) + draw.normal(0, 0.05, (400, 12)).astype(np.float32)
    seen = np.arange(400) < 300
    mean, turn = learn_turn(vectors.astype(np.float32), target, seen)
    found = unit((vectors[~seen] - mean) @ turn)
    assert float((found * target[~seen]).sum(axis=1).mean()) > 0.95


def test_centring_takes_the_language_away_and_not_the_matter() -> None:
    rows = np.array([[5.0, 1.0], [5.0, -1.0], [-5.0, 1.0], [-5.0, -1.0]], dtype=np.float32)
    assert centre_by_language(rows, ["it", "it", "en", "en"]).tolist() == [[0, 1], [0, -1], [0, 1], [0, -1]]


def test_pairs_count_for_clusters_that_are_kinds() -> None:
    points = np.repeat(np.eye(3, dtype=np.float32), 6, axis=0)
    kinds = [kind for kind in "abc" for _ in range(6)]
    assert pair_f1(points, kinds, 0.9) == 1.0
    assert pair_f1(points, ["a"] * 18, 0.9) < 0.5

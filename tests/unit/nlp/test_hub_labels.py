"""Other people's label names: read where they are common, asked about where they are not."""

from pathlib import Path

import numpy as np
import pytest

from nlp.calibration import TASKS
from nlp.hub_labels import LabelMap, LabelMapError, map_labels, read_label_file
from nlp.hub_tagger import read_hub_tasks, to_ours


@pytest.mark.parametrize(
    ("labels", "task", "ours"),
    [
        (("negative", "neutral", "positive"), "sentiment", ("negative", "neutral", "positive")),
        (("POSITIVE", "NEGATIVE"), "sentiment", ("positive", "negative")),
        (("positivo", "negativo", "neutro"), "sentiment", ("positive", "negative", "neutral")),
        (
            ("1 star", "2 stars", "3 stars", "4 stars", "5 stars"),
            "sentiment",
            ("negative", "negative", "neutral", "positive", "positive"),
        ),
        (("anger", "fear", "joy", "sadness"), "emotion", ("anger", "fear", "joy", "disappointment")),
        (("rabbia", "gioia", "paura", "tristezza"), "emotion", ("anger", "joy", "fear", "disappointment")),
        (("non-offensive", "offensive"), "toxicity", (None, "toxic")),
        (("NOT_HATE", "HATE"), "toxicity", (None, "toxic")),
        (("complaint", "question"), "intent", ("complaint", "question")),
    ],
)
def test_common_names_are_understood(labels: tuple[str, ...], task: str, ours: tuple[str | None, ...]) -> None:
    found = map_labels(labels)
    assert found.task == task
    assert tuple(None if column is None else TASKS[task][column] for column in found.columns) == ours


def test_numbered_labels_are_never_guessed() -> None:
    with pytest.raises(LabelMapError, match="LABEL_0, LABEL_1, LABEL_2"):
        map_labels(("LABEL_0", "LABEL_1", "LABEL_2"), model="some/model")
    given = {"LABEL_0": "negative", "LABEL_1": "neutral", "LABEL_2": "positive"}
    assert map_labels(tuple(given), given=given) == LabelMap("sentiment", (0, 1, 2))


def test_a_mapping_wins_and_may_leave_labels_out() -> None:
    given = {"bug": "complaint", "how to": "question", "noise": None}
    assert map_labels(tuple(given), task="intent", given=given) == LabelMap("intent", (0, 1, None))


@pytest.mark.parametrize(
    ("labels", "task", "told"),
    [
        (("cat", "dog"), None, "not understood: cat, dog"),
        (("positive", "negative", "sarcastic"), "sentiment", "not understood: sarcastic"),
        (("positive", "negative"), "mood", 'no task "mood"'),
        (("neutral",), None, "labels neutral"),
    ],
)
def test_labels_that_mean_nothing_here_are_listed(labels: tuple[str, ...], task: str | None, told: str) -> None:
    with pytest.raises(LabelMapError, match=told):
        map_labels(labels, task=task, model="some/model")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"a": "negative",\n"b" "positive"}', r"labels\.json, line 2"),
        ("[1]", r"labels\.json must hold one JSON object"),
        ('{"a": 3}', r"labels\.json must hold one JSON object"),
        (None, r"labels\.json cannot be read"),
    ],
)
def test_a_broken_mapping_file_is_named_with_its_line(tmp_path: Path, content: str | None, told: str) -> None:
    file = tmp_path / "labels.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(LabelMapError, match=told):
        read_label_file(file)


def test_a_mapping_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "labels.json"
    file.write_text('{"LABEL_0": "negative", "LABEL_1": null}', encoding="utf-8")
    assert read_label_file(file) == {"LABEL_0": "negative", "LABEL_1": None}


def test_probabilities_of_several_labels_add_up_in_one_of_ours() -> None:
    stars = map_labels(("1 star", "2 stars", "3 stars", "4 stars", "5 stars"))
    found = to_ours(np.array([[0.1, 0.2, 0.3, 0.3, 0.1]], dtype=np.float32), stars)
    np.testing.assert_allclose(found, [[0.3, 0.3, 0.4]], atol=1e-6)
    left_out = LabelMap("sentiment", (0, None, 2))
    np.testing.assert_allclose(to_ours(np.array([[0.3, 0.4, 0.3]], dtype=np.float32), left_out), [[0.5, 0, 0.5]])
    nothing = to_ours(np.array([[0.0, 1.0, 0.0]], dtype=np.float32), left_out)
    np.testing.assert_allclose(nothing, [[1 / 3] * 3], atol=1e-6)


def test_models_are_read_from_one_setting() -> None:
    first, second, third = read_hub_tasks("some/model@it+fr, /a/folder ,other/model@en,", label_file=Path("l.json"))
    assert (first.model.name, first.languages) == ("some/model", frozenset({"it", "fr"}))
    assert (second.model.name, second.languages) == ("/a/folder", frozenset())
    assert (third.model.name, third.languages, third.label_file) == ("other/model", frozenset({"en"}), Path("l.json"))
    assert read_hub_tasks(" , ") == ()

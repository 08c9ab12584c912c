"""What the encoder learns from: nothing that is judged, folds that stay, batches that lose nothing."""

import json
from pathlib import Path

import numpy as np
import pytest

from nlp.base import INTENTS
from nlp.corpus.check import LabelledPost, load_corpus
from nlp.train.encoder_data import FOLDS, Lessons, batches, fold_of, join, own_lessons, pad, public_lessons, split_own
from nlp.train.judged import JudgedTexts, judged_texts
from nlp.train.variants import vary

_EMPTY = (
    *(f"umsab/{name}_train.jsonl" for name in ("english", "french", "german", "spanish", "portuguese")),
    "semeval2017/train.jsonl",
    "tweeteval_emotion/train.jsonl",
    "tweeteval_offensive/train.jsonl",
    "complaints_acl19/all_train.jsonl",
    "churn_swisscom/EN_chatbot_train.jsonl",
    "churn_swisscom/DE_chatbot_train.jsonl",
)


def write(folder: Path, name: str, *rows: dict[str, object]) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def public(tmp_path: Path) -> Path:
    for name in _EMPTY:
        write(tmp_path, name)
    return tmp_path


def post(identity: str, text: str, language: str = "it") -> LabelledPost:
    return LabelledPost(
        id=identity,
        language=language,
        text=text,
        sentiment="negative",
        intents=("complaint", "churn_threat"),
        emotion="anger",
        toxicity=True,
        urgency=2,
        sector="telecom",
        difficulty=(),
        batch=1,
    )


@pytest.mark.parametrize(
    "text",
    [
        "The new train is late again and nobody tells us",
        "RT @someone: the NEW train is late again, and nobody tells us!!! https://t.co/abc",
        "The new train is late again and nobody",
    ],
)
def test_judged_text_is_known_in_other_clothes(text: str) -> None:
    judged = JudgedTexts(["@user The new train is late again and nobody tells us http"])
    assert text in judged


def test_judged_texts_leave_other_texts_alone() -> None:
    judged = JudgedTexts(["The new train is late again and nobody tells us"])
    assert "The new shop is open again and everybody came, what a day it was" not in judged
    assert "ok" not in judged


@pytest.mark.parametrize(
    "judged_file", ["umsab/english_val.jsonl", "umsab/italian_val.jsonl", "tweeteval_offensive/val.jsonl"]
)
def test_public_lessons_leave_out_what_any_validation_part_holds(public: Path, judged_file: str) -> None:
    leaked = "My parcel was thrown over the fence by your driver today"
    write(public, judged_file, {"text": f"@user {leaked} http://x.y", "label": 0})
    write(
        public,
        "semeval2017/train.jsonl",
        {"text": leaked, "label": 0},
        {"text": "What a lovely evening at the lake with everybody", "label": 2},
    )
    lessons = public_lessons(public, judged_texts(public))
    assert lessons.texts == ["What a lovely evening at the lake with everybody"]
    assert lessons.choices["sentiment"] == [2]


def test_public_lessons_leave_out_near_copies_of_posts_held_back(public: Path) -> None:
    write(
        public,
        "semeval2017/train.jsonl",
        {"text": "Third day without a line and the hotline plays music @telco", "label": 0},
    )
    judged = judged_texts(public, ["Third day without a line and the hotline plays music"])
    assert len(public_lessons(public, judged)) == 0


def test_public_lessons_hold_each_text_once(public: Path) -> None:
    row = {"text": "Best coffee in town, thank you @cafe", "label": 2}
    write(public, "semeval2017/train.jsonl", row, row)
    assert len(public_lessons(public, judged_texts(public))) == 1


def test_complaints_teach_one_intent_and_hold_a_fold_back(public: Path) -> None:
    rows = [{"id": str(at), "text": f"Complaint number {at} about the {at}th parcel", "label": 1} for at in range(60)]
    write(public, "complaints_acl19/all_train.jsonl", *rows)
    lessons = public_lessons(public, judged_texts(public))
    assert len(lessons) == sum(fold_of(str(at)) != 0 for at in range(60)) < 60
    marks = np.array(lessons.marks["intent"])
    assert (marks[:, INTENTS.index("complaint")] == 1).all()
    assert np.isnan(np.delete(marks, INTENTS.index("complaint"), axis=1)).all()
    assert set(lessons.choices["sentiment"]) == {-1}


def test_own_lessons_carry_all_labels() -> None:
    lessons = own_lessons([post("a", "Basta, disdico https://x.y @telco")])
    assert lessons.texts == ["Basta, disdico http @user"]
    assert [lessons.choices[task] for task in ("sentiment", "emotion", "urgency")] == [[0], [0], [2]]
    assert lessons.marks["toxicity"] == [[1.0]]
    assert [name for name, mark in zip(INTENTS, lessons.marks["intent"][0], strict=True) if mark] == [
        "complaint",
        "churn_threat",
    ]


def test_folds_depend_on_the_id_alone_and_are_of_like_size() -> None:
    posts = load_corpus()
    learn, judge = split_own(posts)
    assert sorted([*learn, *judge]) == list(range(len(posts)))
    assert len(judge) == pytest.approx(len(posts) / FOLDS, rel=0.15)
    reversed_judge = {posts[::-1][at].id for at in split_own(posts[::-1])[1]}
    assert reversed_judge == {posts[at].id for at in judge}


def test_batches_hold_every_text_once_and_like_lengths_together() -> None:
    lengths = np.random.default_rng(1).integers(3, 60, 500).tolist()
    found = batches(lengths, 16, np.random.default_rng(2))
    assert sorted(row for batch in found for row in batch) == list(range(500))
    spread = np.mean([max(lengths[row] for row in batch) - min(lengths[row] for row in batch) for batch in found])
    assert spread < 8


def test_pad_fills_up_and_masks() -> None:
    ids, mask = pad([[0, 7, 2], [0, 2]])
    assert ids.tolist() == [[0, 7, 2], [0, 2, 1]]
    assert mask.tolist() == [[1, 1, 1], [1, 1, 0]]


def test_join_and_take_keep_rows_together() -> None:
    one, two = own_lessons([post("a", "uno")]), own_lessons([post("b", "two", "en")])
    joined = join(one, Lessons(), two).take([1])
    assert (joined.texts, joined.languages, joined.origins) == (["two"], ["en"], ["own"])
    assert len(joined.marks["intent"]) == len(joined.choices["urgency"]) == 1


def test_variants_carry_no_labels_and_keep_the_language() -> None:
    posts = own_lessons(
        [post("a", "Perché non risponde nessuno? È una vergogna."), post("b", "Line down. Again. Great job!", "en")]
    )
    found = vary(posts, 20, np.random.default_rng(3))
    assert len(found) == 40
    assert set(found.choices["sentiment"]) == {-1}
    assert np.isnan(found.marks["intent"]).all()
    italian = {text for text, code in zip(found.texts, found.languages, strict=True) if code == "it"}
    assert len(italian) > 3
    assert not any("Line" in text for text in italian)


def test_variants_are_the_same_for_the_same_seed() -> None:
    posts = own_lessons([post("a", "Perché non risponde nessuno? È una vergogna.")])
    assert vary(posts, 9, np.random.default_rng(5)).texts == vary(posts, 9, np.random.default_rng(5)).texts

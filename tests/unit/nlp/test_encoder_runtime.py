"""The encoder and its heads: the plain arithmetic, independence of the batch, threads, and files that are refused."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from nlp.base import EMOTIONS, INTENTS, SENTIMENTS, URGENCIES
from nlp.calibration import TASKS
from nlp.encoder import MAX_CHARS, Encoder, normalise, open_encoder
from nlp.heads import load_heads
from nlp.model_files import MODELS, ModelFileError, open_model
from nlp.pipeline import EmbeddedTagger, load_tagger
from tests.encoder_factory import (
    LANGUAGES,
    MAX_TOKENS,
    WIDTH,
    describe,
    random_heads,
    random_weights,
    write_encoder_model,
    write_heads,
)

TEXTS = (
    "grazie ottimo treno",
    "thanks great train, never late again @lumea https://a.b/c",
    "",
    "😡",
    "non funziona mai più, vergogna! quanto costa?",
    "pacco",
    "parcel late " * 40,
    "مرحبا",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder_model(tmp_path_factory.mktemp("models") / "encoder-v9")


@pytest.fixture
def own_folder(tmp_path: Path) -> Path:
    return write_encoder_model(tmp_path / "encoder-v9")


def load(folder: Path, *, strict: bool = True) -> EmbeddedTagger:
    return load_tagger(model=folder.name, folder=folder.parent, strict=strict)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("ciao @mario.rossi_1 guarda https://x.it/a?b=c&amp;d &lt;3", "ciao @user guarda http <3"),
        ("scrivi a info@lumea.it", "scrivi a info@lumea.it"),
        ("@a@mastodon.social   sì\n\n\tok", "@user sì ok"),
        ("WWW.Lumea.it bello", "http bello"),
        ("a\x00b\u200bc \ud800 d\x85e", "a b c d e"),
        ("Z" + "\u0300" * 40 + "algo", "Z\u0300\u0300algo"),
        ("👨‍👩‍👧", "👨‍👩‍👧"),
        ("   ", ""),
    ],
)
def test_texts_are_prepared_for_the_tokeniser(text: str, normal: str) -> None:
    assert normalise(text) == normal
    assert normalise(normal) == normal


def test_a_text_of_megabytes_is_cut_before_any_work() -> None:
    assert len(normalise("@a &amp; " * 200_000)) <= MAX_CHARS


def test_vectors_are_the_same_bit_for_bit_in_any_batch(folder: Path) -> None:
    encoder = Encoder(open_model(folder))
    together = encoder.encode(TEXTS * 9)
    for row, text in enumerate(TEXTS):
        np.testing.assert_array_equal(encoder.encode([text])[0], together[row])
        np.testing.assert_array_equal(together[row], together[row + 8 * len(TEXTS)])
    np.testing.assert_array_equal(encoder.encode(TEXTS[::-1])[::-1], together[: len(TEXTS)])
    assert len({vector.tobytes() for vector in together[: len(TEXTS)]}) == len(TEXTS)


def test_the_graph_computes_what_a_transformer_computes(folder: Path) -> None:
    """Against the layers written out in numpy; eight bits are all that may lie between them."""
    encoder = Encoder(open_model(folder))
    weights = random_weights(np.random.default_rng(5))
    session, tokenizer = encoder._parts()
    for text in TEXTS:
        ids = tokenizer.encode(normalise(text)).ids
        plain = _encode_plainly(weights, ids)
        found = encoder.encode([text])[0]
        cosine = plain @ found / np.linalg.norm(plain) / np.linalg.norm(found)
        assert cosine > 0.995, text
    assert session is encoder._parts()[0]


def test_long_texts_are_read_at_their_beginning_and_end(folder: Path) -> None:
    encoder = Encoder(open_model(folder))
    words = "grazie treno " * MAX_TOKENS
    whole = encoder.encode([words])[0]
    assert not np.array_equal(whole, encoder.encode([words + "pessimo"])[0]), "the end counts"
    assert not np.array_equal(whole, encoder.encode(["pessimo " + words])[0]), "and the beginning"
    middle = words + words + "pessimo " + words + words
    np.testing.assert_array_equal(encoder.encode([words * 4])[0], encoder.encode([middle])[0])
    np.testing.assert_array_equal(encoder.encode(["grazie", words])[1], whole)
    assert not np.array_equal(encoder.encode(["grazie"])[0], encoder.encode(["grazie pessimo"])[0])


def test_all_tasks_come_from_one_pass(folder: Path) -> None:
    tags = load(folder).tag(TEXTS)
    assert tags.tagger == "encoder.v9"
    assert tags.stand_ins == {}
    for array, labels in ((tags.sentiment, SENTIMENTS), (tags.emotion, EMOTIONS), (tags.urgency, URGENCIES)):
        assert array.shape == (len(TEXTS), len(labels))
        np.testing.assert_allclose(array.sum(axis=1), 1.0, atol=1e-5)
    assert tags.intents.shape == (len(TEXTS), len(INTENTS))
    assert tags.toxicity.shape == (len(TEXTS),)
    assert set(tags.errors) == {2}
    assert tags.emotion_unsure[2]
    assert tags.toxicity_unsure[2]


def test_probabilities_are_the_calibrated_heads_on_the_vectors(folder: Path) -> None:
    tagger = load(folder)
    text = "grazie ottimo treno"
    raw = tagger.raw([text], ["it"])
    vector = open_encoder(open_model(folder)).encode([text])[0]
    with np.load(folder / "heads.npz") as arrays:
        by_hand = {task: arrays[f"{task}.it.weight"] @ vector + arrays[f"{task}.it.bias"] for task in TASKS}
    assert raw.languages == ("it",)
    for task, scores in by_hand.items():
        np.testing.assert_allclose(raw.scores[task][0], scores, rtol=1e-4, atol=1e-4)
    powers = np.exp(by_hand["emotion"] / 1.5)
    np.testing.assert_allclose(tagger.tag([text], ["it"]).emotion[0], powers / powers.sum(), atol=1e-4)


def test_threads_share_one_encoder(folder: Path) -> None:
    tagger = load(folder, strict=False)
    expected = load(folder).tag(TEXTS).sentiment
    found: list[bool] = []

    def work() -> None:
        found.extend(np.array_equal(tagger.tag(TEXTS).sentiment, expected) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 20
    assert open_encoder(open_model(folder)) is open_encoder(open_model(folder))


def test_a_head_may_take_the_scores_of_the_n_grams_too(own_folder: Path) -> None:
    draw = np.random.default_rng(2)
    heads = random_heads(draw, inputs=WIDTH + 13)
    heads |= {"stack.mean": np.full(13, 0.5, dtype=np.float32), "stack.scale": np.full(13, 2.0, dtype=np.float32)}
    write_heads(own_folder / "heads.npz", heads)
    describe(own_folder, stack="ngrams-v1")
    text = "grazie, treno ottimo"
    vector = open_encoder(open_model(own_folder)).encode([text])[0]
    ngrams = load_tagger(model="ngrams-v1")
    bare = ngrams._cheap.stacked([text], ["it"])[0]  # type: ignore[attr-defined]  # tier 0, whatever is above it
    expected = heads["sentiment.it.weight"] @ np.concatenate([vector, (bare - 0.5) / 2]) + heads["sentiment.it.bias"]
    np.testing.assert_allclose(load(own_folder).raw([text], ["it"]).scores["sentiment"][0], expected, atol=1e-3)


def test_a_needed_tier_below_must_be_there(own_folder: Path) -> None:
    describe(own_folder, stack="ngrams-v77")
    with pytest.raises(ModelFileError, match="ngrams-v77"):
        load(own_folder)


def _tear(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:-9])


BREAKAGES = {
    "no model.json": lambda folder: (folder / "model.json").unlink(),
    "model.json no JSON": lambda folder: (folder / "model.json").write_text("{"),
    "model.json no object": lambda folder: (folder / "model.json").write_text("[]"),
    "no files": lambda folder: describe(folder, kind="encoder", files={}),
    "unknown kind": lambda folder: describe(folder, kind="oracle"),
    "no calibration": lambda folder: describe(folder, calibration={}),
    "task missing": lambda folder: describe(folder, calibration={"it": {"sentiment": _SENTIMENT}}),
    "label map too short": lambda folder: describe(folder, calibration={"it": {"sentiment": _SHORT}}),
    "no length": lambda folder: describe(folder, max_tokens="many"),
    "torn graph": lambda folder: _tear(folder, "encoder.onnx"),
    "torn heads": lambda folder: _tear(folder, "heads.npz"),
    "no tokeniser": lambda folder: (folder / "tokenizer.json").unlink(),
    "strange graph": lambda folder: _replace(folder, "encoder.onnx", b"not a graph"),
    "strange heads": lambda folder: _replace(folder, "heads.npz", b"not arrays"),
    "strange tokeniser": lambda folder: _replace(folder, "tokenizer.json", b"{}"),
}
_SENTIMENT = {"temperature": 1.0, "biases": [0.0, 0.0, 0.0], "threshold": 0.4}
_SHORT = {"temperature": 1.0, "biases": [0.0, 0.0], "threshold": 0.4}


def _replace(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    describe(folder)


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_folder_that_cannot_be_used_is_named_and_the_tier_below_answers(own_folder: Path, breakage: str) -> None:
    BREAKAGES[breakage](own_folder)
    with pytest.raises(ModelFileError, match="encoder-v9") as raised:
        load(own_folder)
    assert any(name in str(raised.value) for name in ("model.json", "encoder.onnx", "heads.npz", "tokenizer.json"))
    tagger = load(own_folder, strict=False)
    tags = tagger.tag(TEXTS)
    below = load_tagger(model="ngrams-v1").tag(TEXTS)
    np.testing.assert_array_equal(tags.sentiment, below.sentiment)
    assert tags.tagger == tagger.name == "ngrams.v1"
    assert "encoder.v9 is not in use" in str(tagger.health().degraded)
    assert tagger.health().tier == "ngrams.v1"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda heads: heads.pop("urgency.en.bias"), r"lacks 'urgency\.en\.bias'"),
        (lambda heads: heads.update({"emotion.it.weight": heads["emotion.it.weight"][:6]}), r"emotion\.it has"),
        (lambda heads: heads["toxicity.it.bias"].fill(np.nan), r"toxicity\.it holds"),
    ],
)
def test_heads_that_do_not_fit_the_labels_are_named(tmp_path: Path, change: object, told: str) -> None:
    heads = random_heads(np.random.default_rng(1))
    assert callable(change)
    change(heads)
    write_heads(tmp_path / "heads.npz", heads)
    with pytest.raises(ModelFileError, match=rf"heads\.npz.*{told}"):
        load_heads(tmp_path / "heads.npz", LANGUAGES, is_stacked=False)


def test_heads_for_another_encoder_are_refused(own_folder: Path) -> None:
    write_heads(own_folder / "heads.npz", random_heads(np.random.default_rng(1), inputs=WIDTH + 1))
    describe(own_folder)
    tagger = load(own_folder, strict=False)
    tagger.tag(["ciao"])
    assert "takes 33 inputs, the encoder gives 32" in str(tagger.health().degraded)


def test_models_in_the_package_are_whole() -> None:
    for path in sorted(MODELS.iterdir()):
        open_model(path).check_files()
        described = json.loads((path / "model.json").read_text(encoding="utf-8"))
        assert described["name"].replace("-", ".") == path.name.replace("-", ".")


def _encode_plainly(weights: dict[str, np.ndarray], ids: list[int]) -> np.ndarray:
    def norm(rows: np.ndarray, name: str) -> np.ndarray:
        centred = rows - rows.mean(axis=1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(rows: np.ndarray, name: str) -> np.ndarray:
        return rows @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    pieces = weights["embeddings.word_embeddings.weight"][ids]
    rows = norm(pieces + weights["embeddings.position_embeddings.weight"][: len(ids)], "embeddings.LayerNorm")
    for layer in range(2):
        name = f"encoder.layer.{layer}"
        q, k, v = (linear(rows, f"{name}.attention.self.{part}") for part in ("query", "key", "value"))
        seen = []
        for head in range(4):
            at = slice(head * 8, head * 8 + 8)
            scores = q[:, at] @ k[:, at].T / np.sqrt(8)
            shares = np.exp(scores - scores.max(axis=1, keepdims=True))
            seen.append(shares / shares.sum(axis=1, keepdims=True) @ v[:, at])
        attended = linear(np.concatenate(seen, axis=1), f"{name}.attention.output.dense")
        rows = norm(attended + rows, f"{name}.attention.output.LayerNorm")
        wide = linear(rows, f"{name}.intermediate.dense")
        erf = np.vectorize(__import__("math").erf)
        active = np.minimum(0.5 * wide * (1 + erf(wide / np.sqrt(2))), 6.0)
        rows = norm(linear(active, f"{name}.output.dense") + rows, f"{name}.output.LayerNorm")
    return rows.mean(axis=0)

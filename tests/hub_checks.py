"""Checks of models of the hub, on small real checkpoints made here. Run by test_hub_models.py where torch is."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, PreTrainedTokenizerFast

from nlp.hub import HubError, HubModel, open_hub
from nlp.hub_tagger import HubTagger, HubTask
from nlp.pipeline import load_tagger

TEXTS = ["grazie treno ottimo", "pessimo", "", "parcel late " * 300, "😡 vergogna", "x" * 50_000]
WORDS = "grazie treno ottimo pessimo parcel late vergogna this text is about refund delivery".split()  # noqa: SIM905


def write_checkpoint(
    folder: Path, labels: list[str], *, kind: Any = BertForSequenceClassification, **config: Any
) -> Path:
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}
    vocabulary |= {word: len(vocabulary) + place for place, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]")
    torch.manual_seed(7)
    network = kind(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=40,
            initializer_range=0.9,
            id2label=dict(enumerate(labels)),
            label2id={label: place for place, label in enumerate(labels)},
            **config,
        )
    )
    network.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def sentiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("hub") / "mood", ["Negative", "Neutral", "Positive"])


def test_a_folder_is_loaded_and_gives_what_the_network_gives(sentiment: Path) -> None:
    model = open_hub(str(sentiment), device="cpu")
    assert model.labels == ("Negative", "Neutral", "Positive")
    assert model.device == "cpu"
    found = model.classify(TEXTS)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    network = BertForSequenceClassification.from_pretrained(sentiment).eval()
    fast = PreTrainedTokenizerFast.from_pretrained(sentiment)
    with torch.inference_mode():
        logits = network(**fast(TEXTS[0], return_tensors="pt")).logits[0]
    np.testing.assert_allclose(found[0], logits.softmax(-1).numpy(), atol=1e-5)


def test_batches_and_order_change_nothing_that_shows(sentiment: Path) -> None:
    together = open_hub(str(sentiment), device="cpu", batch=4).classify(TEXTS)
    for row, text in enumerate(TEXTS):
        np.testing.assert_allclose(open_hub(str(sentiment), device="cpu").classify([text])[0], together[row], atol=1e-5)
    assert open_hub(str(sentiment)).classify([]).shape == (0, 3)


def test_a_multi_label_model_gives_independent_values(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "m", ["complaint", "question"], problem_type="multi_label_classification")
    found = open_hub(str(folder)).classify(TEXTS)
    assert ((found > 0) & (found < 1)).all()
    assert not np.allclose(found.sum(axis=1), 1)


def test_labels_of_ones_own_are_ranked(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "nli", ["contradiction", "neutral", "entailment"])
    model = open_hub(str(folder))
    found = model.rank(TEXTS, ["refund", "delivery"])
    assert found.shape == (len(TEXTS), 2)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    several = model.rank(TEXTS, ["refund", "delivery"], several=True)
    np.testing.assert_allclose(several[:, 1], model.rank(TEXTS, ["delivery"], several=True)[:, 0], atol=1e-5)
    network = BertForSequenceClassification.from_pretrained(folder).eval()
    fast = PreTrainedTokenizerFast.from_pretrained(folder)
    with torch.inference_mode():
        pairs = [
            network(**fast(TEXTS[0], f"This text is about {label}.", return_tensors="pt")).logits[0, 2]
            for label in ("refund", "delivery")
        ]
    np.testing.assert_allclose(found[0], torch.stack(pairs).softmax(0).numpy(), atol=1e-5)


def test_a_model_that_ranks_nothing_says_so(sentiment: Path) -> None:
    with pytest.raises(HubError, match="entailment"):
        open_hub(str(sentiment)).rank(["ciao"], ["refund"])
    with pytest.raises(ValueError, match="at least one label"):
        open_hub(str(sentiment)).rank(["ciao"], [])


def test_a_model_for_another_task_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "words", ["a", "b"], kind=BertForMaskedLM)
    with pytest.raises(HubError, match=r"BertForMaskedLM.*sequence classification is needed"):
        open_hub(str(folder))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": None}))
    with pytest.raises(HubError, match="does not tell what task"):
        open_hub(str(folder))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_broken_folder_is_named(tmp_path: Path, name: str) -> None:
    folder = write_checkpoint(tmp_path / "torn", ["Negative", "Neutral", "Positive"])
    (folder / name).write_bytes(b"{torn")
    with pytest.raises(HubError, match=r"torn: its .* cannot be read from this folder"):
        open_hub(str(folder))


def test_no_network_is_told_with_the_cure() -> None:
    with pytest.raises(HubError, match=r"no network.*copy the model's folder"):
        open_hub("ascolto-tests/there-is-no-such-model")
    with pytest.raises(HubError, match="there is no such folder"):
        open_hub("/nowhere/at/all")


def test_a_device_that_is_not_there_is_told() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has the card")
    with pytest.raises(HubError, match=r'no device "cuda:3" here; there is cpu'):
        open_hub("any/name", device="cuda:3")


def test_hub_answers_stand_in_the_tags(sentiment: Path) -> None:
    embedded = load_tagger(model="ngrams-v1")
    tagger = HubTagger(embedded, [HubTask(HubModel(str(sentiment), device="cpu"), threshold=0.9)])
    tags, plain = tagger.tag(TEXTS), embedded.tag(TEXTS)
    expected = open_hub(str(sentiment)).classify(TEXTS)
    assert tags.tagger == "ngrams.v1+mood"
    for row in range(len(TEXTS)):
        if row not in tags.errors:
            np.testing.assert_allclose(tags.sentiment[row], expected[row], atol=1e-5)
            assert tags.sentiment_unsure[row] == (expected[row].max() < 0.9)
    np.testing.assert_array_equal(tags.intents, plain.intents)
    assert tagger.health().degraded is None


def test_a_model_reads_only_its_languages(sentiment: Path) -> None:
    embedded = load_tagger(model="ngrams-v1")
    tagger = HubTagger(embedded, [HubTask(HubModel(str(sentiment)), languages=frozenset({"it"}))])
    texts = ["Il treno di oggi non è mai arrivato, grazie", "The train was on time and it is great"]
    tags, plain = tagger.tag(texts), embedded.tag(texts)
    assert not np.allclose(tags.sentiment[0], plain.sentiment[0])
    np.testing.assert_array_equal(tags.sentiment[1], plain.sentiment[1])


def test_a_model_that_cannot_be_used_is_left_out_and_told(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "numbers", ["LABEL_0", "LABEL_1"])
    embedded = load_tagger(model="ngrams-v1")
    tagger = HubTagger(embedded, [HubTask(HubModel(str(folder))), HubTask(HubModel(str(tmp_path / "gone")))])
    np.testing.assert_array_equal(tagger.tag(TEXTS).sentiment, embedded.tag(TEXTS).sentiment)
    assert tagger.name == "ngrams.v1"
    told = str(tagger.health().degraded)
    assert "LABEL_0" in told
    assert "no such folder" in told

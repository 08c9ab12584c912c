"""Put the student into a model folder: graph, tokeniser, heads, calibration on posts it has not learnt from.

    python -m nlp.train.finish --student S.pt --base BASE --out nlp/models/encoder-v1

The calibration is fitted on our own posts of the held-back fold, as the shipped file reads them.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp.calibration import Calibration
from nlp.corpus.check import LANGUAGES, LabelledPost, load_corpus
from nlp.encoder import Encoder
from nlp.heads import Heads, load_heads
from nlp.model_files import open_model
from nlp.train.encoder_data import SHIPPED, Lessons, own_lessons, split_own
from nlp.train.fitting import Gold, fit_language
from nlp.train.judging import Scores

MAX_TOKENS = 80
_HUB_NAMES = {
    "words": "embeddings.word_embeddings.weight",
    "positions": "embeddings.position_embeddings.weight",
    "norm.weight": "embeddings.LayerNorm.weight",
    "norm.bias": "embeddings.LayerNorm.bias",
}
_LAYER_NAMES = {
    "attention_out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "inner": "intermediate.dense",
    "outer": "output.dense",
    "outer_norm": "output.LayerNorm",
}
Weights = dict[str, NDArray[np.float32]]


def to_hub_names(weights: Mapping[str, NDArray[np.float32]]) -> Weights:
    """Give our tensors the names of a `transformers` BERT, query, key and value apart again."""
    found: Weights = {}
    for name, value in weights.items():
        if name in _HUB_NAMES:
            found[_HUB_NAMES[name]] = value
            continue
        layer, part, kind = name.split(".")
        prefix = f"encoder.layer.{layer}."
        if part == "qkv":
            for own, third in zip(("query", "key", "value"), np.split(value, 3), strict=True):
                found[f"{prefix}attention.self.{own}.{kind}"] = third
        else:
            found[f"{prefix}{_LAYER_NAMES[part]}.{kind}"] = value
    return found


def to_shipped_heads(heads: Mapping[str, NDArray[np.float32]], groups: tuple[str, ...]) -> Weights:
    """One head a task and language: the weights learnt for all, with the bias of our posts in that language."""
    found: Weights = {}
    for task in SHIPPED:
        for language in LANGUAGES:
            found[f"{task}.{language}.weight"] = heads[f"{task}.weight"].astype(np.float32)
            found[f"{task}.{language}.bias"] = heads[f"{task}.bias"][groups.index(f"own-{language}")].astype(np.float32)
    return found


def describe(folder: Path, calibration: Mapping[str, object]) -> None:
    """Write model.json with the checksums of the files that are there."""
    files = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("encoder.onnx", "tokenizer.json", "heads.npz")
    }
    described = {
        "format": 1,
        "kind": "encoder",
        "name": folder.name.replace("-", "."),
        "languages": list(LANGUAGES),
        "max_tokens": MAX_TOKENS,
        "prefix": "",
        "stack": None,
        "files": files,
        "calibration": calibration,
    }
    (folder / "model.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


def gold_of(lessons: Lessons) -> Gold:
    """Labels of our own posts, all tasks."""
    choices = {task: np.array(lessons.choices[task], dtype=np.float64) for task in SHIPPED if task in lessons.choices}
    marks = {task: np.array(lessons.marks[task], dtype=np.float64) for task in SHIPPED if task in lessons.marks}
    return {**choices, **marks}


def posts_held_back(language: str) -> list[LabelledPost]:
    """Our own posts that no encoder has learnt from, in the order of the corpus."""
    posts = load_corpus()
    _, judge = split_own(posts)
    return [posts[at] for at in judge if posts[at].language == language]


def raw_scores(folder: Path, heads: Heads, posts: list[LabelledPost], language: str) -> Scores:
    """Scores of the folder's files, before calibration."""
    vectors = Encoder(open_model(folder)).encode([post.text for post in posts])
    return heads.scores(vectors, [language] * len(posts))


def calibrate(folder: Path) -> Calibration:
    """Fit both languages on the fold held back, as the shipped files read it."""
    heads = load_heads(folder / "heads.npz", LANGUAGES, is_stacked=False)
    found = {}
    for language in LANGUAGES:
        posts = posts_held_back(language)
        found[language] = fit_language(raw_scores(folder, heads, posts, language), gold_of(own_lessons(posts)))
    return Calibration(found)


def main() -> None:
    """Read the command line and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--student", type=Path, required=True, help="file that nlp.train.student wrote")
    parser.add_argument("--base", type=Path, required=True, help="folder of the pruned network")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    options = parser.parse_args()
    from nlp.train.encoder_net import GROUPS
    from nlp.train.export import write_encoder
    from nlp.train.teacher import Taught

    student = Taught.load(options.student)
    options.out.mkdir(parents=True, exist_ok=True)
    weights = {name: value.numpy() for name, value in student.weights.items()}
    write_encoder(to_hub_names(weights), options.out / "encoder.onnx", max_tokens=MAX_TOKENS)
    (options.out / "tokenizer.json").write_bytes((options.base / "tokenizer.json").read_bytes())
    heads = to_shipped_heads({name: value.numpy() for name, value in student.heads.items()}, GROUPS)
    arrays: Weights = {**heads}
    np.savez(options.out / "heads.npz", allow_pickle=False, **arrays)
    describe(options.out, {})
    describe(options.out, calibrate(options.out).to_json())


if __name__ == "__main__":
    main()

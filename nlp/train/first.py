"""Train tier 0, the n-gram heads, and write them with calibration and figures.

    python -m nlp.train.first --public FOLDER [--out nlp/models/ngrams-v1]

FOLDER holds the public sets (semeval2017 and the validation parts that are judged on). The
same texts give the same result: nothing is drawn without a seed.
"""

import argparse
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp.base import SENTIMENTS
from nlp.corpus.check import load_corpus
from nlp.intent import IntentHead
from nlp.sentiment import SentimentHead
from nlp.train.calibrate import fit_intents, fit_sentiment
from nlp.train.data import Examples, join, own_examples, public_sentiment
from nlp.train.linear import Ground, Recipe, count_features, fit_heads, lay_ground, out_of_fold

OUT = Path(__file__).parents[1] / "models" / "ngrams-v1"
RECIPES = {"it": Recipe(), "en": Recipe(sentiment_lean=4.0, sentiment_c=0.5)}


@dataclass(frozen=True, slots=True)
class Lesson:
    """All that one language is taught with: examples (public ones first), the rows of ours, and the ground laid."""

    examples: Examples
    own: NDArray[np.intp]
    ground: Ground


def prepare(language: str, folder: Path) -> Lesson:
    """Gather a language's texts. Public ones are English only: the Italian sets all have a non-commercial clause."""
    own = own_examples(post for post in load_corpus() if post.language == language)
    public = public_sentiment(folder) if language == "en" else own_examples([])
    examples = join(public, own)
    rows = np.arange(len(public), len(examples))
    counts = count_features(examples.texts, language)
    return Lesson(examples, rows, lay_ground(counts, examples, own=rows, recipe=RECIPES[language]))


def calibrate(
    scores: NDArray[np.float32], examples: Examples, rows: NDArray[np.intp]
) -> tuple[SentimentHead, IntentHead]:
    """Fit both heads' calibration to the scores of `rows` by heads that had not seen them."""
    return (
        fit_sentiment(scores[:, : len(SENTIMENTS)], examples.sentiment[rows]),
        fit_intents(scores[:, len(SENTIMENTS) :], examples.intents[rows]),
    )


def train(folder: Path, out: Path) -> None:
    """Fit, calibrate and write every language."""
    out.mkdir(parents=True, exist_ok=True)
    described = {}
    for language in RECIPES:
        lesson = prepare(language, folder)
        examples, own = lesson.examples, lesson.own
        print(f"{language}: {len(own)} own posts, {len(examples) - len(own)} public posts")
        scores = out_of_fold(lesson.ground, examples, own=own, language=language)
        heads = calibrate(scores, examples, own)
        model = fit_heads(lesson.ground, examples, rows=own, language=language)
        path = out / f"{language}.npz"
        model.save(path)
        described[language] = _describe(*heads, sha256=_sha256(path))
        print(f"{language}: {path.stat().st_size / 1e6:.2f} MB")
    text = json.dumps({"name": out.name, "languages": described}, indent=1) + "\n"
    (out / "model.json").write_text(text, encoding="utf-8")


def _describe(sentiment: SentimentHead, intents: IntentHead, *, sha256: str) -> dict[str, object]:
    return {
        "sha256": sha256,
        "sentiment": {
            "temperature": sentiment.temperature,
            "biases": list(sentiment.biases),
            "threshold": sentiment.threshold,
        },
        "intents": {
            "slopes": list(intents.slopes),
            "offsets": list(intents.offsets),
            "thresholds": list(intents.thresholds),
            "floor": intents.floor,
        },
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--public", type=Path, required=True, help="folder of the public labelled sets")
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write the model to")
    arguments = parser.parse_args()
    np.seterr(all="ignore")
    train(arguments.public, arguments.out)


if __name__ == "__main__":
    main()

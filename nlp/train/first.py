"""Train tier 0, the n-gram heads, and write them with calibration and figures.

    python -m nlp.train.first --public FOLDER [--out nlp/models/ngrams-v1]

FOLDER holds the public sets (semeval2017 and the validation parts that are judged on). The
same texts give the same result: nothing is drawn without a seed.
"""

import argparse
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp.base import SENTIMENTS
from nlp.calibration import AnyOf, OneOf
from nlp.corpus.check import load_corpus
from nlp.intent import Leans
from nlp.train.calibrate import fit_intents, fit_sentiment
from nlp.train.data import Examples, join, own_examples, public_sentiment
from nlp.train.linear import (
    Counts,
    Ground,
    Recipe,
    choose_columns,
    count_features,
    fit_heads,
    is_shared,
    lay_ground,
    learn_beliefs,
    out_of_fold,
)

OUT = Path(__file__).parents[1] / "models" / "ngrams-v1"
RECIPES = {"it": Recipe(), "en": Recipe(believed=0.9, sentiment_c=0.5)}
_SHARED_SEEN = 10  # public posts that hold a feature before it is believed in another language


@dataclass(frozen=True, slots=True)
class Lesson:
    """All that one language is taught with: examples (public ones first), the rows of ours, and the ground laid."""

    examples: Examples
    own: NDArray[np.intp]
    ground: Ground


@cache
def _english(folder: Path) -> tuple[Examples, int, Counts]:
    """Public posts followed by our own English ones, the number of the former, and all features counted."""
    public = public_sentiment(folder)
    examples = join(public, own_examples(post for post in load_corpus() if post.language == "en"))
    return examples, len(public), count_features(examples.texts, "en")


def prepare(language: str, folder: Path) -> Lesson:
    """Gather a language's texts and what is believed of them before our own are looked at.

    English believes what public posts say of all its features. Public posts are English only, because the Italian
    sets all have a non-commercial clause; Italian believes what they say of the features that need no language.
    """
    recipe = RECIPES[language]
    examples, public, counts = _english(folder)
    gold = examples.sentiment[:public]
    if language == "en":
        own = np.arange(public, len(examples))
        columns = choose_columns(counts, own, recipe)
        beliefs = learn_beliefs(counts, columns, gold, recipe)
    else:
        seen = np.asarray((counts.matrix[:public] > 0).sum(axis=0)).ravel()
        shared = [
            column for column in np.flatnonzero(seen >= _SHARED_SEEN).tolist() if is_shared(counts.features[column])
        ]
        beliefs = learn_beliefs(counts, shared, gold, recipe)
        examples = own_examples(post for post in load_corpus() if post.language == language)
        own = np.arange(len(examples))
        counts = count_features(examples.texts, language)
        columns = choose_columns(counts, own, recipe)
    return Lesson(examples, own, lay_ground(counts, columns, *beliefs, recipe))


def calibrate(scores: NDArray[np.float32], examples: Examples, rows: NDArray[np.intp]) -> tuple[OneOf, Leans, AnyOf]:
    """Fit both heads' calibration to the scores of `rows` by heads that had not seen them."""
    first = len(SENTIMENTS)
    sentiment = fit_sentiment(scores[:, :first], examples.sentiment[rows])
    attitude = sentiment.probabilities(scores[:, :first])
    return sentiment, *fit_intents(scores[:, first:], attitude, examples.intents[rows])


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


def _describe(sentiment: OneOf, leans: Leans, intents: AnyOf, *, sha256: str) -> dict[str, object]:
    return {
        "sha256": sha256,
        "sentiment": {
            "temperature": sentiment.temperature,
            "biases": list(sentiment.biases),
            "threshold": sentiment.threshold,
        },
        "intents": {
            "slopes": list(leans.slopes),
            "offsets": list(intents.offsets),
            "leans": [list(lean) for lean in leans.leans],
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

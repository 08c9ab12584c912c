"""Train tier 0, the n-gram heads, and write them with calibration and figures.

    python -m nlp.train.first --public FOLDER [--out nlp/models/ngrams-v1]

FOLDER holds the public sets (semeval2017, complaints_acl19, and the validation parts that are judged on). The
same texts give the same result: nothing is drawn without a seed.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

from nlp.base import SENTIMENTS
from nlp.corpus.check import load_corpus
from nlp.intent import IntentHead
from nlp.sentiment import SentimentHead
from nlp.train.calibrate import fit_intents, fit_sentiment
from nlp.train.data import Examples, join, own_examples, public_intent, public_sentiment
from nlp.train.linear import Recipe, count_features, fit_heads, out_of_fold

OUT = Path(__file__).parents[1] / "models" / "ngrams-v1"
RECIPES = {"it": Recipe(), "en": Recipe()}
OWN_WEIGHT = {"it": 1.0, "en": 6.0}


def own_of(language: str) -> Examples:
    """Our own posts in a language, at the weight they train with."""
    posts = [post for post in load_corpus() if post.language == language]
    return own_examples(posts, weight=OWN_WEIGHT[language])


def public_of(language: str, folder: Path) -> Examples:
    """Public posts that may be trained on: English only; Italian ones are all non-commercial."""
    if language != "en":
        return own_examples([])
    return join(public_sentiment(folder), public_intent(folder))


def train(folder: Path, out: Path) -> None:
    """Fit, calibrate and write every language."""
    out.mkdir(parents=True, exist_ok=True)
    described = {}
    for language, recipe in RECIPES.items():
        own, public = own_of(language), public_of(language, folder)
        print(f"{language}: {len(own)} own posts, {len(public)} public posts")
        examples = join(public, own)
        ours = np.arange(len(public), len(examples))
        counts = count_features(examples.texts, language)
        scores = out_of_fold(examples, counts, own=ours, language=language, recipe=recipe)
        sentiment = fit_sentiment(scores[:, : len(SENTIMENTS)], own.sentiment)
        intents = fit_intents(scores[:, len(SENTIMENTS) :], own.intents)
        everything = np.arange(len(examples))
        model = fit_heads(examples, counts, rows=everything, own=ours, language=language, recipe=recipe)
        path = out / f"{language}.npz"
        model.save(path)
        described[language] = _describe(sentiment, intents, sha256=_sha256(path))
        right = (sentiment.probabilities(scores[:, : len(SENTIMENTS)]).argmax(axis=1) == own.sentiment).mean()
        print(f"{language}: {path.stat().st_size / 1e6:.2f} MB, out-of-fold sentiment accuracy {right:.3f}")
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

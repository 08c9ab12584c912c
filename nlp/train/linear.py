"""Fitting the n-gram heads: vocabulary, logistic regressions, and calibration on folds the heads have not seen."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # scipy publishes no types
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from nlp.base import INTENTS, SENTIMENTS
from nlp.features import tokenise
from nlp.lexicon import load_lexicon
from nlp.ngrams import BLOCKS, NgramModel, post_features
from nlp.train.data import Examples

OUTPUTS = (*(f"sentiment:{label}" for label in SENTIMENTS), *(f"intent:{label}" for label in INTENTS))


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is tuned: smallest document counts by block, regularisation, and the share of weight of our own posts."""

    min_words: int = 2
    min_chars: int = 3
    max_features: int = 60_000
    sentiment_c: float = 1.0
    intent_c: float = 4.0
    block_scale: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 0.6)


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of features: matrix (n_texts, n_features) int32 and the (block, feature) of every column."""

    matrix: csr_matrix
    features: list[tuple[int, str]]


def count_features(texts: Sequence[str], language: str) -> Counts:
    """Count the features of every text; columns in order of first sight."""
    lexicon = load_lexicon(language)
    index: dict[tuple[int, str], int] = {}
    columns, ends = array("i"), array("q", [0])
    for text in texts:
        columns.extend(index.setdefault(found, len(index)) for found in post_features(tokenise(text), lexicon))
        ends.append(len(columns))
    values = np.ones(len(columns), dtype=np.int32)
    matrix = csr_matrix(
        (values, np.frombuffer(columns, dtype=np.int32), np.frombuffer(ends, dtype=np.int64)),
        shape=(len(texts), len(index)),
    )
    matrix.sum_duplicates()
    return Counts(matrix=matrix, features=list(index))


def choose_columns(counts: Counts, rows: NDArray[np.intp], own: NDArray[np.intp], recipe: Recipe) -> list[int]:
    """Columns frequent enough in `rows` to learn from, and rare ones of ours where our posts hold them often enough."""
    frequency = np.asarray((counts.matrix[rows] > 0).sum(axis=0)).ravel()
    ours = np.asarray((counts.matrix[own] > 0).sum(axis=0)).ravel()
    least = np.array([(recipe.min_words, recipe.min_chars, 1, 1)[block] for block, _ in counts.features])
    common = least * max(1, len(rows) // 5000)
    kept = np.flatnonzero((ours >= least) | ((frequency >= common) & (frequency > 0)))
    kept = kept[np.argsort(-(np.minimum(ours[kept], 3) * 1e6 + frequency[kept]), kind="stable")]
    return sorted(kept[: recipe.max_features].tolist(), key=counts.features.__getitem__)


def normalise(counts: Counts, columns: Sequence[int], recipe: Recipe) -> csr_matrix:
    """(n_texts, n_columns) with each block's counts over the root of the block's total, as at inference."""
    matrix = counts.matrix[:, columns].astype(np.float64)
    blocks = np.array([counts.features[column][0] for column in columns])
    for block in range(len(BLOCKS)):
        totals = np.asarray(matrix @ (blocks == block).astype(np.float64)).ravel()
        norms = recipe.block_scale[block] / np.sqrt(np.maximum(totals, 1.0))
        row_of = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        inside = blocks[matrix.indices] == block
        matrix.data[inside] *= norms[row_of[inside]]
    return matrix


def fit_heads(
    examples: Examples,
    counts: Counts,
    *,
    rows: NDArray[np.intp],
    own: NDArray[np.intp],
    language: str,
    recipe: Recipe,
) -> NgramModel:
    """Fit sentiment (one regression) and every intent (one each) on what is known of `rows`; `own` are ours of them."""
    columns = choose_columns(counts, rows, own, recipe)
    matrix = normalise(counts, columns, recipe)
    weights = np.zeros((len(columns), len(OUTPUTS)))
    intercepts = np.zeros(len(OUTPUTS))
    known = rows[examples.sentiment[rows] >= 0]
    model = LogisticRegression(C=recipe.sentiment_c, max_iter=300, tol=1e-3)
    model.fit(matrix[known], examples.sentiment[known], sample_weight=examples.weight[known])
    weights[:, : len(SENTIMENTS)] = model.coef_.T
    intercepts[: len(SENTIMENTS)] = model.intercept_
    for column in range(len(INTENTS)):
        labelled = rows[~np.isnan(examples.intents[rows, column])]
        binary = LogisticRegression(C=recipe.intent_c, max_iter=300, tol=1e-3)
        binary.fit(matrix[labelled], examples.intents[labelled, column] > 0, sample_weight=examples.weight[labelled])
        weights[:, len(SENTIMENTS) + column] = binary.coef_[0]
        intercepts[len(SENTIMENTS) + column] = binary.intercept_[0]
    features = [counts.features[column] for column in columns]
    weights *= np.array([recipe.block_scale[block] for block, _ in features])[:, None]
    return NgramModel(
        language=language,
        features=features,
        weights=weights.astype(np.float16).astype(np.float32),
        intercepts=intercepts.astype(np.float32),
        outputs=OUTPUTS,
    )


def out_of_fold(
    examples: Examples,
    counts: Counts,
    *,
    own: NDArray[np.intp],
    language: str,
    recipe: Recipe,
    folds: int = 5,
    seed: int = 7,
) -> NDArray[np.float32]:
    """(n_own, n_outputs) scores of our own posts, each by heads that have not seen it."""
    scores = np.zeros((len(own), len(OUTPUTS)), dtype=np.float32)
    complaint = examples.intents[own, INTENTS.index("complaint")].astype(np.int64)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    everything = np.arange(len(examples))
    for learn, judge in splitter.split(np.zeros(len(own)), examples.sentiment[own] * 2 + complaint):
        model = fit_heads(
            examples,
            counts,
            rows=np.setdiff1d(everything, own[judge]),
            own=own[learn],
            language=language,
            recipe=recipe,
        )
        scores[judge] = model.scores([tokenise(examples.texts[row]) for row in own[judge]])
    return scores

"""Fitting the n-gram heads: vocabulary, logistic regressions, and calibration on folds the heads have not seen."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack  # type: ignore[import-untyped]  # scipy publishes no types
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
    """What is tuned: smallest document counts, regularisation, and the scale of blocks and of leaning.

    Leaning: our own heads take the scores of heads fitted on public posts alone as features, times this scale.
    """

    min_words: int = 2
    min_chars: int = 3
    max_features: int = 60_000
    public_c: float = 1.0
    sentiment_lean: float = 0.5
    intent_lean: float = 0.15
    sentiment_c: float = 2.0
    intent_c: float = 8.0
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


@dataclass(frozen=True, slots=True)
class Ground:
    """What is the same in every fold: the normalised features, and what public posts taught about them.

    matrix: (n_examples, n_features); taught: (n_features, n_taught) weights of heads fitted on public posts alone,
    whose scores our own heads lean on (none for a language without public posts).
    """

    matrix: csr_matrix
    features: list[tuple[int, str]]
    taught: NDArray[np.float64]
    recipe: Recipe


def lay_ground(counts: Counts, examples: Examples, *, own: NDArray[np.intp], recipe: Recipe) -> Ground:
    """Choose features and learn from the public posts; `own` are the rows of ours, whose labels are not looked at."""
    columns = choose_columns(counts, np.arange(len(examples)), own, recipe)
    matrix = normalise(counts, columns, recipe)
    public = np.setdiff1d(np.arange(len(examples)), own)
    taught = np.zeros((len(columns), 0))
    if len(public):
        model = LogisticRegression(C=recipe.public_c, max_iter=300, tol=1e-3)
        model.fit(matrix[public], examples.sentiment[public])
        taught = model.coef_.T
    return Ground(
        matrix=matrix,
        features=[counts.features[column] for column in columns],
        taught=taught,
        recipe=recipe,
    )


def fit_heads(ground: Ground, examples: Examples, *, rows: NDArray[np.intp], language: str) -> NgramModel:
    """Fit sentiment (one regression) and every intent (one each) on `rows` of our own posts."""
    recipe, inside = ground.recipe, ground.matrix[rows]
    weights = np.zeros((len(ground.features), len(OUTPUTS)))
    intercepts = np.zeros(len(OUTPUTS))
    weights[:, : len(SENTIMENTS)], intercepts[: len(SENTIMENTS)] = _fit(
        inside, examples.sentiment[rows], ground.taught * recipe.sentiment_lean, recipe.sentiment_c
    )
    for column in range(len(INTENTS)):
        output = len(SENTIMENTS) + column
        weights[:, output : output + 1], intercepts[output : output + 1] = _fit(
            inside, examples.intents[rows, column] > 0, ground.taught * recipe.intent_lean, recipe.intent_c
        )
    weights *= np.array([recipe.block_scale[block] for block, _ in ground.features])[:, None]
    return NgramModel(
        language=language,
        features=ground.features,
        weights=weights.astype(np.float16).astype(np.float32),
        intercepts=intercepts.astype(np.float32),
        outputs=OUTPUTS,
    )


def _fit(
    matrix: csr_matrix, gold: NDArray[np.generic], taught: NDArray[np.float64], c: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit one regression on the features and the taught scores; give weights (n_features, n) and intercepts (n,)."""
    width = matrix.shape[1]
    model = LogisticRegression(C=c, max_iter=500, tol=1e-4)
    model.fit(hstack([matrix, csr_matrix(matrix @ taught)]).tocsr(), gold)
    return model.coef_.T[:width] + taught @ model.coef_.T[width:], model.intercept_


def out_of_fold(
    ground: Ground,
    examples: Examples,
    *,
    own: NDArray[np.intp],
    language: str,
    folds: int = 5,
    seed: int = 7,
) -> NDArray[np.float32]:
    """(n_own, n_outputs) scores of our own posts, each by heads that have not seen its labels."""
    scores = np.zeros((len(own), len(OUTPUTS)), dtype=np.float32)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for learn, judge in splitter.split(np.zeros(len(own)), examples.sentiment[own]):
        model = fit_heads(ground, examples, rows=own[learn], language=language)
        scores[judge] = model.scores([tokenise(examples.texts[row]) for row in own[judge]])
    return scores

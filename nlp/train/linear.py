"""Fitting the n-gram heads: vocabulary, sentiment near a prior, intents, and scores on folds not seen in fitting."""

import re
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
from nlp.lexicon import load_lists
from nlp.ngrams import BLOCKS, NgramModel, post_features
from nlp.train.data import Examples
from nlp.train.maxent import Prior, balanced, fit_softmax

OUTPUTS = (*(f"sentiment:{label}" for label in SENTIMENTS), *(f"intent:{label}" for label in INTENTS))


_MARK, _POLARITY = BLOCKS.index("mark"), BLOCKS.index("polarity")
_WORDLIKE = re.compile(r"\w| ")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is tuned: smallest document counts, regularisation, how much of the prior is believed, scales of blocks.

    Pairs of `least` are for our own posts and for all posts, by block. `penalties`: how dear it is to leave the prior.
    """

    least: tuple[tuple[int, int], ...] = ((2, 5), (3, 25), (1, 1), (1, 1), (1, 1))
    block_scale: tuple[float, ...] = (1.0, 1.0, 1.0, 0.6, 1.0)
    penalties: tuple[float, ...] = (1.0, 2.0, 1.0, 3.0, 1.0)
    public_c: float = 0.3
    believed: float = 1.0
    sentiment_c: float = 0.6
    intent_c: float = 8.0
    intent_lean: float = 0.3


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of features: matrix (n_texts, n_features) int32 and the (block, feature) of every column."""

    matrix: csr_matrix
    features: list[tuple[int, str]]


def count_features(texts: Sequence[str], language: str) -> Counts:
    """Count the features of every text; columns in order of first sight."""
    lists = load_lists(language)
    index: dict[tuple[int, str], int] = {}
    columns, ends = array("i"), array("q", [0])
    for text in texts:
        columns.extend(index.setdefault(found, len(index)) for found in post_features(tokenise(text), lists))
        ends.append(len(columns))
    values = np.ones(len(columns), dtype=np.int32)
    matrix = csr_matrix(
        (values, np.frombuffer(columns, dtype=np.int32), np.frombuffer(ends, dtype=np.int64)),
        shape=(len(texts), len(index)),
    )
    matrix.sum_duplicates()
    return Counts(matrix=matrix, features=list(index))


def choose_columns(counts: Counts, own: NDArray[np.intp], recipe: Recipe) -> list[int]:
    """Columns held often enough by our posts or by all posts; the word list's polarity is kept whole."""
    presence = counts.matrix > 0
    everywhere = np.asarray(presence.sum(axis=0)).ravel()
    ours = np.asarray(presence[own].sum(axis=0)).ravel()
    least = np.array([recipe.least[block] for block, _ in counts.features])
    kept = np.flatnonzero((ours >= least[:, 0]) | (everywhere >= least[:, 1]))
    return sorted(kept.tolist(), key=counts.features.__getitem__)


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
    """What is the same in every fold: the normalised features, and what is believed of sentiment before our posts.

    matrix: (n_examples, n_features).
    """

    matrix: csr_matrix
    features: list[tuple[int, str]]
    prior: Prior
    recipe: Recipe


Beliefs = dict[tuple[int, str], NDArray[np.float64]]


def is_shared(feature: tuple[int, str]) -> bool:
    """Whether a feature means the same in every language: polarity, the shape of the text, emoji and punctuation."""
    block, name = feature
    return block in {_MARK, _POLARITY} or name in {"<smile>", "<sad>"} or (block == 0 and not _WORDLIKE.search(name))


def learn_beliefs(
    counts: Counts, columns: Sequence[int], gold: NDArray[np.int64], recipe: Recipe
) -> tuple[Beliefs, NDArray[np.float64]]:
    """Learn from public posts what features say of sentiment: weights (3,) by feature, and intercepts (3,)."""
    matrix = normalise(counts, columns, recipe)[: len(gold)]
    classes = len(SENTIMENTS)
    blank = Prior(np.zeros((len(columns), classes)), np.zeros(classes), np.ones(len(columns)))
    weights, intercepts = fit_softmax(matrix, gold, blank, c=recipe.public_c, shares=balanced(gold, strength=1.0))
    return {counts.features[column]: weights[row] for row, column in enumerate(columns)}, intercepts


def lay_ground(
    counts: Counts, columns: Sequence[int], beliefs: Beliefs, intercepts: NDArray[np.float64], recipe: Recipe
) -> Ground:
    """Put features and beliefs together; what no belief names is believed to weigh nothing."""
    features = [counts.features[column] for column in columns]
    nothing = np.zeros(len(SENTIMENTS))
    weights = np.array([beliefs.get(feature, nothing) for feature in features])
    penalties = np.array([recipe.penalties[block] for block, _ in features])
    return Ground(
        matrix=normalise(counts, columns, recipe),
        features=features,
        prior=Prior(weights * recipe.believed, intercepts * recipe.believed, penalties),
        recipe=recipe,
    )


def fit_heads(ground: Ground, examples: Examples, *, rows: NDArray[np.intp], language: str) -> NgramModel:
    """Fit sentiment (near the prior) and every intent (one regression each) on `rows` of our own posts."""
    recipe, inside = ground.recipe, ground.matrix[rows]
    weights = np.zeros((len(ground.features), len(OUTPUTS)))
    intercepts = np.zeros(len(OUTPUTS))
    gold = examples.sentiment[rows]
    first = len(SENTIMENTS)
    weights[:, :first], intercepts[:first] = fit_softmax(
        inside, gold, ground.prior, c=recipe.sentiment_c, shares=balanced(gold, strength=0.5)
    )
    present = np.flatnonzero(np.diff(inside.tocsc().indptr))
    seen, lean = inside[:, present], ground.prior.weights * recipe.intent_lean
    widened = hstack([seen, csr_matrix(inside @ lean)]).tocsr()
    for column in range(len(INTENTS)):
        model = LogisticRegression(C=recipe.intent_c, max_iter=500, tol=1e-3)
        model.fit(widened, examples.intents[rows, column] > 0)
        learnt = model.coef_[0]
        weights[present, first + column] = learnt[: len(present)]
        weights[:, first + column] += lean @ learnt[len(present) :]
        intercepts[first + column] = model.intercept_[0]
    weights *= np.array([recipe.block_scale[block] for block, _ in ground.features])[:, None]
    return NgramModel(
        language=language,
        features=ground.features,
        weights=weights.astype(np.float16).astype(np.float32),
        intercepts=intercepts.astype(np.float32),
        outputs=OUTPUTS,
    )


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

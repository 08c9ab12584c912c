"""What a refit would do to labels it has not seen: figures before and after, and whether it may be used."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.learning import (
    FOLDS,
    Evidence,
    Parts,
    confidence,
    decide,
    fold_of,
    is_one_sided,
    learn,
    predict,
    sure,
    take,
    weigh,
    weigh_rows,
    weighted_f1,
)
from nlp.refit import Array

LEAST_LABELS = 30  # of one task, given by people
CLEAR = 1.28  # standard errors the gain in likelihood must exceed: one chance in ten
DOUBT = 0.25  # most of the bootstrap's draws in which macro-F1 may fall
_ROUNDS = 300
_SEED = 11
_EVEN = 1e-9
_TENTHS = 10


class Verdict(StrEnum):
    """What held-back labels say of a refit of one task."""

    CLEAR = "clear"  # better, by more than chance would give
    SLIGHT = "slight"  # not worse, but the gain may be chance
    WORSE = "worse"  # worse, or no better: not used
    TOO_FEW = "too_few"  # too few labels to try
    ONE_SIDED = "one_sided"  # nothing but mistakes: no confirmations, no posts left standing


@dataclass(frozen=True, slots=True)
class Figures:
    """One reading of the labels held back; all shares in [0, 1], weighted as the fit is.

    f1: macro-F1, with its 95 % interval; right_given: people's labels met exactly; loss: mean negative log-likelihood;
    sure: share called sure; sure_right: share right among these; sure_n: how many of people's labels these are.
    """

    f1: float
    f1_low: float
    f1_high: float
    right_given: int
    loss: float
    sure: float
    sure_right: float
    sure_n: int


@dataclass(frozen=True, slots=True)
class TaskReport:
    """Before and after for one task. `risk`: (coverage, share wrong before, after) over the surest tenths of posts.

    given: people's labels, of which `corrected` contradicted the machine; standing: posts that balanced them.
    gain: difference of macro-F1, with the 95 % interval of the paired bootstrap.
    """

    task: str
    verdict: Verdict
    given: int
    corrected: int
    standing: int
    languages: dict[str, int]
    before: Figures | None = None
    after: Figures | None = None
    gain: float = 0.0
    gain_low: float = 0.0
    gain_high: float = 0.0
    risk: tuple[tuple[float, float, float], ...] = ()

    @property
    def is_accepted(self) -> bool:
        """Whether the refit of this task may be used."""
        return self.verdict in {Verdict.CLEAR, Verdict.SLIGHT}

    def to_json(self) -> dict[str, Any]:
        """Give it as plain values."""
        return asdict(self)


def report_from_json(value: dict[str, Any]) -> TaskReport:
    """Read what `to_json` gave."""
    figures = {name: Figures(**value[name]) if value.get(name) else None for name in ("before", "after")}
    risk = tuple((float(at), float(before), float(after)) for at, before, after in value.get("risk", ()))
    return TaskReport(**{**value, **figures, "verdict": Verdict(value["verdict"]), "risk": risk})


def judge(evidence: Evidence) -> TaskReport:
    """Fit on four fifths, look at the fifth left out, in turn; say what it did to all of them."""
    blank = TaskReport(
        task=evidence.task,
        verdict=Verdict.TOO_FEW,
        given=int(evidence.given.sum()),
        corrected=int((evidence.given & evidence.corrected).sum()),
        standing=int(evidence.standing.sum()),
        languages=_count(evidence.languages[evidence.given]),
    )
    if blank.given < LEAST_LABELS or not evidence.learnable():
        return blank
    if is_one_sided(evidence):
        return _replace(blank, verdict=Verdict.ONE_SIDED)
    weights = _Weights(weigh_rows(evidence), np.column_stack([weigh(evidence, part) for part in evidence.parts]))
    shipped = predict(evidence, None)
    before = _View(shipped, decide(evidence, shipped, None), sure(evidence, shipped, None))
    after = _held_back(evidence)
    figures = (_figures(evidence, before, weights), _figures(evidence, after, weights))
    drawn = _gains(evidence, before, after, weights)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return _replace(
        blank,
        verdict=_verdict(evidence, before, after, weights, figures, doubt=float((drawn < 0).mean())),
        before=figures[0],
        after=figures[1],
        gain=round(figures[1].f1 - figures[0].f1, 4),
        gain_low=round(float(low), 4),
        gain_high=round(float(high), 4),
        risk=_risk(evidence, before, after, weights),
    )


@dataclass(frozen=True, slots=True)
class _Weights:
    """What rows count for: (n,) where the likeliest label matters, (n, parts) label by label."""

    rows: Array
    parts: Array


@dataclass(frozen=True, slots=True)
class _View:
    parts: Parts
    decided: NDArray[np.int64]
    sure: NDArray[np.bool_]


def _held_back(evidence: Evidence) -> _View:
    folds = fold_of(evidence)
    parts = tuple(part.copy() for part in predict(evidence, None))
    decided = np.zeros((len(evidence), len(_gold(evidence)[0])), dtype=np.int64)
    is_sure = np.zeros(len(evidence), dtype=np.bool_)
    for fold in range(FOLDS):
        held = folds == fold
        if not held.any():
            continue
        learnt = learn(evidence, ~held)
        left_out = take(evidence, held)
        found = predict(left_out, learnt)
        for whole, piece in zip(parts, found, strict=True):
            whole[held] = piece
        decided[held] = decide(left_out, found, learnt)
        is_sure[held] = sure(left_out, found, learnt)
    return _View(parts, decided, is_sure)


def _gold(evidence: Evidence) -> NDArray[np.int64]:
    """(n, parts) classes people gave."""
    return np.column_stack([part.gold for part in evidence.parts])


def _figures(evidence: Evidence, view: _View, weights: _Weights) -> Figures:
    gold = _gold(evidence)
    draw = np.random.default_rng(_SEED)
    n = len(evidence)
    scores = [_macro(evidence, gold, view, weights, draw.integers(0, n, n)) for _ in range(_ROUNDS)]
    low, high = np.quantile(scores, [0.025, 0.975])
    met = confidence(evidence, view.parts)[1]
    heard = view.sure & (weights.rows > 0)
    total = float(weights.rows[heard].sum())
    return Figures(
        f1=round(_macro(evidence, gold, view, weights, np.arange(n)), 4),
        f1_low=round(float(low), 4),
        f1_high=round(float(high), 4),
        right_given=int((view.decided == gold).all(axis=1)[evidence.given].sum()),
        loss=round(float(_losses(evidence, view, weights).sum() / weights.rows.sum()), 4),
        sure=round(total / float(weights.rows.sum()), 4),
        sure_right=round(float(weights.rows[heard] @ met[heard]) / total, 4) if total else 0.0,
        sure_n=int((heard & evidence.given).sum()),
    )


def _macro(
    evidence: Evidence, gold: NDArray[np.int64], view: _View, weights: _Weights, rows: NDArray[np.intp]
) -> float:
    """Mean F1 of the labels that people or the machine used in these rows."""
    if evidence.is_multi_label:
        used = ((gold[rows] + view.decided[rows]) * weights.parts[rows]).any(axis=0)
        scores = [
            weighted_f1(gold[rows, place], view.decided[rows, place], weights.parts[rows, place], 1)
            for place in np.flatnonzero(used)
        ]
    else:
        counted = rows[weights.rows[rows] > 0]
        truth, said, shares = gold[counted, 0], view.decided[counted, 0], weights.rows[counted]
        scores = [weighted_f1(truth, said, shares, int(label)) for label in np.union1d(truth, said)]
    return float(np.mean(scores)) if scores else 0.0


def _losses(evidence: Evidence, view: _View, weights: _Weights) -> Array:
    """(n,) weighted negative log-likelihood of the gold, summed over the parts."""
    rows = np.arange(len(evidence))
    found = [
        -np.log(np.maximum(part[rows, its.gold], 1e-6)) for part, its in zip(view.parts, evidence.parts, strict=True)
    ]
    total: Array = (np.column_stack(found) * weights.parts).sum(axis=1)
    return total


def _gains(evidence: Evidence, before: _View, after: _View, weights: _Weights) -> Array:
    """(rounds,) differences of macro-F1 over rows drawn with replacement, the same rows for both."""
    gold, n = _gold(evidence), len(evidence)
    draw = np.random.default_rng(_SEED)
    found = np.zeros(_ROUNDS)
    for number in range(_ROUNDS):
        rows = draw.integers(0, n, n)
        found[number] = _macro(evidence, gold, after, weights, rows) - _macro(evidence, gold, before, weights, rows)
    return found


def _verdict(
    evidence: Evidence,
    before: _View,
    after: _View,
    weights: _Weights,
    figures: tuple[Figures, Figures],
    *,
    doubt: float,
) -> Verdict:
    gains = _losses(evidence, before, weights) - _losses(evidence, after, weights)
    mean = float(gains.mean())
    error = float(gains.std() / np.sqrt(len(gains)))
    if mean <= 0 or figures[1].f1 < figures[0].f1 - _EVEN:
        return Verdict.WORSE
    return Verdict.CLEAR if mean > CLEAR * error and doubt <= DOUBT else Verdict.SLIGHT


def _risk(evidence: Evidence, before: _View, after: _View, weights: _Weights) -> tuple[tuple[float, float, float], ...]:
    curves = []
    for view in (before, after):
        sureness, met = confidence(evidence, view.parts)
        order = np.argsort(-sureness, kind="stable")
        covered, wrong = np.cumsum(weights.rows[order]), np.cumsum(weights.rows[order] * ~met[order])
        ends = [int(np.searchsorted(covered, covered[-1] * tenth / _TENTHS)) for tenth in range(1, _TENTHS + 1)]
        curves.append([float(wrong[end] / max(covered[end], _EVEN)) for end in (min(e, len(order) - 1) for e in ends)])
    return tuple(
        (round((tenth + 1) / _TENTHS, 1), round(curves[0][tenth], 4), round(curves[1][tenth], 4))
        for tenth in range(_TENTHS)
    )


def _count(codes: NDArray[np.str_]) -> dict[str, int]:
    found, counts = np.unique(codes, return_counts=True)
    return {str(code): int(count) for code, count in zip(found, counts, strict=True)}


def _replace(report: TaskReport, **changed: Any) -> TaskReport:
    from dataclasses import replace

    return replace(report, **changed)

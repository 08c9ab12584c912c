"""What can be learnt from people's labels of one task: how they are balanced, the fit, the thresholds.

People correct what is wrong and leave what is right as it stands, so corrections alone say that the machine is always
wrong. Here every correction that no confirmation stands against is balanced by posts nobody objected to: as many as
must have been right, by the machine's own calibrated belief, for this many to be wrong. Gains are then judged on
labels the fit has not seen, in the same proportions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp.refit import Array, Shift, Spread, fit_shift, softmax, unchanged

FOLDS = 5
LEAST_OF_A_LANGUAGE = 10  # labels before a language is touched at all
TARGET = 0.85  # share right among the sure
_LEAST_SURE = 0.5  # of the posts: a machine that is never sure is of no use
_MOST_UP, _MOST_DOWN = 0.2, 0.1
_BELIEF_WORTH = 30.0  # posts the calibrated confidence counts for beside those labelled
_MOST_STANDING = 3.0  # what one standing post may count for
_OF_ONE_LANGUAGE = Spread(scale=0.15, shift=0.4)
_SEED = 7

Parts = tuple[Array, ...]
Fit = dict[str, tuple[Shift, ...]]


@dataclass(frozen=True, slots=True)
class Part:
    """A choice between k classes: a single-label task, or one label of a multi-label task (without it, with it).

    logits: (n, k) log-probabilities as shipped; gold, decided: (n,) classes by people and by the machine.
    """

    logits: Array
    gold: NDArray[np.int64]
    decided: NDArray[np.int64]

    @property
    def belief(self) -> Array:
        """(n,) probability the machine gives what it decided."""
        shares: Array = softmax(self.logits)[np.arange(len(self.gold)), self.decided]
        return shares


@dataclass(frozen=True, slots=True)
class Evidence:
    """All labels of one task, as n rows: those people gave, and posts left `standing` (gold is what was decided).

    corrected: people gave another label than they were shown (the others of theirs are confirmations).
    floors: by language, the confidence under which the machine is unsure; limits: by language and label of a
    multi-label task, the probability from which it is chosen.
    """

    task: str
    parts: tuple[Part, ...]
    languages: NDArray[np.str_]
    corrected: NDArray[np.bool_]
    standing: NDArray[np.bool_]
    floors: dict[str, float]
    limits: dict[str, tuple[float, ...]]

    def __len__(self) -> int:
        return len(self.languages)

    @property
    def is_multi_label(self) -> bool:
        """Whether the parts are labels that stand beside each other."""
        return bool(self.limits)

    @property
    def given(self) -> NDArray[np.bool_]:
        """(n,) rows that people labelled."""
        return ~self.standing

    def learnable(self) -> list[str]:
        """Languages with enough labels to be touched."""
        codes, counts = np.unique(self.languages[self.given], return_counts=True)
        return [str(code) for code, count in zip(codes, counts, strict=True) if count >= LEAST_OF_A_LANGUAGE]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a fit gives: shifts of every part, the floor, and the limits, by language."""

    shifts: Fit
    floors: dict[str, float]
    limits: dict[str, tuple[float, ...]]


def weigh(evidence: Evidence, part: Part) -> Array:
    """(n,) what each row counts for: 1 for a person's label; for standing posts what balances the corrections."""
    return _balance(evidence, part.decided != part.gold, part.belief)


def weigh_rows(evidence: Evidence) -> Array:
    """(n,) the same where what matters is whether the likeliest label was met."""
    sureness, met = confidence(evidence, predict(evidence, None))
    return _balance(evidence, ~met, sureness)


def _even_out(weights: Array, gold: NDArray[np.int64]) -> Array:
    """Bring classes half of the way to equal shares: rare labels matter as much to people as common ones."""
    totals = np.bincount(gold, weights=weights, minlength=2)
    shares: Array = weights / np.sqrt(np.maximum(totals, 1.0))[gold]
    evened: Array = shares * (weights.sum() / max(float(shares.sum()), 1e-9))
    return evened


def _balance(evidence: Evidence, wrong: NDArray[np.bool_], belief: Array) -> Array:
    weights = evidence.given.astype(np.float64)
    for code in np.unique(evidence.languages):
        rows = evidence.languages == code
        given, standing = rows & evidence.given, rows & evidence.standing
        corrected, confirmed = int((given & evidence.corrected).sum()), int((given & ~evidence.corrected).sum())
        if not standing.any():
            continue
        unmatched = max(0, corrected - confirmed) / max(corrected, 1)
        missed = int((given & wrong).sum())
        needed = missed * _odds(float(belief[standing].mean())) - (int(given.sum()) - missed)
        shares = belief[standing] / belief[standing].sum()
        weights[standing] = np.minimum(unmatched * max(0.0, needed) * shares, _MOST_STANDING)
    return weights


def is_one_sided(evidence: Evidence) -> bool:
    """Whether people marked next to nothing but mistakes, and too few posts stand to balance them."""
    corrected = int((evidence.given & evidence.corrected).sum())
    confirmed = int((evidence.given & ~evidence.corrected).sum())
    met = confidence(evidence, predict(evidence, None))[1]
    weights = weigh_rows(evidence)
    return confirmed < corrected / 2 and float(weights[met].sum()) < float(weights[~met].sum()) / 2


def learn(evidence: Evidence, rows: NDArray[np.bool_]) -> Learnt:
    """Fit shifts, then thresholds, on these rows."""
    seen = take(evidence, rows)
    codes = evidence.learnable()
    shifts: Fit = dict.fromkeys(codes, ())
    for part in seen.parts:
        weights = _even_out(weigh(seen, part), part.gold)
        inside = np.isin(seen.languages, codes) & (weights > 0)
        classes = part.logits.shape[1]
        pooled = fit_shift(part.logits[inside], part.gold[inside], weights[inside], unchanged(classes), Spread())
        for code in codes:
            own = inside & (seen.languages == code)
            spread = _OF_ONE_LANGUAGE
            shift = pooled if len(codes) == 1 else fit_shift(
                part.logits[own], part.gold[own], weights[own], pooled, spread
            )  # fmt: skip
            shifts[code] = (*shifts[code], shift)
    learnt = Learnt(shifts, dict(evidence.floors), dict(evidence.limits))
    return _move_thresholds(seen, learnt, codes)


def predict(evidence: Evidence, learnt: Learnt | None) -> Parts:
    """(n, k) probabilities of every part; None: as shipped."""
    found = [softmax(part.logits) for part in evidence.parts]
    if learnt is not None:
        for code, shifts in learnt.shifts.items():
            rows = evidence.languages == code
            for place, (part, shift) in enumerate(zip(evidence.parts, shifts, strict=True)):
                found[place][rows] = shift.apply(part.logits[rows])
    return tuple(found)


def confidence(evidence: Evidence, parts: Parts) -> tuple[Array, NDArray[np.bool_]]:
    """(n,) the probability of the likeliest label, and whether people gave it (too)."""
    rows = np.arange(len(evidence))
    if evidence.is_multi_label:
        likely = np.column_stack([part[:, 1] for part in parts])
        gold = np.column_stack([part.gold == 1 for part in evidence.parts])
        best = likely.argmax(axis=1)
        return likely[rows, best], gold[rows, best]
    best = parts[0].argmax(axis=1)
    return parts[0][rows, best], best == evidence.parts[0].gold


def decide(evidence: Evidence, parts: Parts, learnt: Learnt | None) -> NDArray[np.int64]:
    """(n, parts) classes decided: the likeliest, or 1 where a label reaches its limit."""
    if not evidence.is_multi_label:
        likeliest: NDArray[np.int64] = parts[0].argmax(axis=1)[:, None]
        return likeliest
    limits = evidence.limits if learnt is None else learnt.limits
    edges = np.array([limits[str(code)] for code in evidence.languages])
    likely = np.column_stack([part[:, 1] for part in parts])
    chosen: NDArray[np.int64] = (likely >= edges).astype(np.int64)
    return chosen


def sure(evidence: Evidence, parts: Parts, learnt: Learnt | None) -> NDArray[np.bool_]:
    """(n,) whether the machine calls itself sure."""
    floors = evidence.floors if learnt is None else learnt.floors
    return confidence(evidence, parts)[0] >= np.array([floors[str(code)] for code in evidence.languages])


def take(evidence: Evidence, rows: NDArray[np.bool_]) -> Evidence:
    """Give these rows alone."""
    return Evidence(
        task=evidence.task,
        parts=tuple(Part(part.logits[rows], part.gold[rows], part.decided[rows]) for part in evidence.parts),
        languages=evidence.languages[rows],
        corrected=evidence.corrected[rows],
        standing=evidence.standing[rows],
        floors=evidence.floors,
        limits=evidence.limits,
    )


def fold_of(evidence: Evidence) -> NDArray[np.int64]:
    """(n,) the fold each row is held back in: people's labels and standing posts dealt out evenly, always alike."""
    folds = np.zeros(len(evidence), dtype=np.int64)
    draw = np.random.default_rng(_SEED)
    for group in (evidence.standing, evidence.given):
        places = draw.permutation(np.flatnonzero(group))
        folds[places] = np.arange(len(places)) % FOLDS
    return folds


def _move_thresholds(seen: Evidence, learnt: Learnt, codes: list[str]) -> Learnt:
    parts = predict(seen, learnt)
    sureness, right = confidence(seen, parts)
    weights = weigh_rows(seen)
    for code in codes:
        rows = seen.languages == code
        learnt.floors[code] = choose_floor(sureness[rows], right[rows], weights[rows], learnt.floors[code])
        if seen.is_multi_label:
            learnt.limits[code] = tuple(
                _choose_limit(parts[place][rows, 1], part.gold[rows] == 1, weigh(seen, part)[rows], limit)
                for place, (part, limit) in enumerate(zip(seen.parts, learnt.limits[code], strict=True))
            )
    return learnt


def choose_floor(sureness: Array, right: NDArray[np.bool_], weights: Array, shipped: float) -> float:
    """Find the least confidence from which the target share is right, leaving at least half of the posts sure.

    With few labels the calibrated confidence itself speaks: it counts for 30 of them. The floor stays between 0.1
    under and 0.2 over the one shipped.
    """
    total = float(weights.sum())
    low, high = max(0.05, shipped - _MOST_DOWN), min(0.99, shipped + _MOST_UP)
    best = low
    for floor in np.linspace(low, high, 41):
        inside = sureness >= floor
        held = float(weights[inside].sum())
        if held < _LEAST_SURE * total:
            break
        best = float(floor)
        hits = float(weights[inside] @ right[inside])
        believed = float(weights[inside] @ sureness[inside]) / max(held, 1e-9)
        if (hits + _BELIEF_WORTH * believed) / (held + _BELIEF_WORTH) >= TARGET:
            break
    return round(best, 4)


def _choose_limit(likely: Array, gold: NDArray[np.bool_], weights: Array, shipped: float) -> float:
    """Find the limit of best F1 among those near the shipped one; leaving it must pay."""
    if float(weights[gold].sum()) < LEAST_OF_A_LANGUAGE:
        return shipped
    best, best_score = shipped, -1.0
    for factor in (1.0, 0.9, 1.1, 0.8, 1.2, 0.7, 1.35, 0.6, 1.5):
        limit = min(0.95, shipped * factor)
        score = weighted_f1(gold.astype(np.int64), (likely >= limit).astype(np.int64), weights, 1)
        score -= 0.1 * abs(float(np.log(factor)))
        if score > best_score + 1e-9:
            best, best_score = limit, score
    return round(best, 4)


def weighted_f1(gold: NDArray[np.int64], chosen: NDArray[np.int64], weights: Array, label: int) -> float:
    """F1 of one class where rows count differently; 0 where it neither is nor was chosen."""
    hits = float(weights[(gold == label) & (chosen == label)].sum())
    total = float(weights[gold == label].sum() + weights[chosen == label].sum())
    return 2 * hits / total if total else 0.0


def _odds(share: float) -> float:
    held = min(max(share, 0.02), 0.98)
    return held / (1.0 - held)

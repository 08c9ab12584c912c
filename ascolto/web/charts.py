"""Geometry of the charts: numbers in, points out; templates draw them as SVG that stretches with the page.

Drawings use a grid of 1000 by 240 units and hold no text: labels are HTML beside them, crisp at any width.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 1000.0, 240.0
TICKS = 4
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a stacked bar."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Strip:
    """A stretch of the drawing from top to bottom: days on which something is missing."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class StackedBars:
    """Bars with their scale: `ticks` from the top down, the last 0; `lines` are their heights."""

    bars: tuple[Bar, ...]
    gaps: tuple[Strip, ...]
    ticks: tuple[float, ...]
    lines: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class BandedLine:
    """A line with its band, broken where there is no value. `paths` and `bands` are SVG path data."""

    paths: tuple[str, ...]
    bands: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]
    gaps: tuple[Strip, ...]
    ticks: tuple[float, ...]
    lines: tuple[float, ...]
    zero: float


def stack_bars(rows: Sequence[Sequence[tuple[str, int]]], gaps: Sequence[bool]) -> StackedBars:
    """Stack the parts of every row from the ground up, on a scale from zero."""
    top = nice_top(max((sum(number for _, number in row) for row in rows), default=0))
    slot = WIDTH / max(len(rows), 1)
    width = slot * 0.78
    bars: list[Bar] = []
    for index, row in enumerate(rows):
        y = HEIGHT
        for kind, number in row:
            if number:
                height = number / top * HEIGHT
                y -= height
                bars.append(Bar(kind, _r(index * slot + (slot - width) / 2), _r(y), _r(width), _r(height)))
    ticks = tuple(top * (TICKS - step) / TICKS for step in range(TICKS + 1))
    return StackedBars(tuple(bars), _strips(gaps), ticks, tuple(_r(HEIGHT * s / TICKS) for s in range(TICKS + 1)))


def draw_line(
    values: Sequence[tuple[float, float, float] | None], gaps: Sequence[bool], *, limit: float = 100
) -> BandedLine:
    """Draw (value, low, high) from -top to +top; None and gap days break the line."""
    reach = max((max(abs(low), abs(high)) for _, low, high in filter(None, values)), default=50)
    top = min(limit, math.ceil(reach / 50) * 50 or 50)
    slot = WIDTH / max(len(values), 1)

    def at(value: float) -> float:
        return _r((top - max(-top, min(top, value))) / (2 * top) * HEIGHT)

    paths, bands, dots = [], [], []
    for run in _runs(values, gaps):
        xs = [_r((index + 0.5) * slot) for index, _ in run]
        line = [at(value) for _, (value, _, _) in run]
        upper = [at(high) for _, (_, _, high) in run]
        lower = [at(low) for _, (_, low, _) in run]
        if len(run) == 1:
            dots.append((xs[0], line[0]))
            continue
        paths.append(_path(xs, line))
        bands.append(f"{_path(xs, upper)} L{_path(xs[::-1], lower[::-1])[1:]} Z")
    ticks = tuple(top - top * step / 2 for step in range(5))
    return BandedLine(
        tuple(paths), tuple(bands), tuple(dots), _strips(gaps), ticks, tuple(at(tick) for tick in ticks), at(0)
    )


@dataclass(frozen=True, slots=True)
class RiskCurve:
    """Share wrong over share answered, before and after; `ticks` (shares) from the top down, `lines` their heights."""

    before: str
    after: str
    dots: tuple[tuple[float, float], ...]
    ticks: tuple[float, ...]
    lines: tuple[float, ...]


def draw_risk(points: Sequence[tuple[float, float, float]]) -> RiskCurve:
    """Draw (coverage, risk before, risk after), coverages rising to 1, on a scale from zero."""
    top = max(1, math.ceil(max((max(before, after) for _, before, after in points), default=0) * 5)) / 5
    xs = [_r(coverage * WIDTH) for coverage, _, _ in points]

    def at(risk: float) -> float:
        return _r((1 - risk / top) * HEIGHT)

    after = [at(risk) for _, _, risk in points]
    return RiskCurve(
        before=_path(xs, [at(risk) for _, risk, _ in points]),
        after=_path(xs, after),
        dots=tuple(zip(xs, after, strict=True)),
        ticks=tuple(top * (TICKS - step) / TICKS for step in range(TICKS + 1)),
        lines=tuple(_r(HEIGHT * step / TICKS) for step in range(TICKS + 1)),
    )


def nice_top(highest: float) -> float:
    """Give the next round number that four equal steps reach."""
    if highest <= TICKS:
        return TICKS
    step = highest / TICKS
    size = float(10 ** math.floor(math.log10(step)))
    return TICKS * max(1, next(factor * size for factor in _STEPS if factor * size >= step))


def pick_labels(count: int, wanted: int = 5) -> list[int]:
    """Give the indexes of evenly spread labels, the first and the last among them."""
    if count <= wanted:
        return list(range(count))
    return [round(step * (count - 1) / (wanted - 1)) for step in range(wanted)]


def _runs(
    values: Sequence[tuple[float, float, float] | None], gaps: Sequence[bool]
) -> list[list[tuple[int, tuple[float, float, float]]]]:
    runs: list[list[tuple[int, tuple[float, float, float]]]] = [[]]
    for index, (value, is_gap) in enumerate(zip(values, gaps, strict=True)):
        if value is None or is_gap:
            runs.append([])
        else:
            runs[-1].append((index, value))
    return [run for run in runs if run]


def _strips(gaps: Sequence[bool]) -> tuple[Strip, ...]:
    slot = WIDTH / max(len(gaps), 1)
    return tuple(Strip(_r(index * slot), _r(slot)) for index, is_gap in enumerate(gaps) if is_gap)


def _path(xs: Sequence[float], ys: Sequence[float]) -> str:
    return "M" + " L".join(f"{x:g} {y:g}" for x, y in zip(xs, ys, strict=True))


def _r(value: float) -> float:
    return round(value, 2)

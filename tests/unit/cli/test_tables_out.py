"""Exports that other programs open: nothing in them is ever run."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from ascolto.tables_out import safe_cell, write_csv, write_jsonl

MOMENT = datetime(2026, 11, 10, 9, tzinfo=UTC)


def ignore(_done: int) -> None:
    """No bar here."""


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "  =1",
        "\n@x",
        "＝1",
        '=HYPERLINK("http://x")',
        "-2+3+cmd|' /C calc'!A0",
    ],
)
def test_formula_is_disarmed(text: str) -> None:
    assert safe_cell(text).startswith("'")


@pytest.mark.parametrize(
    ("cell", "written"), [("ciao", "ciao"), (-5, "-5"), (0.5, "0.5"), (None, ""), (True, "true"), ("", "")]
)
def test_other_cells_stay_as_they_are(cell: str | float | bool | None, written: str) -> None:  # noqa: FBT001 - a cell
    assert safe_cell(cell) == written


def test_csv_comes_back_as_it_was() -> None:
    file = io.StringIO(newline="")
    rows = [{"a": 'q"uote, comma\nline', "at": MOMENT, "labels": ["x", "y"]}, {"a": "è\x00", "at": None, "labels": []}]
    assert write_csv(file, rows, on_progress=ignore) == 2
    text = file.getvalue()
    assert text.startswith("\ufeff")
    back = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert back == [
        ["a", "at", "labels"],
        ['q"uote, comma\nline', "2026-11-10T09:00:00+00:00", "x y"],
        ["è\ufffd", "", ""],
    ]


def test_jsonl_keeps_text_untouched() -> None:
    file = io.StringIO()
    write_jsonl(file, [{"a": "=1+1", "at": MOMENT}], on_progress=ignore)
    assert json.loads(file.getvalue()) == {"a": "=1+1", "at": "2026-11-10T09:00:00+00:00"}

"""Writes rows for other programs: JSON lines, and CSV that no spreadsheet takes for formulas."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import IO

Cell = str | int | float | bool | datetime | None | list[str]
Row = Mapping[str, Cell]
# What spreadsheets take for a formula, also after blanks (OWASP, CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_PROGRESS_EVERY = 500


def write_jsonl(file: IO[str], rows: Iterable[Row], *, on_progress: Callable[[int], None]) -> int:
    """Write one JSON object a line; gives how many."""
    written = 0
    for row in rows:
        file.write(json.dumps({name: _plain(cell) for name, cell in row.items()}, ensure_ascii=False) + "\n")
        written += 1
        if written % _PROGRESS_EVERY == 0:
            on_progress(written)
    return written


def write_csv(file: IO[str], rows: Iterable[Row], *, on_progress: Callable[[int], None]) -> int:
    """Write CSV with a heading (RFC 4180, byte order mark so that spreadsheets read UTF-8); gives how many rows."""
    written = 0
    writer = csv.writer(file, lineterminator="\r\n")
    for row in rows:
        if not written:
            file.write("\ufeff")
            writer.writerow(row.keys())
        writer.writerow([safe_cell(cell) for cell in row.values()])
        written += 1
        if written % _PROGRESS_EVERY == 0:
            on_progress(written)
    return written


def safe_cell(cell: Cell) -> str:
    """Give a cell's text so that no spreadsheet runs it: what looks like a formula gets an apostrophe before it."""
    plain = _plain(cell)
    if plain is None:
        return ""
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, int | float):
        return str(plain)
    text = " ".join(plain) if isinstance(plain, list) else plain
    text = text.replace("\x00", "\ufffd")
    return f"'{text}" if text.startswith(_FORMULA_STARTS) or text.lstrip().startswith(_FORMULA_STARTS) else text


def _plain(cell: Cell) -> str | int | float | bool | list[str] | None:
    return cell.isoformat() if isinstance(cell, datetime) else cell

"""Rows out of files: CSV and JSON lines in bounded memory and from any byte on, JSON as a whole.

A row that cannot be read costs itself: an open quote or a broken line is given as an error and reading goes on with
the next line.
"""

import contextlib
import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from connectors.errors import PermanentError

SAMPLE_BYTES = 1_000_000
LONGEST_LINE = 8_000_000  # bytes; a longer one is an error, not a post
MOST_LINES = 500  # lines of one CSV record; more means an open quote
LARGEST_JSON = 512_000_000  # bytes; larger archives come as JSON lines
_DELIMITERS = (",", ";", "\t", "|")
_X_PREFIX = re.compile(rb"\A\s*window\.[\w.]+\s*=\s*")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its value, or why there is none. `position` is where to go on after it, `offset` in bytes."""

    position: str
    offset: int
    raw: str
    value: Any = None
    error: str | None = None


class _BrokenRowError(Exception):
    """This record cannot be read."""


def guess_format(path: Path) -> str:
    """Give csv, jsonl or json by the file's name, else by its first character."""
    by_name = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".js": "json"}
    if path.suffix.lower() in by_name:
        return by_name[path.suffix.lower()]
    with path.open("rb") as file:
        sample = file.read(SAMPLE_BYTES)
    text = sample.decode(guess_encoding(sample), "replace").lstrip("\ufeff \t\r\n")
    if text.startswith("["):
        return "json"
    if text.startswith("{"):
        first = text.split("\n", 1)[0]
        try:
            json.loads(first)
        except ValueError:
            return "json"
        return "jsonl" if "\n" in text else "json"
    return "csv"


def guess_encoding(sample: bytes) -> str:
    """Give the encoding: by its mark, UTF-8 where it can be, else Windows' western one, which reads everything."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if sample.startswith(mark):
            return encoding
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        # One bad place, or a sample cut within a character, does not make a file another encoding's.
        is_cut = error.start >= len(sample) - 4
        plain = sum(byte >= 0x80 for byte in sample)  # noqa: PLR2004 - beyond ASCII
        bad = sum(char == "\ufffd" for char in sample.decode("utf-8", "replace"))
        return "utf-8" if is_cut or bad * 10 < plain else "cp1252"
    return "utf-8"


class _Lines:
    """Decoded lines of a file, line ends kept; `offset` is the byte after the last one given."""

    def __init__(self, file: BinaryIO, encoding: str, offset: int) -> None:
        self._file = file
        self._encoding = "utf-8" if encoding == "utf-8-sig" else encoding
        self._width = 2 if encoding.startswith("utf-16") else 1
        self._little = encoding == "utf-16-le"
        self.offset = offset
        self.taken: list[str] = []  # lines of the record being read
        file.seek(offset)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self.taken) >= MOST_LINES:
            raise _BrokenRowError(f"a record of more than {MOST_LINES} lines: a quote is not closed")
        start = self.offset
        raw = self._read_line()
        if not raw:
            raise StopIteration
        self.offset += len(raw)
        if len(raw) > LONGEST_LINE:
            self.taken.append(raw[:1000].decode(self._encoding, "replace"))
            raise _BrokenRowError(f"a line of more than {LONGEST_LINE} bytes")
        try:
            line = raw.decode(self._encoding)
        except UnicodeDecodeError as error:
            self.taken.append(raw.decode(self._encoding, "replace"))
            raise _BrokenRowError(f"byte {start + error.start} is not {self._encoding}") from error
        if start == 0:
            line = line.lstrip("\ufeff")
        self.taken.append(line)
        return line

    def jump(self, offset: int) -> None:
        """Go on from another byte."""
        self.offset = offset
        self._file.seek(offset)

    def _read_line(self) -> bytes:
        raw = self._file.readline(LONGEST_LINE + 2)
        if self._width == 2:  # noqa: PLR2004 - a UTF-16 line end is two bytes, the second (or first) of them zero
            while raw and not self._ends_utf16(raw):
                more = self._file.readline(LONGEST_LINE)
                raw += more
                if not more:
                    break
            if self._little and raw.endswith(b"\n"):
                raw += self._file.read(1)
        if len(raw) > LONGEST_LINE:
            while raw and not raw.endswith(b"\n"):
                rest = self._file.readline(LONGEST_LINE)
                self.offset += len(rest)
                if not rest or rest.endswith(b"\n"):
                    break
        return raw

    def _ends_utf16(self, raw: bytes) -> bool:
        if not raw.endswith(b"\n"):
            return False
        return len(raw) % 2 == 1 if self._little else len(raw) % 2 == 0 and raw.endswith(b"\x00\n")


def read_rows(
    path: Path, kind: str, *, position: str | None, encoding: str | None, delimiter: str | None
) -> Iterator[Row]:
    """Give the rows of a file from a position on (None: all). PermanentError if the file cannot be read at all."""
    try:
        with path.open("rb") as file:
            sample = file.read(SAMPLE_BYTES)
            chosen = encoding or guess_encoding(sample)
            match kind:
                case "csv":
                    yield from _read_csv(file, chosen, delimiter, _offset_of(position))
                case "jsonl":
                    yield from _read_jsonl(file, chosen, _offset_of(position))
                case _:
                    yield _read_json(path, chosen, position or "0")
    except (OSError, LookupError) as error:
        raise PermanentError(f"the file {path.name} cannot be read: {error}") from error


def _offset_of(position: str | None) -> int:
    return int(position) if position and position.isdigit() else 0


def _read_jsonl(file: BinaryIO, encoding: str, offset: int) -> Iterator[Row]:
    lines = _Lines(file, encoding, offset)
    while True:
        lines.taken.clear()
        try:
            line = next(lines)
        except StopIteration:
            return
        except _BrokenRowError as error:
            yield Row(str(lines.offset), lines.offset, lines.taken[-1], error=str(error))
            continue
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Row(str(lines.offset), lines.offset, line, error=f"not JSON: {error}")
            continue
        yield Row(str(lines.offset), lines.offset, line, value)


def _read_csv(file: BinaryIO, encoding: str, delimiter: str | None, offset: int) -> Iterator[Row]:
    csv.field_size_limit(LONGEST_LINE)
    lines = _Lines(file, encoding, 0)
    first = next(lines, "")
    chosen = delimiter or max(_DELIMITERS, key=first.count)
    header = [name.strip() for name in next(csv.reader([first], delimiter=chosen), [])]
    if not any(header):
        raise PermanentError("the CSV file has no header line that names its columns")
    if offset:
        lines.jump(offset)
    while True:
        lines.taken.clear()
        start = lines.offset
        try:
            cells = next(csv.reader(lines, delimiter=chosen, strict=True), None)
        except (csv.Error, _BrokenRowError) as error:
            # Give up the record's first line only: what follows an open quote are good rows, as a rule.
            lines.jump(start)
            lines.taken.clear()
            with contextlib.suppress(_BrokenRowError):  # the line itself may be the broken one; it is passed then
                next(lines)
            yield Row(str(lines.offset), lines.offset, lines.taken[-1], error=f"not a CSV row: {error}")
            continue
        if cells is None:
            return
        if cells:
            yield _csv_row(header, cells, lines)


def _csv_row(header: list[str], cells: list[str], lines: _Lines) -> Row:
    raw, position = "".join(lines.taken), str(lines.offset)
    if len(cells) > len(header) and any(cells[len(header) :]):
        words = f"{len(cells)} cells, the header names {len(header)}"
        return Row(position, lines.offset, raw, error=words)
    return Row(position, lines.offset, raw, dict(zip(header, cells, strict=False)))


def _read_json(path: Path, encoding: str, position: str) -> Row:
    size = path.stat().st_size
    if size > LARGEST_JSON:
        raise PermanentError(f"{path.name} is too large for JSON read as a whole: save it as JSON lines")
    content = _X_PREFIX.sub(b"", path.read_bytes(), count=1)
    try:
        value = json.loads(content.decode(encoding.removesuffix("-sig")).lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise PermanentError(f"{path.name} is not JSON: {error}") from error
    return Row(position, size, "", value)


def at_path(value: object, path: str) -> Any:
    """Give what stands at a path such as "user.name" or "media.0.url"; None where there is nothing."""
    for step in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value

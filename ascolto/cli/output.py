"""What commands write: data on standard output, everything else on standard error."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Annotated, Any, Protocol

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Write JSON for scripts instead of words for people.")]


class Progress(Protocol):
    """A bar that moves; `total` None means that the end is not known."""

    def update(self, done: int, total: int | None = None) -> None:
        """Say how far the work is."""


def say(words: str) -> None:
    """Tell the person something that is no data: standard error."""
    sys.stderr.write(printable(words) + "\n")


def answer(words: str) -> None:
    """Write a line of the answer: standard output."""
    sys.stdout.write(printable(words, for_stream=sys.stdout.encoding) + "\n")


def write_json(value: object) -> None:
    """Write one JSON value and a line end to standard output."""
    text = json.dumps(value, ensure_ascii=False, default=_jsonable)
    sys.stdout.write(printable(text, for_stream=sys.stdout.encoding, is_json=True) + "\n")


def write_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table for people; cells are plain text, whatever they hold."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable("" if cell is None else str(cell))) for cell in row))
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = 200  # a file has no edge to wrap at
    console.print(table)


def progress(title: str, *, total: int | None = None) -> AbstractContextManager[Progress]:
    """Give a progress bar on standard error; silent where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    class _Bar(RichProgress):
        def __enter__(self) -> Any:
            super().__enter__()
            task = self.add_task(title, total=total)
            owner = self

            class _Task:
                def update(self, done: int, total: int | None = None) -> None:
                    if total is not None:
                        owner.update(task, total=total)
                    owner.update(task, completed=done)

            return _Task()

    console = Console(file=sys.stderr)
    return _Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def printable(text: str, *, for_stream: str | None = None, is_json: bool = False) -> str:
    """Make text safe for a terminal: no control characters (they could repaint it), no unencodable ones."""
    if not is_json:
        text = "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
    encoding = for_stream or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _jsonable(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)

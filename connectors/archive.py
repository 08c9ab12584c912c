"""Archive import: posts out of CSV, JSON lines and JSON files, by a mapping that says which field is what.

`ArchiveReader` is what the import uses; `ArchiveConnector` makes a file a source like any other. Docs:
docs/connectors/archive.md.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self, TextIO

from pydantic import Field

from connectors.archive_files import Row, at_path, guess_format, read_rows
from connectors.archive_mapping import (
    ArchiveMapping,
    Surroundings,
    UnreadableRowError,
    load_mapping,
    read_post,
)
from connectors.base import (
    Account,
    BadRecord,
    Capabilities,
    Connector,
    ConnectorConfig,
    FetchedPost,
    Page,
)
from connectors.errors import PermanentError, SourceGoneError

LONGEST_RAW = 65_536

__all__ = [
    "ArchiveConfig",
    "ArchiveConnector",
    "ArchiveItem",
    "ArchiveMapping",
    "ArchiveReader",
    "Rejects",
    "load_mapping",
]


@dataclass(frozen=True, slots=True)
class ArchiveItem:
    """One row read: a post, or why it is none.

    `position` is where to go on once everything up to here is stored; `offset` is how many bytes are done;
    `is_own` says that the mapping knows the author as us.
    """

    record: FetchedPost | BadRecord
    position: str
    offset: int
    is_own: bool = False


class ArchiveReader:
    """Reads an archive, CSV and JSON lines in bounded memory. PermanentError if the file cannot be read at all."""

    def __init__(self, path: Path, mapping: ArchiveMapping | None = None) -> None:
        self.path = path
        self.mapping = mapping or ArchiveMapping()

    @property
    def size(self) -> int:
        """Bytes in all, for a progress bar over `offset`."""
        return self.path.stat().st_size

    def read(self, position: str | None = None) -> Iterator[ArchiveItem]:
        """Give the items after a position (None: from the start), in the order of the file."""
        try:
            kind = self.mapping.format or guess_format(self.path)
        except OSError as error:
            raise PermanentError(f"the file {self.path.name} cannot be read: {error}") from error
        rows = read_rows(
            self.path, kind, position=position, encoding=self.mapping.encoding, delimiter=self.mapping.delimiter
        )
        for row in rows:
            if row.error is not None:
                yield _reject(row, row.raw, row.error)
            elif kind == "json":
                yield from self._read_conversations(row)
            else:
                yield self._read_one(row, row.value, Surroundings())[0]

    def _read_conversations(self, whole: Row) -> Iterator[ArchiveItem]:
        """Go through a JSON file's items; positions are "item" or, within a conversation, "item.messages done"."""
        items = at_path(whole.value, self.mapping.conversation.items)
        if not isinstance(items, list):
            where = self.mapping.conversation.items or "the file itself"
            raise PermanentError(f"{self.path.name} has no list at {where!r}; set conversation.items in the mapping")
        item_part, _, done_part = whole.position.partition(".")
        first = int(item_part) if item_part.isdigit() else 0
        done = int(done_part) if done_part.isdigit() else 0
        for index in range(first, len(items)):
            offset = whole.offset * (index + 1) // len(items)
            found = list(self._read_conversation(items[index], Row(str(index), offset, "")))
            for place, item in enumerate(found, start=1):
                if index > first or place > done:
                    position = str(index + 1) if place == len(found) else f"{index}.{place}"
                    yield replace(item, position=position)

    def _read_conversation(self, item: object, row: Row) -> Iterator[ArchiveItem]:
        if not self.mapping.conversation.messages:
            yield self._read_one(row, item, Surroundings())[0]
            return
        around = Surroundings(conversation=item)
        messages = list(_messages(item, self.mapping.conversation.messages))
        if not messages:
            yield _reject(row, _dump(item), "no messages in this conversation")
        for message in messages:
            read, post = self._read_one(row, message, around)
            yield read
            if post is not None:
                root = around.root_id or post.external_id
                around = Surroundings(item, previous_id=post.external_id, root_id=root)

    def _read_one(self, row: Row, value: object, around: Surroundings) -> tuple[ArchiveItem, FetchedPost | None]:
        try:
            post, is_own = read_post(value, self.mapping, around)
        except UnreadableRowError as error:
            return _reject(row, row.raw or _dump(value), str(error)), None
        if around.conversation is not None and post.thread_id is None:
            post = replace(post, thread_id=post.external_id)
        return ArchiveItem(post, row.position, row.offset, is_own=is_own), post


class Rejects:
    """The rejects file: one JSON line for each row that could not be read, with its reason. Written as needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, item: ArchiveItem) -> None:
        """Keep a rejected item; posts are ignored."""
        if isinstance(item.record, BadRecord):
            self._file = self._file or self.path.open("a", encoding="utf-8", errors="backslashreplace")
            line = {"reason": item.record.reason, "position": item.position, "raw": item.record.raw}
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()
            self.count += 1


class ArchiveConfig(ConnectorConfig):
    """Settings of a file read as a source."""

    path: Path = Field(description="The file: CSV, JSON lines or JSON")
    mapping: Path | None = Field(default=None, description="The mapping file, if columns have no usual names")


class ArchiveConnector(Connector):
    """A file as a source: what is appended to it later is found by the next poll (CSV, JSON lines)."""

    network: ClassVar[str] = "archive"
    title: ClassVar[str] = "Archive file"
    config_class: ClassVar[type[ConnectorConfig]] = ArchiveConfig
    config: ArchiveConfig

    @property
    def capabilities(self) -> Capabilities:
        """Reading only."""
        return Capabilities()

    def check(self) -> Account:
        """See that the file is there and its mapping right."""
        self._reader()
        return Account(external_id=str(self.config.path), handle=self.config.path.name)

    def fetch(self, cursor: str | None, limit: int) -> Page:
        """Give the next rows of the file."""
        posts: list[FetchedPost] = []
        bad: list[BadRecord] = []
        position, more, count = cursor, False, 0
        for item in self._reader().read(cursor):
            if count >= limit:
                more = True
                break
            position, count = item.position, count + 1
            if isinstance(item.record, BadRecord):
                bad.append(item.record)
            else:
                posts.append(item.record)
        ordered = sorted(posts, key=lambda post: post.created_at)
        return Page(tuple(ordered), position, more, tuple(bad), requests=0)

    def _reader(self) -> ArchiveReader:
        if not self.config.path.is_file():
            raise SourceGoneError(f"there is no file {self.config.path.name}")
        mapping = load_mapping(self.config.mapping) if self.config.mapping else None
        return ArchiveReader(self.config.path, mapping)


def _messages(item: object, paths: Iterable[str]) -> Iterator[Mapping[str, Any] | object]:
    """Give a conversation's messages: what stands at each path, one or a list."""
    for path in paths:
        found = at_path(item, path)
        if isinstance(found, list):
            yield from found
        elif found is not None:
            yield found


def _reject(row: Row, raw: str, reason: str) -> ArchiveItem:
    return ArchiveItem(BadRecord(raw=raw[:LONGEST_RAW], reason=reason), row.position, row.offset)


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)

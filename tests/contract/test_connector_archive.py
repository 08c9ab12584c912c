"""A file as a source passes the contract; the shared customer-care conversations are read whole."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from connectors.archive import ArchiveConfig, ArchiveConnector, ArchiveReader, load_mapping
from connectors.base import Connector, FetchedPost
from connectors.contract import ConnectorContract, World
from connectors.transport import Transport
from tests.shared_data import shared_data

EXAMPLE = Path(__file__).parents[2] / "config" / "examples" / "archive_conversations.toml"


class ArchiveWorld(World):
    """Somebody appends lines to a file."""

    has_sign_in = False
    has_network = False

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / name
        self.numbers = count(1)
        if name.endswith("csv"):
            self.path.write_text("id,author,text,created_at,parent_id\n", encoding="utf-8")
        else:
            self.path.touch()

    def connector(self) -> Connector:
        return ArchiveConnector(ArchiveConfig(path=self.path), transport=Transport())

    def say(self, text: str, *, parent_id: str | None = None) -> str:
        number = next(self.numbers)
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
        cells = [str(number), "anna", text, moment.isoformat(), parent_id or ""]
        with self.path.open("a", encoding="utf-8") as file:
            if self.path.suffix == ".csv":
                file.write(",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n")
            else:
                names = ("id", "author", "text", "created_at", "parent_id")
                file.write(json.dumps(dict(zip(names, cells, strict=True))) + "\n")
        return str(number)

    def request_count(self) -> int:
        return 0

    def break_calls(self, kind: str, *, writes: bool = False) -> None:
        raise NotImplementedError

    def heal(self) -> None:
        """Nothing breaks."""

    def spoil(self) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write('{"id": "half\n')


class TestCsvFile(ConnectorContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> ArchiveWorld:
        return ArchiveWorld(tmp_path, "posts.csv")


class TestJsonLinesFile(ConnectorContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> ArchiveWorld:
        return ArchiveWorld(tmp_path, "posts.jsonl")


@pytest.mark.recordings
def test_shared_conversations_are_read_whole() -> None:
    path = shared_data("conversations/customer_care_dev.json")
    source = json.loads(path.read_text(encoding="utf-8"))
    items = list(ArchiveReader(path, load_mapping(EXAMPLE)).read())
    posts = [item.record for item in items if isinstance(item.record, FetchedPost)]
    assert len(posts) == len(items) == sum(len(talk["dialogContent"]) + 1 for talk in source)
    written = {message["tweet_ID"] for talk in source for message in [*talk["dialogContent"], talk["agentURL"]]}
    assert {post.external_id for post in posts} == written
    answers = sum("agent" in message for talk in source for message in talk["dialogContent"]) + len(source)
    assert sum(item.is_own for item in items) == answers
    assert Counter(post.parent_id is None for post in posts)[True] == len(source)


@pytest.mark.recordings
def test_times_computed_from_ids_agree_with_written_ones() -> None:
    path = shared_data("conversations/customer_care_dev.json")
    mapping = load_mapping(EXAMPLE)
    by_id = mapping.model_copy(update={"post": mapping.post.model_copy(update={"created_at": ()})})
    written = {
        item.record.external_id: item.record
        for item in ArchiveReader(path, mapping).read()
        if isinstance(item.record, FetchedPost)
    }
    for item in ArchiveReader(path, by_id).read():
        assert isinstance(item.record, FetchedPost)
        difference = item.record.created_at - written[item.record.external_id].created_at
        assert abs(difference) < timedelta(seconds=1)

"""Archives: formats, encodings, broken rows, mappings, resuming."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.archive import ArchiveItem, ArchiveReader, Rejects, load_mapping
from connectors.archive_mapping import ArchiveMapping
from connectors.base import BadRecord, FetchedPost
from connectors.errors import PermanentError

EXAMPLES = Path(__file__).parents[3] / "config" / "examples"
HEADER = "id,author,text,created_at\n"


def read(path: Path, mapping: ArchiveMapping | None = None, position: str | None = None) -> list[ArchiveItem]:
    return list(ArchiveReader(path, mapping).read(position))


def posts_of(items: list[ArchiveItem]) -> list[FetchedPost]:
    return [item.record for item in items if isinstance(item.record, FetchedPost)]


def bad_of(items: list[ArchiveItem]) -> list[BadRecord]:
    return [item.record for item in items if isinstance(item.record, BadRecord)]


def write(tmp_path: Path, content: str | bytes, name: str = "posts.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_is_read_in_any_encoding_and_delimiter(tmp_path: Path, encoding: str, delimiter: str) -> None:
    lines = [["id", "autore", "testo", "data"], ["1", "anna", "perché no?", "2026-03-01T10:00:00Z"]]
    lines.append(["2", "ugo", '"due\nrighe però"', "2026-03-01T11:00:00+01:00"])
    content = "\r\n".join(delimiter.join(cells) for cells in lines)
    raw = content.encode(encoding)
    if encoding in {"utf-16-le", "utf-16-be"}:
        raw = ("\ufeff" + content).encode(encoding)
    posts = posts_of(read(write(tmp_path, raw)))
    assert [post.text for post in posts] == ["perché no?", "due\nrighe però"]
    assert [post.created_at.hour for post in posts] == [10, 10]
    assert [post.author.handle for post in posts] == ["anna", "ugo"]


def test_open_quote_costs_only_its_line(tmp_path: Path) -> None:
    rows = [f"{n},anna,testo {n},2026-03-01T10:00:00Z\n" for n in range(1, 1200)]
    rows[3] = '4,anna,"mai chiuso,2026-03-01T10:00:00Z\n'
    items = read(write(tmp_path, HEADER + "".join(rows)))
    assert len(posts_of(items)) == 1198
    assert [record.raw for record in bad_of(items)] == [rows[3]]
    assert "CSV" in bad_of(items)[0].reason


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2,anna,ciao,domani", "time"),
        ("2,anna,,2026-03-01", "no text"),
        ("2,,ciao,2026-03-01", "no author"),
        (",anna,ciao,2026-03-01", "no id"),
        ("2,anna,ciao,2026-03-01,di troppo", "cells"),
        ("2,anna", "no text"),
        ('2,anna,"ciao"x,2026-03-01', "CSV"),
    ],
)
def test_bad_csv_row_is_rejected_with_its_reason(tmp_path: Path, row: str, reason: str) -> None:
    good = "1,anna,prima,2026-03-01\n", "3,anna,dopo,2026-03-01\n"
    items = read(write(tmp_path, HEADER + good[0] + row + "\n" + good[1]))
    assert [post.external_id for post in posts_of(items)] == ["1", "3"]
    assert reason in bad_of(items)[0].reason


def test_byte_of_another_encoding_costs_only_its_row(tmp_path: Path) -> None:
    good = "".join(f"{n},anna,perché {n},2026-03-01\n" for n in range(1, 30)).encode()
    items = read(
        write(tmp_path, HEADER.encode() + good + b"x,anna,perch\xe9,2026-03-01\n" + b"99,ugo,fine,2026-03-01\n")
    )
    assert len(posts_of(items)) == 30
    assert "utf-8" in bad_of(items)[0].reason


def test_file_all_in_windows_encoding_is_recognised(tmp_path: Path) -> None:
    content = HEADER + "".join(f"{n},anna,però è così {n},2026-03-01\n" for n in range(20))
    posts = posts_of(read(write(tmp_path, content.encode("cp1252"))))
    assert posts[0].text == "però è così 0"


def test_nul_surrogates_and_a_megabyte_pass(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": "1", "author": "a", "text": "x\x00y \ud800", "date": 1_700_000_000}),
        json.dumps({"id": "2", "author": "a", "text": "y" * 1_000_000, "date": "1700000000000"}),
    ]
    posts = posts_of(read(write(tmp_path, "\n".join(lines), "posts.jsonl")))
    assert posts[0].text == "x\N{REPLACEMENT CHARACTER}y \N{REPLACEMENT CHARACTER}"
    assert len(posts[1].text) == 1_000_000
    assert posts[0].created_at == posts[1].created_at


@pytest.mark.parametrize("line", ["{", "[1,2]", "7", "null", '"text"', "[" * 100_000, '{"id": "9"}'])
def test_broken_json_line_costs_only_itself(tmp_path: Path, line: str) -> None:
    good = [json.dumps({"id": str(n), "author": "a", "text": "t", "date": "2026-01-01"}) for n in (1, 2)]
    items = read(write(tmp_path, f"{good[0]}\n{line}\n\n{good[1]}", "posts.jsonl"))
    assert [post.external_id for post in posts_of(items)] == ["1", "2"]
    assert len(bad_of(items)) == 1


@pytest.mark.parametrize("name", ["posts.csv", "posts.jsonl"])
@pytest.mark.parametrize("cut", range(0, 12, 3))
def test_reading_resumes_exactly_where_it_stopped(tmp_path: Path, name: str, cut: int) -> None:
    if name == "posts.csv":
        content = HEADER + "".join(f'{n},anna,"riga\n{n}",2026-03-01\n' for n in range(12))
    else:
        rows = [{"id": str(n), "author": "a", "text": "è", "date": "2026-01-01"} for n in range(12)]
        content = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path = write(tmp_path, content, name)
    everything = read(path)
    rest = read(path, position=everything[cut].position)
    assert [item.record for item in rest] == [item.record for item in everything[cut + 1 :]]
    assert everything[-1].offset == path.stat().st_size


def test_unmapped_ids_are_the_same_at_every_import(tmp_path: Path) -> None:
    path = write(tmp_path, "author,text,date\nanna,ciao,2026-03-01\nugo,ciao,2026-03-01\n")
    first, second = posts_of(read(path)), posts_of(read(path))
    assert [post.external_id for post in first] == [post.external_id for post in second]
    assert len({post.external_id for post in first}) == 2


def test_mapping_names_columns_format_zone_and_network(tmp_path: Path) -> None:
    mapping = tmp_path / "map.toml"
    mapping.write_text(
        'network = "mastodon"\ntime_format = "%d/%m/%Y %H.%M"\ntimezone = "Europe/Rome"\nhtml = true\n'
        'own_handles = ["@Noi"]\n[post]\nid = "Codice"\ntext = "Cosa"\ncreated_at = "Quando"\nauthor = "Chi"\n'
    )
    path = write(tmp_path, 'Codice;Chi;Cosa;Quando\n7;noi;"<p>A &amp; B</p>";05/07/2026 14.30\n')
    (item,) = read(path, load_mapping(mapping))
    assert isinstance(item.record, FetchedPost)
    assert (item.record.network, item.record.text, item.is_own) == ("mastodon", "A & B", True)
    assert item.record.created_at == datetime(2026, 7, 5, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("network = ", "cannot be read"),
        ("netwrok = 'x'", "netwrok"),
        ("[post]\ntime = 'x'", "time"),
        ("timezone = 'Europe/Roma'", "Europe/Roma"),
    ],
)
def test_wrong_mapping_says_what_is_wrong(tmp_path: Path, content: str, words: str) -> None:
    path = write(tmp_path, content, "map.toml")
    with pytest.raises(PermanentError, match=words):
        load_mapping(path)


CONVERSATIONS = [
    {
        "agentURL": {"tweet_ID": "1245425308704149506", "url_utterance": "@ugo Ecco qui"},
        "dialogContent": [
            {"client": "ugo", "datetime": "2020-04-01T17:31:32.000Z", "message": "Aiuto", "tweet_ID": "100"},
            {"agent": "Cura", "datetime": "2020-04-01T17:40:00.000Z", "message": "Dicci", "tweet_ID": "101"},
        ],
        "dialogHeader": {"company": "Cura"},
    },
    {"agentURL": {"tweet_ID": "oops", "url_utterance": "x"}, "dialogHeader": {"company": "Cura"}},
    {"dialogContent": []},
    "not a conversation",
    {"dialogContent": [{"client": "eva", "datetime": "2020-04-02T10:00:00Z", "message": "Io", "tweet_ID": "200"}]},
]


def test_conversations_are_chained_and_times_computed(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(CONVERSATIONS), "talks.json")
    items = read(path, load_mapping(EXAMPLES / "archive_conversations.toml"))
    posts = posts_of(items)
    assert [(p.external_id, p.parent_id, p.thread_id, p.author.handle) for p in posts] == [
        ("100", None, "100", "ugo"),
        ("101", "100", "100", "Cura"),
        ("1245425308704149506", "101", "100", "Cura"),
        ("200", None, "200", "eva"),
    ]
    assert [item.is_own for item in items if isinstance(item.record, FetchedPost)] == [False, True, True, False]
    assert posts[2].created_at == datetime(2020, 4, 1, 18, 58, 27, 0, UTC).replace(
        microsecond=posts[2].created_at.microsecond
    )
    assert len(bad_of(items)) == 3


def test_conversations_resume_within_one(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(CONVERSATIONS), "talks.json")
    mapping = load_mapping(EXAMPLES / "archive_conversations.toml")
    everything = read(path, mapping)
    for done, item in enumerate(everything, start=1):
        assert read(path, mapping, item.position) == everything[done:]


def test_x_archive_file_is_read_with_its_javascript_prefix(tmp_path: Path) -> None:
    tweet = {"id_str": "5", "full_text": "Ciao", "created_at": "Wed Oct 10 20:19:24 +0000 2018", "favorite_count": "3"}
    path = write(tmp_path, "window.YTD.tweets.part0 = " + json.dumps([{"tweet": tweet}]), "tweets.js")
    (item,) = read(path, load_mapping(EXAMPLES / "archive_x.toml"))
    assert isinstance(item.record, FetchedPost)
    assert (item.record.likes, item.is_own) == (3, True)
    assert item.record.created_at == datetime(2018, 10, 10, 20, 19, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "name"), [("", "x.csv"), ("{", "x.json"), ('{"a": 1}', "x.json"), ("\n\n", "x.csv")]
)
def test_file_that_is_nothing_says_so(tmp_path: Path, content: str, name: str) -> None:
    with pytest.raises(PermanentError, match=r"x\.json|header"):
        read(write(tmp_path, content, name))


def test_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"none\.csv"):
        read(tmp_path / "none.csv")


def test_format_is_known_by_content_when_the_name_does_not_tell(tmp_path: Path) -> None:
    row = json.dumps({"id": "1", "author": "a", "text": "t", "date": "2026-01-01"})
    assert len(posts_of(read(write(tmp_path, f"{row}\n{row}\n", "lines.txt")))) == 2
    assert len(posts_of(read(write(tmp_path, f"[{row}]", "list.dat")))) == 1
    assert len(posts_of(read(write(tmp_path, HEADER + "1,a,t,2026-01-01\n", "table.txt")))) == 1


def test_rejects_file_holds_rows_and_reasons(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "1,anna,ciao,domani\n2,anna,ciao,2026-03-01\n")
    with Rejects(tmp_path / "rejects.jsonl") as rejects:
        for item in read(path):
            rejects.write(item)
    lines = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
    assert rejects.count == 1
    assert "domani" in lines[0]["reason"]
    assert lines[0]["raw"] == "1,anna,ciao,domani\n"

"""`ascolto tag`: every line answered in its place, whatever stands in it."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ascolto.cli.tagging import MAX_LINE_BYTES, encode, parse, read_batches
from tests.encoder_factory import write_encoder_model

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "ascolto", "tag"]
TASKS = {"language", "sentiment", "emotion", "intents", "toxicity", "urgency", "entities", "tagger"}


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "ASCOLTO_DATA_DIR": str(folder)}


def tag(folder: Path, given: bytes, *options: str) -> tuple[list[dict[str, Any]], str]:
    done = subprocess.run(
        [*COMMAND, *options], input=given, capture_output=True, check=False, cwd=folder, env=environment(folder)
    )
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def test_every_line_is_answered_in_its_place(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": 1, "text": "Il pacco non arriva, sono furioso!", "nested": {"a": [1]}}).encode(),
        b"{broken",
        b"\xff\xfe not utf-8",
        json.dumps({"id": 2, "text": "Great service, thank you"}).encode(),
        b"",
        b'["text"]',
        b'{"text": 5, "id": 3}',
        b'{"id": 4}',
        b'{"text": "", "id": 5}',
        b'{"text": "half \\ud83d pair", "id": 6}',
        b'{"text": "NUL \\u0000 inside", "id": 7}',
        b'{"text": "x", "n": NaN}',
        b"[" * 5000,
        json.dumps({"id": 8, "text": "😀 مرحبا 你好", "tags": "old", "error": "old"}).encode() + b"\r",
    ]
    answers, words = tag(tmp_path, b"\n".join(lines))
    assert len(answers) == len(lines)
    has_error = [index for index, answer in enumerate(answers) if "error" in answer]
    assert has_error == [1, 2, 4, 5, 6, 7, 8, 11, 12]
    assert [answer.get("id") for answer in answers] == [1, None, None, 2, None, None, 3, 4, 5, 6, 7, None, None, 8]
    assert answers[0]["nested"] == {"a": [1]}
    for answer in answers:
        if "error" not in answer:
            assert set(answer["tags"]) >= TASKS
        else:
            assert answer["error"].startswith(f"line {answers.index(answer) + 1}: ")
    assert "9 of them" in words


def test_tags_have_the_documented_shape(tmp_path: Path) -> None:
    (answer,), _ = tag(tmp_path, '{"text": "Perché la bolletta è così cara? Vergogna!"}'.encode())
    tags = answer["tags"]
    assert tags["language"] == "it"
    sentiment = tags["sentiment"]
    assert set(sentiment["probabilities"]) == {"negative", "neutral", "positive"}
    assert sum(sentiment["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert sentiment["label"] == max(sentiment["probabilities"], key=sentiment["probabilities"].get)
    assert isinstance(sentiment["unsure"], bool)
    assert all(0 <= value <= 1 for value in tags["intents"]["probabilities"].values())
    assert set(tags["intents"]["labels"]) <= set(tags["intents"]["probabilities"])


def test_names_of_a_brand_file_are_recognised(tmp_path: Path) -> None:
    brand = ROOT / "config" / "examples" / "brand.toml"
    (answer,), _ = tag(tmp_path, b'{"text": "Con Lampara pagavo meno che con Luce Serena"}', "--brand-file", str(brand))
    assert {entity["name"] for entity in answer["tags"]["entities"]} == {"Lampara", "Luce Serena"}


def test_a_model_that_cannot_be_used_is_told_and_the_one_below_answers(tmp_path: Path) -> None:
    folder = write_encoder_model(tmp_path / "encoder-v9")
    line = json.dumps({"text": "Grazie, ottimo treno"}).encode()
    answers, words = tag(tmp_path, line, "--model", str(folder))
    assert answers[0]["tags"]["tagger"] == "encoder.v9"
    assert not words
    (folder / "encoder.onnx").write_bytes(b"torn")
    answers, words = tag(tmp_path, line, "--model", str(folder))
    assert answers[0]["tags"]["tagger"] == "ngrams.v1"
    assert "encoder.onnx" in words
    assert "ngrams.v1 reads the posts instead" in words


def test_nothing_in_gives_nothing_out(tmp_path: Path) -> None:
    assert tag(tmp_path, b"") == ([], "")


def test_a_stream_is_answered_while_it_goes_on(tmp_path: Path) -> None:
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, env=environment(tmp_path)
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(2):
            process.stdin.write(b'{"text": "ciao", "n": %d}\n' % number)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["n"] == number
        process.stdin.close()
        assert process.wait(30) == 0


def test_reader_that_leaves_is_no_failure(tmp_path: Path) -> None:
    with subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environment(tmp_path),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b'{"text": "ciao"}\n')
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            for _ in range(2000):
                process.stdin.write(b'{"text": "ciao"}\n' * 100)
                process.stdin.flush()
        assert b"Traceback" not in process.stderr.read()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def test_line_without_end_costs_its_own_length_at_most() -> None:
    """A line far too long is skipped as it comes, and its neighbours are answered."""
    reader, writer = os.pipe()
    if os.fork() == 0:  # pragma: no cover - the child only writes
        os.close(reader)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(b'{"text": "a"}\n')
            for _ in range(2 * MAX_LINE_BYTES // 100_000):
                pipe.write(b"x" * 100_000)
            pipe.write(b'\n{"text": "b"}')
        os._exit(0)
    os.close(writer)
    lines = [line for batch in read_batches(reader, 256) for line in batch]
    os.close(reader)
    os.wait()
    assert lines == [b'{"text": "a"}', None, b'{"text": "b"}']
    assert "longer than" in parse(None)[0]["error"]


@pytest.mark.parametrize("size", [1, 3, 256])
def test_batches_hold_every_line_once_in_order(size: int, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    expected = [f"line {number}".encode() for number in range(1000)]
    path.write_bytes(b"\n".join(expected) + b"\n")
    with path.open("rb") as file:
        batches = list(read_batches(file.fileno(), size))
    assert [line for batch in batches for line in batch] == expected
    assert all(len(batch) <= size for batch in batches)


def test_unencodable_text_stays_readable_json() -> None:
    assert json.loads(encode({"text": "\ud83d", "à": "è"})) == {"text": "\ud83d", "à": "è"}


def test_memory_does_not_grow_with_the_input(tmp_path: Path) -> None:
    import psutil

    line = json.dumps({"text": "Il servizio è pessimo e nessuno risponde " * 5}).encode() + b"\n"
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=tmp_path, env=environment(tmp_path)
    ) as process:
        assert process.stdin is not None
        sizes = []
        for _ in range(2):
            process.stdin.write(line * 4000)
            process.stdin.flush()
            time.sleep(0.3)
            sizes.append(psutil.Process(process.pid).memory_info().rss)
        process.stdin.close()
        process.wait(60)
    assert sizes[1] - sizes[0] < 30_000_000

"""`ascolto models`: judging on a person's own file, bad files told by line, adapting, and what training needs."""

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.settings import load_settings
from inbox.store.engine import Store
from inbox.store.tables import Adaptation
from nlp.base import SENTIMENTS
from tests.adaptation_factory import say
from tests.cli_factory import Cli
from tests.listening_factory import NOW
from tests.triage_factory import make_brand, make_identity, make_post, tag_post

POSTS = (
    ("Due settimane senza internet e nessuno risponde, vergogna!", "it", "negative", ["complaint"]),
    ("Grazie mille, assistenza gentilissima e velocissima", "it", "positive", ["praise"]),
    ("Il negozio di via Roma è aperto domenica?", "it", "neutral", ["question"]),
    ("Worst delivery ever, the parcel arrived broken", "en", "negative", ["complaint"]),
    ("Love the new app, well done!", "en", "positive", ["praise"]),
    ("What time does the support line open?", "en", "neutral", ["question"]),
)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    lines = [
        {"text": text, "language": language, "sentiment": sentiment, "intents": intents, "toxicity": False}
        for text, language, sentiment, intents in POSTS * 4
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n", encoding="utf-8")
    return path


def test_a_file_of_ones_own_is_judged(cli: Cli, labelled: Path) -> None:
    found = cli.ok("models", "evaluate", str(labelled), "--model", "ngrams-v1", "--json").json
    assert found["tagger"] == "ngrams.v1"
    tasks = {one["task"]: one for one in found["tasks"]}
    sentiment = tasks["sentiment"]
    assert sentiment["n"] == 24
    assert sentiment["macro_f1"]["value"] > 0.8, "plain posts"
    assert sentiment["macro_f1"]["low"] <= sentiment["macro_f1"]["value"] <= sentiment["macro_f1"]["high"]
    assert {one["label"] for one in sentiment["labels"]} == set(SENTIMENTS)
    assert 0 <= sentiment["ece"] <= 1
    assert 0 < sentiment["coverage"] <= 1
    assert len(sentiment["risk"]) == 10
    told = cli.ok("models", "evaluate", str(labelled), "--model", "ngrams.v1")
    assert "macro-F1" in told.out
    assert "complaint" in told.out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{broken", "line 2: no readable JSON"),
        (b"\xff\xfe", "line 2: not UTF-8"),
        (b'["text"]', "line 2: no JSON object"),
        (b'{"text": ""}', 'line 2: "text" is missing or empty'),
        (b'{"text": "x"}', "line 2: no label"),
        (b'{"text": "x", "sentiment": "angry"}', 'line 2: "sentiment": "angry" is none of negative'),
        (b'{"text": "x", "intents": []}', 'line 2: "intents" is empty'),
        (b'{"text": "x", "urgency": 7}', 'line 2: "urgency": "7"'),
        (b'{"text": "x", "label": 9}', "line 2:"),
        (b'{"text": "x", "sentiment": {"a": 1}}', "line 2:"),
        (b"[" * 50_000, "line 2:"),
    ],
)
def test_a_broken_line_is_named(cli: Cli, tmp_path: Path, line: bytes, words: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'{"text": "ciao", "label": 1}\n' + line + b"\n")
    ended = cli("models", "evaluate", str(path))
    assert ended.code == 2
    assert "bad.jsonl" in ended.err
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_an_empty_file_and_a_missing_model_end_in_words(cli: Cli, labelled: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    assert "no labelled text" in cli("models", "evaluate", str(empty)).err
    ended = cli("models", "evaluate", str(labelled), "--model", "nothing-v9")
    assert ended.code == 3
    assert "nothing-v9" in ended.err


def test_a_model_compared_with_itself_does_not_differ(cli: Cli, labelled: Path) -> None:
    found = cli.ok("models", "compare", str(labelled), "ngrams-v1", "ngrams.v1", "--json").json
    assert [one["difference"] for one in found["tasks"]] == [0.0] * len(found["tasks"])
    assert not any(one["is_told"] for one in found["tasks"])
    assert "may be chance" in cli.ok("models", "compare", str(labelled), "ngrams-v1", "ngrams-v1").out


def test_models_and_their_cards_are_listed(cli: Cli) -> None:
    found = cli.ok("models", "list", "--json").json
    assert found["in_use"] in {one["name"] for one in found["models"]}
    assert all(one["problem"] is None for one in found["models"])
    assert "Trained on" in cli.ok("models", "card", "ngrams.v1").out
    ended = cli("models", "card", "../../etc/passwd")
    assert ended.code == 5
    assert "ngrams.v1" in ended.err


def test_training_says_what_it_needs(cli: Cli) -> None:
    assert cli("models", "train", "everything").code == 2
    from importlib.util import find_spec

    if find_spec("torch") is None:
        ended = cli("models", "train", "teacher")
        assert ended.code == 3
        assert "pip install torch" in ended.err
    ended = cli("models", "train", "ngrams")
    assert ended.code == 2
    assert "--public" in ended.err, "the step tells what it needs itself"


def test_a_brand_is_adapted_by_hand(cli: Cli) -> None:
    cli.ok("init")
    load_settings.cache_clear()
    store = Store(load_settings().resolved_database_url)
    with store.write() as session:
        brand = make_brand(session, now=NOW, slug="terrae")
        author = make_identity(session, brand, now=NOW, handle="anna")
    assert cli("models", "adapt", "--brand", "terrae").code == 6, "nobody has said anything yet"
    with store.write() as session:
        for number in range(36):
            text, language, sentiment, _ = POSTS[number % len(POSTS)]
            post = make_post(
                session, brand, author, now=NOW, external_id=str(number), text=f"{text} {number}", language=language
            )
            tag_post(session, post, now=NOW, sentiment_label=sentiment)
            say(session, post, sentiment, shown=sentiment, at=NOW)
    dry = cli.ok("models", "adapt", "--brand", "terrae", "--dry-run", "--json").json
    assert dry["stored"] is None
    with store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Adaptation)) == 0
    found = cli.ok("models", "adapt", "--brand", "terrae", "--json").json
    assert found["stored"]["version"] == 1
    assert found["tasks"] == dry["tasks"], "a dry run tells what would be stored"
    (sentiment_report,) = (one for one in found["tasks"] if one["task"] == "sentiment")
    assert sentiment_report["given"] == 36
    assert cli("models", "adapt", "--brand", "nobody").code == 5
    store.dispose()

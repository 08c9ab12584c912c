"""Which templates are proposed, and why."""

import datetime as dt

import pytest

from playbooks.suggest import Situation, suggest
from playbooks.template import load_library

LIBRARY = load_library()
TODAY = dt.date(2026, 11, 10)


def situation(**changes: object) -> Situation:
    fields: dict[str, object] = {
        "intents": {"complaint": 0.9},
        "sentiment": "negative",
        "language": "it",
        "network": "x",
        "text": "",
    }
    return Situation(**{**fields, **changes})  # type: ignore[arg-type] - built from literal fields


@pytest.mark.parametrize(
    ("text", "language", "wanted"),
    [
        ("Il pacco è in ritardo di una settimana", "it", "delay"),
        ("App BLOCCATA da stamattina, non funziona niente", "it", "outage"),
        ("Mi avete addebitato due volte la bolletta", "it", "billing"),
        ("Commessa maleducata, mi ha trattato malissimo", "it", "rude-staff"),
        ("I was charged twice, I want a refund", "en", "billing"),
        ("The lamp arrived broken", "en", "defect"),
    ],
)
def test_words_of_the_message_choose_among_complaints(text: str, language: str, wanted: str) -> None:
    best = suggest(LIBRARY, situation(text=text, language=language), today=TODAY)
    assert best[0].template.situation == wanted
    assert any(reason.words == "speaks of: %(value)s" for reason in best[0].reasons)


def test_intent_decides() -> None:
    best = suggest(LIBRARY, situation(intents={"churn_threat": 0.8, "complaint": 0.2}), today=TODAY)
    assert best[0].template.situation == "churn"
    assert best[0].points == sum(reason.points for reason in best[0].reasons)


def test_at_most_the_limit_and_only_the_language() -> None:
    best = suggest(LIBRARY, situation(language="en"), today=TODAY, limit=2)
    assert len(best) == 2
    assert {suggestion.template.language for suggestion in best} == {"en"}


def test_nothing_fits_spam_or_an_unknown_language() -> None:
    assert suggest(LIBRARY, situation(intents={"spam": 0.99}), today=TODAY) == ()
    assert suggest(LIBRARY, situation(language="de"), today=TODAY) == ()


def test_open_crisis_puts_the_holding_statement_first() -> None:
    best = suggest(LIBRARY, situation(is_crisis=True), today=TODAY)
    assert best[0].template.situation == "crisis-holding"
    calm = suggest(LIBRARY, situation(), today=TODAY, limit=10)
    assert "crisis-holding" not in {suggestion.template.situation for suggestion in calm}


def test_expired_template_says_so_and_loses_points() -> None:
    late = suggest(LIBRARY, situation(), today=dt.date(2030, 1, 1))
    assert any(reason.words.startswith("review was due") for reason in late[0].reasons)
    assert late[0].points < suggest(LIBRARY, situation(), today=TODAY)[0].points


def test_order_is_the_same_every_time() -> None:
    assert suggest(LIBRARY, situation(), today=TODAY) == suggest(reversed(LIBRARY), situation(), today=TODAY)

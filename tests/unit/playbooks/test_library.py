"""The library that comes with the product: complete in both languages, fillable, and fit to be public."""

import datetime as dt
from pathlib import Path

import pytest

from connectors.base import LengthRule
from connectors.length import measure
from playbooks.policy import ReplyContext, check_reply
from playbooks.render import render, variables_of
from playbooks.template import Template, TemplateError, for_network, load_library, parse_template

LIBRARY = load_library()
NEEDED = {"delay", "outage", "billing", "rude-staff", "praise", "question", "churn", "crisis-holding"}


def key(template: Template) -> str:
    return template.key


def test_both_languages_have_the_same_situations() -> None:
    by_language = {
        language: {
            (t.situation, t.network, t.intents, t.tone, t.needs_approval) for t in LIBRARY if t.language == language
        }
        for language in ("it", "en")
    }
    assert by_language["it"] == by_language["en"]
    assert {situation for situation, *_ in by_language["it"]} >= NEEDED


@pytest.mark.parametrize("template", LIBRARY, ids=key)
def test_template_can_be_filled_with_its_own_examples(template: Template) -> None:
    assert set(variables_of(template.body)) == set(template.examples)
    assert "{{" not in render(template.body, template.examples)


@pytest.mark.parametrize("template", [t for t in LIBRARY if not t.network], ids=key)
def test_general_template_fits_the_shortest_network(template: Template) -> None:
    assert measure(render(template.body, template.examples), LengthRule.X_WEIGHTED) <= 280


@pytest.mark.parametrize("template", LIBRARY, ids=key)
def test_template_raises_no_concern_of_its_own(template: Template) -> None:
    context = ReplyContext(intents=template.intents, sentiment="negative")
    assert check_reply(render(template.body, template.examples), context) == ()


@pytest.mark.parametrize("template", LIBRARY, ids=key)
def test_crisis_words_need_a_second_person(template: Template) -> None:
    assert not template.is_crisis or template.needs_approval


def test_network_variant_takes_the_place_of_the_general_one() -> None:
    on_reddit = {t.situation: t.network for t in for_network(LIBRARY, language="it", network="reddit")}
    on_x = {t.situation: t.network for t in for_network(LIBRARY, language="it", network="x")}
    assert on_reddit["outage"] == "reddit"
    assert on_reddit["delay"] == on_x["outage"] == ""


def test_template_expires_after_its_review_date() -> None:
    template = LIBRARY[0]
    assert not template.is_expired(template.review_by)
    assert template.is_expired(template.review_by + dt.timedelta(days=1))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no front matter", "front matter"),
        ("+++\ntitle = \n+++\ntext", "no valid TOML"),
        ('+++\ntitle = "a"\n+++\ntext', "intents"),
        ('+++\ntitle = "a"\nintents = ["praise"]\ntone = "loud"\nreview_by = 2027-01-01\n+++\ntext', "tone"),
        ('+++\ntitle = "a"\nintents = ["praise"]\ntone = "calm"\nreview_by = 2027-01-01\n+++\n  \n', "empty"),
    ],
)
def test_broken_file_is_told_in_words(content: str, words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        parse_template(content, situation="a", language="it")


def test_windows_line_ends_are_read() -> None:
    content = '+++\r\ntitle = "a"\r\nintents = ["praise"]\r\ntone = "calm"\r\nreview_by = 2027-01-01\r\n+++\r\nCiao'
    assert parse_template(content, situation="a", language="it").body == "Ciao"


def test_file_with_an_unfit_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "My Delay.md").write_text("")
    with pytest.raises(TemplateError, match="name it"):
        load_library(tmp_path)

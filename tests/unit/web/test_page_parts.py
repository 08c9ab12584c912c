"""The parts behind the pages: charts' geometry, generated forms, marked words, names typed in a hurry."""

import pytest
from pydantic import ValidationError

from ascolto.web.charts import draw_line, nice_top, pick_labels, stack_bars
from ascolto.web.config_form import describe_fields, errors_in_words, read_fields, secret_names
from ascolto.web.i18n import words_of
from ascolto.web.screens.account import describe_browser
from ascolto.web.screens.query_form import mark_terms, split_terms
from ascolto.web.screens.setup_brand import HoursForm, brand_from_form, slug_of
from connectors.registry import load_registry
from connectors.x_client import XConfig


def test_bars_stand_on_the_ground_and_reach_their_share() -> None:
    chart = stack_bars([[("a", 30), ("b", 10)], [], [("a", 0), ("b", 20)]], [False, True, False])
    first, second, last = chart.bars
    assert first.y + first.height == pytest.approx(240)
    assert second.y + second.height == pytest.approx(first.y)
    assert last.height == pytest.approx(240 * 20 / chart.ticks[0])
    assert [round(gap.x) for gap in chart.gaps] == [333]
    assert chart.ticks[-1] == 0


def test_line_breaks_at_gaps_and_at_missing_values() -> None:
    value = (10.0, -5.0, 25.0)
    chart = draw_line([value, value, None, value, value, value], [False, False, False, False, True, False])
    assert len(chart.paths) == 1
    assert len(chart.dots) == 2
    assert len(chart.bands) == len(chart.paths)
    assert draw_line([], []).paths == ()


@pytest.mark.parametrize(("highest", "top"), [(0, 4), (3, 4), (7, 8), (141, 200), (1000, 1000), (1001, 2000)])
def test_scale_ends_on_a_round_number(highest: int, top: float) -> None:
    assert nice_top(highest) == top


def test_labels_are_spread_from_first_to_last() -> None:
    assert pick_labels(28) == [0, 7, 14, 20, 27]
    assert pick_labels(3) == [0, 1, 2]


def test_a_form_never_carries_a_secret_back() -> None:
    fields = describe_fields(
        XConfig, values={"oauth2_token": "hush", "handle": "noi"}, kept_secrets=frozenset({"oauth2_token"})
    )
    shown = {field.name: field for field in fields}
    assert shown["oauth2_token"].widget == "password"
    assert shown["oauth2_token"].value == ""
    assert shown["oauth2_token"].is_kept
    assert shown["handle"].value == "noi"
    assert "hush" not in repr(fields)
    assert "kind" not in shown


def test_empty_texts_leave_the_settings_their_defaults() -> None:
    read = read_fields(XConfig, {"handle": " noi ", "max_length": "", "bearer_token": "b"})
    assert read == {"handle": "noi", "bearer_token": "b", "expand_authors": False, "replies_need_mention": False}


def test_errors_are_said_in_words_without_what_was_typed() -> None:
    words = words_of("it")
    with pytest.raises(ValidationError) as caught:
        XConfig.model_validate({"bearer_token": "very-secret", "handle": "not a handle!", "max_length": "x"})
    told = errors_in_words(caught.value, words)
    assert set(told) == {"handle", "max_length"}
    assert "very-secret" not in str(told)


@pytest.mark.parametrize("network", [name for name in load_registry().names() if name != "archive"])
def test_every_network_gets_a_form_with_italian_labels(network: str) -> None:
    config_class = load_registry().get(network).config_class
    words = words_of("it")
    for field in describe_fields(config_class):
        assert field.label in words.singular, field.label
    assert secret_names(config_class) <= set(config_class.model_fields)


def test_marked_words_are_escaped() -> None:
    marked = mark_terms("<b>Borbotto</b> & borbottone", ["borbotto", "<b>"])
    assert marked == "&lt;b&gt;<mark>Borbotto</mark>&lt;/b&gt; &amp; borbottone"
    assert mark_terms("<i>", []) == "&lt;i&gt;"


def test_terms_are_split_and_capped() -> None:
    assert split_terms(" a, b\n\nb ; c ") == ("a", "b", "c")
    assert len(split_terms("\n".join(str(number) for number in range(500)))) == 60


@pytest.mark.parametrize(("name", "slug"), [("Caffè Nero!", "caffe-nero"), ("日本", "brand"), ("  --  ", "brand")])
def test_slugs_are_plain(name: str, slug: str) -> None:
    assert slug_of(name) == slug


def test_a_brand_is_made_of_what_was_typed() -> None:
    file = brand_from_form(
        name=" Fior di Sale ", forms="fiordisale, #fds", products="", competitors="Fior di sale\nOnda\nonda"
    )
    assert file.slug == "fior-di-sale"
    assert [rival.slug for rival in file.competitors] == ["onda", "onda-2"]
    with pytest.raises(ValidationError):
        brand_from_form(name="  ", forms="", products="", competitors="")


@pytest.mark.parametrize(
    "wrong",
    [
        {"opens": "25:00"}, {"closes": "08:00"}, {"minutes": "0"}, {"minutes": "١٢"}, {"minutes": "9" * 40},
        {"timezone": "Mars/Olympus"}, {"timezone": "../../etc/passwd"}, {"days": []}, {"days": ["9"]},
    ],
)  # fmt: skip
def test_impossible_hours_are_refused(wrong: dict[str, object]) -> None:
    right = {"opens": "09:00", "closes": "18:00", "minutes": "60", "timezone": "Europe/Rome", "days": ["0"]}
    assert HoursForm.model_validate(right).minutes == 60
    with pytest.raises(ValidationError):
        HoursForm.model_validate({**right, **wrong})


def test_browsers_are_told_in_a_few_words() -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36"
    assert describe_browser(agent) == "Chrome · Linux"
    assert describe_browser("") == "?"

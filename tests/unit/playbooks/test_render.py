"""Filling templates: nothing unresolved leaves, and a template is never a program."""

import pytest

from playbooks.render import RenderError, UnresolvedVariableError, render, variables_of


def test_variables_are_filled_as_plain_text() -> None:
    assert render("Ciao {{ name }} & {{ link }}", {"name": "<b>Ugo</b>", "link": "https://a.b/?x=1&y=2"}) == (
        "Ciao <b>Ugo</b> & https://a.b/?x=1&y=2"
    )


@pytest.mark.parametrize("given", [{}, {"a": "1"}, {"a": "1", "b": "  "}])
def test_unresolved_variables_are_named(given: dict[str, str]) -> None:
    with pytest.raises(UnresolvedVariableError) as caught:
        render("{{ a }} {{ b }}", given)
    assert caught.value.names == tuple(sorted({"a", "b"} - {name for name, value in given.items() if value.strip()}))


def test_a_value_that_looks_like_a_template_is_not_run() -> None:
    assert render("{{ a }}", {"a": "{{ 7*7 }} {% for %}"}) == "{{ 7*7 }} {% for %}"


def test_conditions_and_filters_work() -> None:
    assert render("{% if a == 'x' %}{{ b|upper }}{% else %}no{% endif %}", {"a": "x", "b": "si"}) == "SI"


@pytest.mark.parametrize(
    "body",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ a.__init__.__globals__ }}",
        "{{ a['x'] }}",
        "{{ 'a' * 999999999 }}",
        "{% for x in a %}{% for y in a %}{% endfor %}{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{% set x = a %}",
        "{% macro m() %}{% endmacro %}",
        "{{ range(10) }}",
        "{{ a|replace('', a) }}",
        "{{ a|attr('__class__') }}",
        "{{ lipsum() }}",
        "{{ a",
        "{% if a %}",
        "(" * 10 + "{{ " + "(" * 5000 + "a" + ")" * 5000 + " }}",
        "x" * 70_000,
    ],
)
def test_anything_more_is_refused_in_words(body: str) -> None:
    with pytest.raises(RenderError):
        render(body, {"a": "a" * 1000})


def test_variables_are_listed_once_in_order() -> None:
    assert variables_of("{{ b }} {{ a }} {{ b|upper }}") == ("a", "b")

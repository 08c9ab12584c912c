"""Length by each network's own count."""

import time

import pytest

from connectors.base import LengthRule
from connectors.length import measure

FAMILY = "👨\u200d👩\u200d👧\u200d👦"


@pytest.mark.parametrize(
    ("text", "rule", "length"),
    [
        ("ciao è", LengthRule.CHARACTERS, 6),
        (FAMILY, LengthRule.CHARACTERS, 7),
        (FAMILY + "e\u0301", LengthRule.GRAPHEMES, 2),
        ("ciao", LengthRule.X_WEIGHTED, 4),
        ("città", LengthRule.X_WEIGHTED, 5),
        ("e\u0301", LengthRule.X_WEIGHTED, 1),
        ("日本", LengthRule.X_WEIGHTED, 4),
        ("عربي", LengthRule.X_WEIGHTED, 4),
        (FAMILY, LengthRule.X_WEIGHTED, 2),
        ("🇮🇹", LengthRule.X_WEIGHTED, 2),
        ("2\ufe0f\u20e3", LengthRule.X_WEIGHTED, 2),
        ("https://example.com/" + "x" * 200, LengthRule.X_WEIGHTED, 23),
        ("http://a.it", LengthRule.X_WEIGHTED, 23),
        ("su example.com oggi", LengthRule.X_WEIGHTED, 3 + 23 + 5),
        ("fine.Poi", LengthRule.X_WEIGHTED, 8),
        ("“a” – b…", LengthRule.X_WEIGHTED, 9),  # the ellipsis is beyond the light ranges
        ("https://example.com/" + "x" * 200, LengthRule.MASTODON, 23),
        ("@anna@lontano.example ciao", LengthRule.MASTODON, 10),
        ("anna@lontano.example", LengthRule.MASTODON, 20),
        ("", LengthRule.X_WEIGHTED, 0),
    ],
)
def test_length_is_counted_as_the_network_does(text: str, rule: LengthRule, length: int) -> None:
    assert measure(text, rule) == length


@pytest.mark.parametrize(
    "text", ["a." * 100_000, "https://" * 50_000, "@a@" * 100_000, "👨\u200d" * 50_000, "(" * 200_000]
)
@pytest.mark.parametrize("rule", list(LengthRule))
def test_hostile_text_is_counted_in_no_time(text: str, rule: LengthRule) -> None:
    started = time.thread_time()
    measure(text, rule)
    assert time.thread_time() - started < 5

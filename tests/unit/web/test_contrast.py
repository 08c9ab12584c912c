"""Every pair of words and ground is readable in both themes, computed from the tokens (axe sees only what is shown)."""

import re
from pathlib import Path

import pytest

CSS = Path(__file__).resolve().parents[3] / "ascolto" / "web" / "static" / "css" / "00-tokens.css"
PAIR = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
TOKENS = {name: colours for name, *colours in PAIR.findall(CSS.read_text(encoding="utf-8"))}
GROUNDS = ("ground", "surface", "raised", "sunken", "hover")
TEXT = [
    *((text, ground) for text in ("ink", "ink-2") for ground in GROUNDS),
    *(("accent", ground) for ground in ("ground", "surface", "raised")),
    *((tone, f"{tone}-soft") for tone in ("bad", "good", "warn", "info")),
    *((tone, ground) for tone in ("bad", "good", "warn", "info") for ground in ("surface", "raised", "ground")),
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
    ("on-accent-soft", "accent-soft"),
    ("ink", "accent-soft"),
    ("ink-2", "accent-soft"),
    ("ink", "note"),
    ("ink-2", "note"),
    ("warn", "note"),
    ("ink", "warn-soft"),
    ("ink", "bad-soft"),
]
SIGNS = [
    ("line-strong", "raised"),
    ("line-strong", "surface"),
    ("line-strong", "ground"),
    *((name, "surface") for name in TOKENS if name.startswith("net-")),
    *((name, "accent-soft") for name in TOKENS if name.startswith("net-")),
]


def luminance(colour: str) -> float:
    """Give WCAG's relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Give WCAG's contrast ratio."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT)
def test_words_can_be_read(text: str, ground: str, theme: int) -> None:
    assert contrast(TOKENS[text][theme], TOKENS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("sign", "ground"), SIGNS)
def test_signs_can_be_seen(sign: str, ground: str, theme: int) -> None:
    assert contrast(TOKENS[sign][theme], TOKENS[ground][theme]) >= 3.0

"""How long a reply is by a network's own count."""

import re
import unicodedata
from typing import assert_never

import regex  # type: ignore[import-untyped]  # publishes no types

from connectors.base import LengthRule
from connectors.text import url_spans

URL_LENGTH = 23  # X and Mastodon count every address as this many characters (both documented, November 2026)

# X's weights: twitter-text configuration version 3. Code points in these ranges weigh 1, all others 2.
_X_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
_EMOJI = regex.compile(r"(?=\p{Extended_Pictographic}|\p{Regional_Indicator}|[0-9#*]\uFE0F?\u20E3)\X")
_REMOTE_MENTION = re.compile(r"(?<![\w/])@(\w(?:[\w.-]*\w)?)@[\w-]+(?:\.[\w-]+)+")
# X links addresses without scheme too, where the last label is a known top-level domain.
_BARE_URL = re.compile(
    r"(?i)(?<![@\w./-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+"
    r"(?:com|org|net|info|biz|edu|gov|eu|it|io|co|uk|de|fr|es|ch|at|us|app|dev|shop|store|online|site|blog|me|tv|ai)"
    r"(?![\w-])(?:/[^\s<>\"']*)?"
)


def measure(text: str, rule: LengthRule) -> int:
    """Give the length of a reply as the network would count it."""
    match rule:
        case LengthRule.CHARACTERS:
            return len(text)
        case LengthRule.GRAPHEMES:
            return len(regex.findall(r"\X", text))
        case LengthRule.X_WEIGHTED:
            return _weigh_for_x(text)
        case LengthRule.MASTODON:
            # Code points: Mastodon counts graphemes, compatible servers code points, which are never fewer.
            rest, urls = _take_urls(text)
            return len(_REMOTE_MENTION.sub(r"@\1", rest)) + urls * URL_LENGTH
        case _:
            assert_never(rule)


def _weigh_for_x(text: str) -> int:
    rest, urls = _take_urls(unicodedata.normalize("NFC", text))
    rest, bare = _BARE_URL.subn("", rest)
    emoji = len(_EMOJI.findall(rest))
    rest = str(_EMOJI.sub("", rest))
    weight = sum(1 if any(low <= ord(char) <= high for low, high in _X_LIGHT) else 2 for char in rest)
    return weight + (urls + bare) * URL_LENGTH + emoji * 2


def _take_urls(text: str) -> tuple[str, int]:
    spans = url_spans(text)
    kept: list[str] = []
    end = 0
    for start, stop in spans:
        kept.append(text[end:start])
        end = stop
    kept.append(text[end:])
    return "".join(kept), len(spans)

"""Reading public files of posts, and the key under which two texts are the same."""

import html
import json
import re
from pathlib import Path

_KEY = re.compile(r"https?\S*|@\w+|\W+")
_SHINGLE = 4  # words
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def text_key(text: str) -> str:
    """Give the key under which two texts are the same: letters and digits only, no addresses and handles."""
    return _KEY.sub("", clean_tweet(text).lower())


def clean_tweet(text: str) -> str:
    """Undo the escapes the public files carry."""
    plain = _ESCAPE.sub(lambda match: chr(int(match.group(1), 16)), text)
    plain = html.unescape(plain).replace('""', '"').encode("utf-8", "ignore").decode("utf-8")
    return plain.replace("\\n", " ").strip()


def read_lines(path: Path) -> list[dict[str, object]]:
    """Read a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def shingles_of(text: str) -> list[tuple[str, ...]]:
    """Give every run of four words of a text, without addresses, handles and the sign of a retweet."""
    words = [word for word in _KEY.sub(" ", clean_tweet(text).lower()).split() if word != "rt"]
    return [tuple(words[at : at + _SHINGLE]) for at in range(len(words) - _SHINGLE + 1)]

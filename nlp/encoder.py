"""The small multilingual encoder: texts in, one vector each out; nothing else is loaded until the first text.

`normalise` is the one preparation of a text before its tokeniser, in training and in use.
"""

import html
import re

MAX_CHARS = 2_000  # far more than the tokens the encoder reads; keeps a text of megabytes cheap

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u2060\ufeff\ud800-\udfff]")
_ADDRESS = re.compile(r"(?i:https?://|www\.)\S+")
_HANDLE = re.compile(r"(?<![\w.@])@\w[\w.]*(?:@[\w.]+)?")
_PILED_MARKS = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{2})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+"
)


def normalise(text: str) -> str:
    """Give a text as the encoder reads it: entities resolved, addresses " http ", handles "@user", blanks collapsed.

    Never fails, whatever the characters are; "" where nothing is left.
    """
    plain = html.unescape(text[:MAX_CHARS])
    plain = _CONTROLS.sub(" ", plain)
    plain = _ADDRESS.sub(" http ", plain)
    plain = _HANDLE.sub("@user", plain)
    plain = _PILED_MARKS.sub(r"\1", plain)
    return " ".join(plain.split())

"""The search syntax of X as far as the town needs it, and its text: short links, escaped signs, mentions."""

import hashlib
import html
import re
from collections.abc import Callable
from typing import Any

from connectors.query import fold

_TOKEN = re.compile(r'\(|\)|-?[a-z_]+:"[^"]*"|-?"[^"]*"|[^\s()]+')
_URL = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)]")
MENTION = re.compile(r"(?<!\w)@(\w{1,15})", re.ASCII)

Facts = dict[str, Any]
Test = Callable[[Facts], bool]


def compile_query(query: str) -> Test:
    """Give a test for a post's facts: text, author, conversation_id, language, is_retweet. Blank means AND."""
    every: list[Test] = []
    alternatives: list[Test] | None = None
    for word in _TOKEN.findall(query):
        if word == "(":
            alternatives = []
        elif word == ")" and alternatives is not None:
            every.append(_any(alternatives))
            alternatives = None
        elif word == "OR":
            continue
        elif alternatives is not None:
            alternatives.append(_compile_term(word))
        else:
            every.append(_compile_term(word))
    return lambda facts: all(test(facts) for test in every)


def _any(tests: list[Test]) -> Test:
    return lambda facts: any(test(facts) for test in tests)


def _compile_term(token: str) -> Test:
    if token.startswith("-"):
        test = _compile_term(token[1:])
        return lambda facts: not test(facts)
    name, found, value = token.partition(":")
    match name if found else "":
        case "from":
            return lambda facts: facts["author"].casefold() == value.casefold()
        case "conversation_id":
            return lambda facts: facts["conversation_id"] == value
        case "lang":
            return lambda facts: facts["language"] == value
        case "is":
            return lambda facts: bool(facts["is_retweet"])
    words = re.compile(rf"(?<!\w){re.escape(fold(token.strip(chr(34))))}(?!\w)")
    return lambda facts: words.search(fold(facts["text"])) is not None


def wire_text(text: str) -> tuple[str, list[dict[str, Any]]]:
    """Give a text as X sends it: links as t.co, &, < and > escaped; and the list of its links."""
    links: list[dict[str, Any]] = []

    def shorten(match: re.Match[str]) -> str:
        url = match.group()
        short = f"https://t.co/{hashlib.sha256(url.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"
        links.append({"start": match.start(), "end": match.end(), "url": short, "expanded_url": url})
        return short

    return html.escape(_URL.sub(shorten, text), quote=False), links

"""Mastodon's text: HTML of statuses, mentions, hashtags, full-text search words, times."""

import html
import re
from collections.abc import Sequence
from datetime import datetime

from ascolto.demo.town.state import TownPost

MENTION = re.compile(r"(?<![\w/])@(\w+)(?:@([\w.-]+\w))?")
_TAG = re.compile(r"(?<![\w/&])#(\w+)")
_URL = re.compile(r"https?://[^\s<]+[^\s<.,;:!?)]")


def text_to_html(text: str) -> str:
    """Give the text as Mastodon serves it: paragraphs, links cut for the eye, mentions without host."""
    escaped = html.escape(text, quote=False)
    escaped = _URL.sub(_link, escaped)
    mention = r'<span class="h-card"><a href="#" class="u-url mention">@<span>\1</span></a></span>'
    escaped = MENTION.sub(mention, escaped)
    escaped = _TAG.sub(r'<a href="#" class="mention hashtag" rel="tag">#<span>\1</span></a>', escaped)
    return "".join(f"<p>{part.replace(chr(10), '<br />')}</p>" for part in escaped.split("\n\n"))


def _link(match: re.Match[str]) -> str:
    url = match.group()
    scheme, rest = url.split("://", 1)
    shown, hidden = rest[:30], rest[30:]
    kind = ' class="ellipsis"' if hidden else ""
    return (
        f'<a href="{url}" rel="nofollow"><span class="invisible">{scheme}://</span>'
        f'<span{kind}>{shown}</span><span class="invisible">{hidden}</span></a>'
    )


def tags_in(text: str) -> list[str]:
    """Give the hashtags of a text, in lower case."""
    return [tag.lower() for tag in _TAG.findall(text)]


def is_public(post: TownPost) -> bool:
    """Whether timelines show the post."""
    return bool(post.extra.get("visibility", "public") == "public")


def has_words(text: str, words: Sequence[str]) -> bool:
    """Whether a text has all words (quotes already off) and none that begins with a minus."""
    wanted = [word for word in words if not word.startswith("-")]
    unwanted = [word[1:].strip('"') for word in words if word.startswith("-")]
    return all(_has(text, word) for word in wanted) and not any(_has(text, word) for word in unwanted)


def _has(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def wire_time(moment: datetime) -> str:
    """Give a time as Mastodon writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""Plain text out of whatever networks send: hostile characters replaced, HTML reduced, addresses found."""

import html
import re
import unicodedata
from html.parser import HTMLParser

import nh3

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_SPECIAL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # any of what clean_text replaces
_LINE_END = re.compile("\r\n?|\x85")
_URL = re.compile(r"(?i)\bhttps?://[^\s<>\"'`\x00-\x1f]+")
_MENTION_HOST = re.compile(r"(?<!\w)(@\w+)@[\w-]+(?:\.[\w-]+)+")
_LEADING_MENTIONS = re.compile(r"^(?:@[\w.-]+ )+")
_TRAILING = ".,;:!?…»”’*_~"
_BLOCKS = {
    "p",
    "div",
    "blockquote",
    "ul",
    "ol",
    "pre",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "section",
    "article",
}
_LINES = {"br", "li", "tr", "hr"}


def clean_text(text: str) -> str:
    """Replace what stores and screens cannot hold: NUL and other controls, lone surrogates; unify line ends.

    Two surrogates that belong together become their character. Everything else, RTL and emoji too, stays.
    """
    if text.isprintable() or not _SPECIAL.search(text):
        return text  # nearly every text: there is nothing to replace
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = _LINE_END.sub("\n", text)
    return _CONTROL.sub(REPLACEMENT, text)


class _TextCollector(HTMLParser):
    """Collects text; paragraphs are parted by an empty line, <br> and list items by a line end."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n\n")
        elif tag in _LINES:
            self.parts.append("\n")
        elif tag == "img":
            self.parts.append(dict(attrs).get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(re.sub(r"[ \t\r\n]+", " ", data))


def html_to_text(markup: str) -> str:
    """Reduce HTML to the plain text a reader sees; scripts and comments go, links keep their words."""
    if "<" not in markup and "&" not in markup:
        return clean_text(markup).strip()
    # nh3 first: it rewrites whatever came into well-formed HTML, so that the small parser never meets a trap.
    tidy = nh3.clean(clean_text(markup), tags=_BLOCKS | _LINES | {"img"}, attributes={"img": {"alt"}}, link_rel=None)
    collector = _TextCollector()
    collector.feed(tidy)
    collector.close()
    text = "".join(collector.parts)
    text = re.sub(r" *\n *", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def find_urls(text: str) -> list[str]:
    """Give the http(s) addresses in a text, in order, without the punctuation that follows them."""
    return [text[start:end] for start, end in url_spans(text)]


def url_spans(text: str) -> list[tuple[int, int]]:
    """Give start and end of each address in a text."""
    spans: list[tuple[int, int]] = []
    for match in _URL.finditer(text):
        url = match.group().rstrip(_TRAILING)
        for opening, closing in ("()", "[]", "{}"):
            if url.endswith(closing) and url.count(closing) > url.count(opening):
                url = url[:-1].rstrip(_TRAILING)
        spans.append((match.start(), match.start() + len(url)))
    return spans


def same_text(found: str, sent: str) -> bool:
    """Whether a text read back is the one that was sent.

    Networks put mentions in front, drop a mention's server, change spaces and line ends, and may normalise or
    escape; words, their order and their case must be the same.
    """
    return _comparable(found) == _comparable(sent)


def _comparable(text: str) -> str:
    text = unicodedata.normalize("NFC", html.unescape(clean_text(text)))
    text = _MENTION_HOST.sub(r"\1", text)
    return _LEADING_MENTIONS.sub("", " ".join(text.split()))

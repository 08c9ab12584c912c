"""Post texts on the screen: escaped, with links to https and http addresses, and cut where they are endless."""

from markupsafe import Markup, escape

from connectors.text import url_spans

SHOWN_CHARACTERS = 4_000
MOST_CHARACTERS = 100_000
MOST_LINKS = 50


def rich_text(text: str, limit: int = MOST_CHARACTERS) -> Markup:
    """Give a text as HTML: everything escaped, web addresses made links that tell the site nothing."""
    shown = text[:limit]
    parts: list[Markup] = []
    at = 0
    for start, end in url_spans(shown)[:MOST_LINKS]:
        parts.append(escape(shown[at:start]))
        url = shown[start:end]
        parts.append(
            Markup('<a href="{}" target="_blank" rel="noopener noreferrer nofollow ugc">{}</a>').format(
                url, _short(url)
            )
        )
        at = end
    parts.append(escape(shown[at:]))
    return Markup().join(parts)


def web_address(url: str | None) -> str:
    """Give an address only if it is http or https, else "": networks can send anything."""
    return url if url and url.lower().startswith(("https://", "http://")) else ""


def _short(url: str) -> str:
    bare = url.split("://", 1)[-1].removeprefix("www.")
    return bare if len(bare) <= 48 else bare[:47] + "…"  # noqa: PLR2004 - what fits into a line of a phone

"""A listening query in X's own search syntax. Only text: no network, no client."""

import re

from connectors.errors import BadQueryError
from connectors.query import ListeningQuery

_PLAIN_TERM = re.compile(r"[#@$]?\w+", re.UNICODE)
_HANDLE = re.compile(r"@?(\w{1,15})", re.ASCII)
_RESERVED = {"or", "and", "not"}


def build_query(query: ListeningQuery, *, own_handle: str = "", max_length: int = 512) -> str:
    """Give the search string for `query`, without our own posts and without bare reposts.

    Raises BadQueryError when it is longer than X takes (`max_length` characters; depends on the access level).
    """
    parts = [_term(term) for term in query.required]
    alternatives = [_term(term) for term in query.any_of] + [_phrase(phrase) for phrase in query.phrases]
    if len(alternatives) > 1:
        parts.append(f"({' OR '.join(alternatives)})")
    else:
        parts.extend(alternatives)
    parts.extend(f"-{_term(term)}" for term in query.excluded)
    parts.extend(f"-from:{handle}" for handle in own_handles(query, own_handle))
    parts.append("-is:retweet")
    if query.language:
        parts.append(f"lang:{query.language}")
    built = " ".join(parts)
    if len(built) > max_length:
        raise BadQueryError(
            f"The query is {len(built)} characters in X's syntax and X takes {max_length}: "
            "drop some words or split it into two sources."
        )
    return built


def own_handles(query: ListeningQuery | None, own_handle: str = "") -> tuple[str, ...]:
    """Give our handles as X writes them, without "@"; names of other networks (with a server) are left out."""
    names = (own_handle, *(query.own_handles if query else ()))
    matches = (_HANDLE.fullmatch(name) for name in names)
    return tuple(dict.fromkeys(match.group(1) for match in matches if match))


def _term(term: str) -> str:
    if _PLAIN_TERM.fullmatch(term) and term.casefold() not in _RESERVED:
        return term
    return _phrase(term)


def _phrase(phrase: str) -> str:
    words = " ".join(phrase.replace('"', " ").replace("\\", " ").split())
    if not re.search(r"\w", words):
        raise BadQueryError(f"X cannot search for {phrase!r}: a term needs a letter or a digit.")
    return f'"{words}"'

"""A listening query in Reddit's search syntax. Only text: no network, no client."""

import re

from connectors.errors import BadQueryError
from connectors.query import ListeningQuery

_MAX_LENGTH = 512  # what Reddit's search takes (reddit.com/dev/api, "q")
_PLAIN_TERM = re.compile(r"\w+", re.UNICODE)
_NAME = re.compile(r"(?:@|/?u/)?([A-Za-z0-9_-]{3,20})")
_RESERVED = {"or", "and", "not"}


def build_query(query: ListeningQuery) -> str:
    """Give the search string; a language cannot be asked for, so that is left to the tagger.

    Raises BadQueryError when it is longer than Reddit takes.
    """
    parts = [_term(term) for term in query.required]
    alternatives = [_term(term) for term in (*query.any_of, *query.phrases)]
    if alternatives:
        parts.append(f"({' OR '.join(alternatives)})")
    built = " AND ".join(parts)
    for term in query.excluded:
        built += f" NOT {_term(term)}"
    for match in (_NAME.fullmatch(handle) for handle in query.own_handles):
        if match:
            built += f" NOT author:{match.group(1)}"
    if len(built) > _MAX_LENGTH:
        raise BadQueryError(
            f"The query is {len(built)} characters in Reddit's syntax and Reddit takes {_MAX_LENGTH}: "
            "drop some words or split it into two sources."
        )
    return built


def _term(term: str) -> str:
    if _PLAIN_TERM.fullmatch(term) and term.casefold() not in _RESERVED:
        return term
    words = " ".join(term.replace('"', " ").replace("\\", " ").split())
    if not re.search(r"\w", words):
        raise BadQueryError(f"Reddit cannot search for {term!r}: a term needs a letter or a digit.")
    return f'"{words}"'

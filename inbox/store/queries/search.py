"""Searches posts by words, prefixes, phrases and authors, newest first. Nothing is ranked, nothing counted.

Words are folded as in the index (inbox/store/search_index.py), so that whatever a person types is only ever
letters and digits by the time a database parses it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox.store.queries.identities import list_ids_by_handle
from inbox.store.search_index import fold_words
from inbox.store.statements import is_one_of
from inbox.store.tables import Identity, Post

MAX_QUERY = 300
MAX_TERMS = 16
# More matches than this make a word common: then the newest to arrive are looked at, not all.
COMMON = 2_000
_TOKEN = re.compile(r'(-?)"([^"]*)"?|(\S+)')
_FROM = ("from:", "da:")


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to look for. `words` are folded; several of them are a phrase."""

    words: str
    is_prefix: bool = False
    is_excluded: bool = False


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A query as understood: terms that must all be there (or must not), and authors by handle."""

    terms: tuple[Term, ...]
    handles: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to find anything by."""
        return not self.handles and all(term.is_excluded for term in self.terms)


@dataclass(frozen=True, slots=True)
class FoundPost:
    """A post found, with its author."""

    post: Post
    author: Identity


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Posts found, newest first. `is_partial`: so many match that only the latest to arrive were looked at."""

    posts: tuple[FoundPost, ...]
    is_partial: bool = False


def parse_query(typed: str) -> SearchQuery:
    """Read what a person typed: words, "a phrase", prefix*, -excluded, from:handle. Never fails."""
    terms: list[Term] = []
    handles: list[str] = []
    for minus, phrase, bare in _TOKEN.findall(typed[:MAX_QUERY]):
        if bare.lower().startswith(_FROM):
            handle = bare.split(":", 1)[1].strip('@"')
            if handle:
                handles.append(handle)
            continue
        is_excluded = bool(minus) or (bare.startswith("-") and len(bare) > 1)
        words = fold_words(phrase or bare)
        if words:
            terms.append(Term(words, is_prefix=bare.endswith("*"), is_excluded=is_excluded))
    return SearchQuery(terms=tuple(terms[:MAX_TERMS]), handles=tuple(handles[:MAX_TERMS]))


def search_posts(
    session: Session,
    brand_id: int,
    typed: str,
    *,
    limit: int = 50,
    network: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> SearchResult:
    """Give the newest posts of a brand that fit what a person typed; an empty query finds nothing."""
    query = parse_query(typed)
    if query.is_empty:
        return SearchResult(())
    conditions: list[sa.ColumnElement[bool]] = [Post.brand_id == brand_id, Post.deleted_at_source.is_(None)]
    if network is not None:
        conditions.append(Post.network == network)
    if since is not None:
        conditions.append(Post.created_at >= since)
    if until is not None:
        conditions.append(Post.created_at < until)
    if query.handles:
        authors = [one for handle in query.handles for one in list_ids_by_handle(session, brand_id, handle, network)]
        conditions.append(is_one_of(session, Post.author_id, authors))
    is_partial = False
    if any(not term.is_excluded for term in query.terms):
        ids = _candidates(session, brand_id, query.terms)
        is_partial = len(ids) > COMMON
        conditions.append(is_one_of(session, Post.id, ids[:COMMON]))
    found = session.execute(
        sa.select(Post, Identity)
        .join(Identity, Identity.id == Post.author_id)
        .where(*conditions)
        .order_by(Post.created_at.desc(), Post.id.desc())
        .limit(limit)
    )
    return SearchResult(tuple(FoundPost(row[0], row[1]) for row in found), is_partial=is_partial)


def _candidates(session: Session, brand_id: int, terms: Sequence[Term]) -> list[int]:
    """Give the posts that hold the terms, the last to arrive first, one more than COMMON at most."""
    if session.connection().dialect.name == "sqlite":
        statement = sa.text("""
            SELECT s.rowid FROM post_search s JOIN post p ON p.id = s.rowid
             WHERE post_search MATCH :match AND p.brand_id = :brand_id
             ORDER BY s.rowid DESC LIMIT :most
        """)
        values: dict[str, object] = {"match": _fts5(terms)}
    else:
        expression, values = _tsquery(terms)
        # Materialized, so that a rare word is looked up in its index and not met by walking all posts backwards.
        statement = sa.text(f"""
            WITH matching AS MATERIALIZED (
                SELECT post_id FROM post_search WHERE brand_id = :brand_id AND document @@ ({expression})
            )
            SELECT post_id FROM matching ORDER BY post_id DESC LIMIT :most
        """)  # noqa: S608 - the expression holds parameter names only
    rows = session.execute(statement, values | {"brand_id": brand_id, "most": COMMON + 1})
    return [int(row[0]) for row in rows]


def _fts5(terms: Sequence[Term]) -> str:
    """Give an FTS5 expression. Words are letters and digits, so quoting them cannot fail."""
    wanted = " AND ".join(_fts5_term(term) for term in terms if not term.is_excluded)
    excluded = "".join(f" NOT {_fts5_term(term)}" for term in terms if term.is_excluded)
    return f"({wanted}){excluded}"


def _fts5_term(term: Term) -> str:
    return f'"{term.words}"' + (" *" if term.is_prefix else "")


def _tsquery(terms: Sequence[Term]) -> tuple[str, dict[str, object]]:
    """Give a tsquery expression and its values; single words also match by their Italian or English stem."""
    parts: list[str] = []
    values: dict[str, object] = {}
    for number, term in enumerate(terms):
        name = f"term_{number}"
        words = term.words.split()
        if term.is_prefix:
            values[name] = " <-> ".join([*(f"'{word}'" for word in words[:-1]), f"'{words[-1]}':*"])
            part = f"to_tsquery('simple', :{name})"
        elif len(words) > 1:
            values[name] = term.words
            part = f"phraseto_tsquery('simple', :{name})"
        else:
            values[name] = term.words
            part = (
                f"(plainto_tsquery('simple', :{name}) || plainto_tsquery('italian', :{name})"
                f" || plainto_tsquery('english', :{name}))"
            )
        parts.append(f"!!{part}" if term.is_excluded else part)
    return " && ".join(parts), values

"""The full-text index of posts: what it is on each database, and how rows get into it and out again.

SQLite keeps an FTS5 table, PostgreSQL a table of tsvectors with a GIN index. Both are fed the same words,
folded here in Python (case, accents, compatibility forms), so that neither needs an extension and both find
alike. PostgreSQL also holds the Italian or English stems where the post's language is known. Searching is in
inbox/store/queries/search.py.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

# Enough for the longest post that ingest stores; a tsvector may not exceed 1 MB.
MAX_INDEXED = 100_000
# PostgreSQL leaves longer lexemes out with a notice, FTS5 would store them: both cut here.
MAX_WORD = 200
STEMMED = {"it": "italian", "en": "english"}
ID_CHUNK = 500
# Combining marks of Latin, Greek, Cyrillic, Hebrew and Arabic; other scripts' marks are parts of their words.
_ACCENT = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
_NOT_WORD = re.compile(r"[\W_]+")
_LONG_WORD = re.compile(rf"(\w{{{MAX_WORD}}})\w+")

_SQLITE_CREATE = """
    CREATE VIRTUAL TABLE post_search USING fts5(
        words, author, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
    )
"""
_POSTGRES_CREATE = (
    """
    CREATE TABLE post_search (
        brand_id bigint NOT NULL,
        post_id bigint NOT NULL REFERENCES post (id) ON DELETE CASCADE,
        document tsvector NOT NULL,
        PRIMARY KEY (brand_id, post_id)
    )
    """,
    "CREATE INDEX post_search_document ON post_search USING gin (document)",
    "CREATE INDEX post_search_post ON post_search (post_id)",
)
_SQLITE_DELETE = "DELETE FROM post_search WHERE rowid = ?"
_SQLITE_INSERT = "INSERT INTO post_search (rowid, words, author) VALUES (?, ?, ?)"
_POSTGRES_UPSERT = sa.text("""
    INSERT INTO post_search (brand_id, post_id, document)
    SELECT brand_id, post_id,
           to_tsvector('simple', author) || to_tsvector('simple', words) || CASE stemmed
               WHEN 'italian' THEN to_tsvector('italian', words)
               WHEN 'english' THEN to_tsvector('english', words)
               ELSE ''::tsvector END
      FROM unnest(
               CAST(:brand_ids AS bigint[]), CAST(:post_ids AS bigint[]),
               CAST(:words AS text[]), CAST(:authors AS text[]), CAST(:stemmed AS text[])
           ) AS given (brand_id, post_id, words, author, stemmed)
    ON CONFLICT (brand_id, post_id) DO UPDATE SET document = excluded.document
""")
_DOCUMENTS = """
    SELECT p.id, p.brand_id, p.text, p.title, p.language, p.language_hint, i.handle, i.display_name
      FROM post p JOIN identity i ON i.id = p.author_id
     WHERE p.id IN :ids
"""


@dataclass(frozen=True, slots=True)
class SearchDocument:
    """What is searchable of one post. `text` is title and text as stored; `author` handle and name."""

    brand_id: int
    post_id: int
    text: str
    author: str
    language: str | None = None


def fold_words(text: str) -> str:
    """Reduce a text to its words: lower case, no accents, everything but letters and digits a space."""
    folded = text.lower()
    if not text.isascii():
        folded = _ACCENT.sub("", unicodedata.normalize("NFKD", text.casefold())).lower()
    words = _NOT_WORD.sub(" ", folded[:MAX_INDEXED]).strip()
    return _LONG_WORD.sub(r"\1", words) if len(words) > MAX_WORD else words


def create_search_index(connection: sa.Connection) -> None:
    """Create the index's tables; called by the migration that creates posts."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_SQLITE_CREATE)
        return
    for statement in _POSTGRES_CREATE:
        connection.exec_driver_sql(statement)


def drop_search_index(connection: sa.Connection) -> None:
    """Drop the index's tables."""
    connection.exec_driver_sql("DROP TABLE IF EXISTS post_search")


def index_posts(session: Session, post_ids: Iterable[int]) -> int:
    """Bring the index up to date for these posts, new or changed; gives how many stand in it."""
    statement = sa.text(_DOCUMENTS).bindparams(sa.bindparam("ids", expanding=True))
    indexed = 0
    for ids in _chunks(list(post_ids)):
        documents = [
            SearchDocument(
                brand_id=row.brand_id,
                post_id=row.id,
                text=f"{row.title} {row.text}",
                author=f"{row.handle} {row.display_name}",
                language=row.language or row.language_hint,
            )
            for row in session.execute(statement, {"ids": ids})
        ]
        index_documents(session, documents, are_new=False)
        indexed += len(documents)
    return indexed


def index_documents(session: Session, documents: Sequence[SearchDocument], *, are_new: bool) -> None:
    """Put documents into the index. `are_new` promises that none of them is there yet, which is faster."""
    if not documents:
        return
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        if not are_new:
            unindex_posts(session, [document.post_id for document in documents])
        rows = [(one.post_id, fold_words(one.text), fold_words(one.author)) for one in documents]
        connection.exec_driver_sql(_SQLITE_INSERT, rows)
        return
    connection.execute(
        _POSTGRES_UPSERT,
        {
            "brand_ids": [one.brand_id for one in documents],
            "post_ids": [one.post_id for one in documents],
            "words": [fold_words(one.text) for one in documents],
            "authors": [fold_words(one.author) for one in documents],
            "stemmed": [STEMMED.get((one.language or "")[:2].lower(), "") for one in documents],
        },
    )


def unindex_posts(session: Session, post_ids: Iterable[int]) -> None:
    """Take posts out of the index: erased, or about to be indexed anew."""
    ids = list(post_ids)
    if not ids:
        return
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_SQLITE_DELETE, [(post_id,) for post_id in ids])
        return
    statement = sa.text("DELETE FROM post_search WHERE post_id = ANY (CAST(:ids AS bigint[]))")
    connection.execute(statement, {"ids": ids})


def _chunks(ids: list[int]) -> Iterable[list[int]]:
    return (ids[start : start + ID_CHUNK] for start in range(0, len(ids), ID_CHUNK))

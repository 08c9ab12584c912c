"""Tombstones: keyed hashes of what was erased, so that no back-fill brings it back.

The hash is keyed, so that nobody without the installation's key can test whether an account was erased.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from inbox.listening.validation import CleanPost
from inbox.store.queries.installation import is_anything_erased
from inbox.store.queries.posts import find_tombstones, has_tombstones
from inbox.store.queries.secrets import TOMBSTONE_KEY
from inbox.store.secrets import SecretsError, Vault
from inbox.store.statements import insert_ignoring
from inbox.store.tables import SystemValue, Tombstone

_FIELD = "key"


def tombstone_key(session: Session, vault: Vault, now: datetime) -> bytes:
    """Give the key of all digests, made on first use. The caller commits.

    It is a secret of its own, only encrypted with the vault's keys: it stays the same when those change. SecretsError
    when it cannot be opened and there are tombstones that need it; without any, a new one takes its place.
    """
    fresh = vault.encrypt({_FIELD: secrets.token_hex(32)})
    insert_ignoring(session, SystemValue, [{"key": TOMBSTONE_KEY, "value": fresh, "changed_at": now}], ("key",))
    kept = session.get_one(SystemValue, TOMBSTONE_KEY, populate_existing=True)
    try:
        key = vault.decrypt(kept.value)[_FIELD]
    except SecretsError:
        if is_anything_erased(session):
            raise
        kept.value, kept.changed_at = fresh, now
        key = vault.decrypt(fresh)[_FIELD]
    return bytes.fromhex(key)


def post_digest(key: bytes, network: str, instance: str, external_id: str) -> str:
    """Give the tombstone of one post."""
    return _digest(key, "post", network, instance, external_id)


def author_digest(key: bytes, network: str, instance: str, external_id: str) -> str:
    """Give the tombstone of everything by one account."""
    return _digest(key, "author", network, instance, external_id)


def bury(session: Session, brand_id: int, digests: Iterable[str], now: datetime) -> None:
    """Keep these tombstones; those that stand already stay as they are."""
    rows = [{"brand_id": brand_id, "digest": digest, "created_at": now} for digest in sorted(set(digests))]
    insert_ignoring(session, Tombstone, rows, ("brand_id", "digest"))


def without_erased(
    session: Session, brand_id: int, posts: Sequence[CleanPost], key: bytes
) -> tuple[list[CleanPost], int]:
    """Leave out posts that were erased, or whose author was; gives the rest and how many were left out."""
    if not posts or not has_tombstones(session, brand_id):
        return list(posts), 0
    digests = [
        (
            post_digest(key, *post.key),
            author_digest(key, post.author.network, post.author.instance, post.author.external_id),
        )
        for post in posts
    ]
    erased = find_tombstones(session, brand_id, sorted({digest for pair in digests for digest in pair}))
    kept = [post for post, pair in zip(posts, digests, strict=True) if erased.isdisjoint(pair)]
    return kept, len(posts) - len(kept)


def _digest(key: bytes, *parts: str) -> str:
    return hmac.new(key, "\x1f".join(parts).encode("utf-8", "replace"), hashlib.sha256).hexdigest()

"""Sources: what is listened to. Saved with secrets apart and encrypted, paused and resumed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import SecretStr
from sqlalchemy.orm import Session

from connectors.base import Account, Author, Connector, FetchedPost, SourceKind
from connectors.budget import estimate_month
from inbox import audit
from inbox.errors import ConflictError, NotFoundError
from inbox.listening.validation import clean_author
from inbox.people.identities import store_identities
from inbox.store.queries.sources import find_source, get_source
from inbox.store.secrets import Vault
from inbox.store.tables import Source
from inbox.store.types import SourceState

SECONDS_AN_HOUR = 3600


@dataclass(frozen=True, slots=True)
class QueryPreview:
    """What a listening query would bring. `posts` stand newest first.

    `per_hour` is drawn from the times of these posts, None with fewer than two. `doubtful` are those of them that
    do not hold the words of the query by our own reading. Costs are millionths of a US dollar.
    """

    posts: tuple[FetchedPost, ...]
    per_hour: float | None
    doubtful: tuple[FetchedPost, ...]
    cost_micros_month: int | None
    cost_micros_now: int


def create_source(
    session: Session,
    vault: Vault,
    *,
    brand_id: int,
    connector: Connector,
    name: str,
    account: Account | None,
    poll_seconds: int,
    can_publish: bool,
    now: datetime,
    instance: str = "",
    monthly_budget_micros: int | None = None,
    user_id: int | None = None,
) -> Source:
    """Save a source whose connector was checked; its account counts as ours from now on. The caller commits."""
    if find_source(session, brand_id, name) is not None:
        raise ConflictError(
            f'A source named "{name}" exists already.', log_message=f"source name taken, brand {brand_id}"
        )
    config, secrets = split_secrets(connector)
    if account is not None and not _is_ours(connector, account):
        account = None
    source = Source(
        brand_id=brand_id,
        network=connector.network,
        kind=connector.config.kind.value,
        name=name,
        config=config,
        secrets=vault.encrypt(secrets) if secrets else None,
        account_id=account.external_id if account else None,
        account_handle=account.handle if account else None,
        instance=instance,
        poll_seconds=poll_seconds,
        next_poll_at=now,
        can_publish=can_publish,
        monthly_budget_micros=monthly_budget_micros,
        created_at=now,
    )
    session.add(source)
    session.flush()
    if account is not None:
        _mark_ours(session, source, account, now)
    audit.record(
        session,
        now=now,
        action="source.created",
        entity="source",
        entity_id=source.id,
        user_id=user_id,
        after={"network": source.network, "kind": source.kind, "can_publish": can_publish},
    )
    return source


def split_secrets(connector: Connector) -> tuple[dict[str, Any], dict[str, str]]:
    """Give a connector's settings without secrets, as JSON, and its secrets as text."""
    secrets = {name: value.get_secret_value() for name, value in connector.config if isinstance(value, SecretStr)}
    plain: dict[str, Any] = connector.config.model_dump(mode="json", exclude=set(secrets))
    return plain, {name: value for name, value in secrets.items() if value}


def pause_source(session: Session, source_id: int, now: datetime, *, user_id: int | None = None) -> None:
    """Stop polling a source until it is resumed; NotFoundError when there is none."""
    source = _get(session, source_id)
    before = source.state
    source.state, source.state_reason, source.state_until = SourceState.PAUSED, "", None
    source.next_poll_at = None
    _note(session, source, "source.paused", before, now, user_id)


def resume_source(session: Session, source_id: int, now: datetime, *, user_id: int | None = None) -> None:
    """Poll a source again, starting now, from where it stopped; also after new credentials or a bigger budget."""
    source = _get(session, source_id)
    before = source.state
    source.state, source.state_reason, source.state_until = SourceState.OK, "", None
    source.failures, source.next_poll_at = 0, now
    _note(session, source, "source.resumed", before, now, user_id)


def preview_query(connector: Connector, limit: int = 20) -> QueryPreview:
    """Try a query before it is saved: calls the network, stores nothing; the connector's errors pass."""
    page = connector.fetch(None, limit)
    posts = tuple(sorted(page.posts, key=lambda post: post.created_at, reverse=True))[:limit]
    per_hour: float | None = None
    if len(posts) > 1:
        seconds = (posts[0].created_at - posts[-1].created_at).total_seconds()
        per_hour = (len(posts) - 1) * SECONDS_AN_HOUR / max(seconds, 1.0)
    query = connector.config.query
    doubtful = tuple(
        post for post in posts if query and not query.matches(f"{post.title} {post.text}", post.author.handle)
    )
    return QueryPreview(
        posts=posts,
        per_hour=per_hour,
        doubtful=doubtful,
        cost_micros_month=None if per_hour is None else estimate_month(per_hour, connector.capabilities),
        cost_micros_now=page.cost_micros,
    )


def _is_ours(connector: Connector, account: Account) -> bool:
    """Whether `check` named an account of ours, and not merely a feed or server that is read."""
    is_reading_only = connector.config.kind is SourceKind.QUERY and not connector.capabilities.can_reply
    return bool(account.external_id) and not is_reading_only


def _mark_ours(session: Session, source: Source, account: Account, now: datetime) -> None:
    profile = clean_author(
        Author(
            external_id=account.external_id,
            handle=account.handle,
            display_name=account.display_name,
            url=account.url,
        ),
        source.network,
        source.instance,
    )
    key = (profile.network, profile.instance, profile.external_id)
    store_identities(session, source.brand_id, [profile], now, own=frozenset({key}))


def _get(session: Session, source_id: int) -> Source:
    source = get_source(session, source_id, for_update=True)
    if source is None:
        raise NotFoundError("This source does not exist.", log_message=f"no source {source_id}")
    return source


def _note(
    session: Session, source: Source, action: str, before: SourceState, now: datetime, user_id: int | None
) -> None:
    audit.record(
        session,
        now=now,
        action=action,
        entity="source",
        entity_id=source.id,
        user_id=user_id,
        before={"state": before.value},
        after={"state": source.state.value},
    )

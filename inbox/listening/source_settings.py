"""A stored source's settings: put together again for a form or a query, and changed after its network agreed."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from connectors.base import Account, Connector
from inbox.errors import NotFoundError
from inbox.listening.sources import resume_source, split_secrets
from inbox.store.queries.sources import get_source
from inbox.store.secrets import Vault
from inbox.store.tables import Source
from inbox.store.types import SourceState


def stored_settings(source: Source, vault: Vault) -> dict[str, Any]:
    """Give a source's settings with its secrets: for a connector, never for a page."""
    secrets = vault.decrypt(source.secrets) if source.secrets else {}
    return {**source.config, **secrets}


def update_source(
    session: Session,
    vault: Vault,
    source_id: int,
    *,
    connector: Connector,
    account: Account | None,
    now: datetime,
    user_id: int | None = None,
) -> Source:
    """Keep new settings of a source whose connector was checked; what had stopped it is over. The caller commits.

    With another account, server or query the saved position no longer fits: reading starts anew.
    """
    source = get_source(session, source_id, for_update=True)
    if source is None:
        raise NotFoundError("This source does not exist.", log_message=f"no source {source_id}")
    config, secrets = split_secrets(connector)
    account_id = account.external_id if account else None
    if account_id != source.account_id or any(
        config.get(name) != source.config.get(name) for name in ("query", "api_url", "server")
    ):
        source.cursor, source.has_synced = None, False
    source.config = config
    source.secrets = vault.encrypt(secrets) if secrets else None
    source.account_id = account_id
    source.account_handle = account.handle if account else None
    if source.state not in {SourceState.OK, SourceState.PAUSED}:
        resume_source(session, source_id, now, user_id=user_id)
    session.flush()
    return source

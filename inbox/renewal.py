"""Renewing credentials that run out: by one process at a time, stored before they are used.

A network that rotates its tokens takes each refresh token once; two processes must not both spend it, and the new
pair must be on the disk before anything else happens. Sources that hold the same pair get the new one together.
"""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from connectors.base import Clock, Connector
from connectors.errors import AuthError, ConnectorError, TransientError
from inbox.store.engine import Store
from inbox.store.queries.sources import get_source, lock_network
from inbox.store.secrets import SecretsError, Vault
from inbox.store.statements import insert_ignoring
from inbox.store.tables import RateBucket, Source

log = structlog.get_logger(__name__)
LEASE = timedelta(minutes=2)  # longer than a call can last: a process that died within it blocks nobody for long
LONGEST_WAIT = 30.0  # seconds, for another process's renewal
_STEP = 0.2
_PREFIX = "renewal:"


def renew_access(
    store: Store,
    vault: Vault,
    source: Source,
    connector: Connector,
    held: Mapping[str, str],
    *,
    account: str,
    clock: Clock,
) -> Mapping[str, str] | None:
    """Give a source's credentials as they should be tried next; None when those `held` are all there is.

    Call it after AuthError, outside any transaction. Another's newer ones are taken as they are. AuthError when the
    network refuses to renew, TransientError when it could not be asked.
    """
    key = f"{_PREFIX}{account}"
    deadline = time.monotonic() + LONGEST_WAIT
    while True:
        with store.write() as session:
            lease = _lock_lease(session, key, clock())
            # Read under the lease's lock: whoever held it before has stored what was renewed.
            stored = _stored(session, vault, source.id, held)
            if stored != held:
                return stored
            is_ours = lease.blocked_until is None or lease.blocked_until <= clock()
            if is_ours:
                lease.blocked_until = clock() + LEASE
        if is_ours:
            break
        if time.monotonic() > deadline:
            raise TransientError("The access to this account is being renewed; trying again soon.")
        time.sleep(_STEP)
    try:
        new = _ask(connector)
        if new is None:
            return None
        with store.write(durable=True) as session:
            stored = _store(session, vault, source, held, new)
    finally:
        with store.write() as session:
            _lock_lease(session, key, clock()).blocked_until = None
    log.info("source.access_renewed", source=source.id)
    return stored


def _ask(connector: Connector) -> Mapping[str, str] | None:
    try:
        return connector.renew()
    except ConnectorError as error:
        if isinstance(error, AuthError):
            raise
        raise TransientError("The access to this account could not be renewed just now.") from error


def _stored(session: Session, vault: Vault, source_id: int, held: Mapping[str, str]) -> Mapping[str, str]:
    source = get_source(session, source_id)
    return vault.decrypt(source.secrets) if source is not None and source.secrets else held


def _lock_lease(session: Session, key: str, now: datetime) -> RateBucket:
    insert_ignoring(session, RateBucket, [{"key": key, "tokens": 0.0, "refilled_at": now}], ("key",))
    return session.get_one(RateBucket, key, with_for_update=True, populate_existing=True)


def _store(
    session: Session, vault: Vault, source: Source, held: Mapping[str, str], new: Mapping[str, str]
) -> Mapping[str, str]:
    # A person may have entered other credentials meanwhile: those stay.
    result: Mapping[str, str] = {**held, **new}
    for one in lock_network(session, source.network):
        try:
            secrets = vault.decrypt(one.secrets or "")
        except SecretsError:
            continue
        if all(secrets.get(name) == held.get(name) for name in new):
            secrets |= new
            one.secrets = vault.encrypt(secrets)
        if one.id == source.id:
            result = secrets
    return result

"""Changes the key of the encrypted credentials without a moment in which one cannot be read."""

from dataclasses import dataclass
from datetime import datetime

from cryptography.fernet import Fernet

from config.settings import Settings
from inbox import audit
from inbox.store.engine import Store
from inbox.store.queries.secrets import encrypted_values, sources_with_secrets
from inbox.store.secrets import SecretsError, Vault, configured_keys, key_path, read_or_create_keys, write_keys


@dataclass(frozen=True, slots=True)
class RotationReport:
    """What a rotation did: the newest key's fingerprint, credentials encrypted with it, keys still kept."""

    fingerprint: str
    encrypted: int
    keys: int


def rotate_keys(store: Store, settings: Settings, *, now: datetime, drop_old: bool) -> RotationReport:
    """Add a new key (or with `drop_old` none), encrypt everything with the newest, then forget old ones if asked.

    The new key is on the disk before anything is encrypted with it, and an old one is forgotten only after the
    commit. Keys given by the setting secret_keys are changed there by hand; this then encrypts with the first.
    """
    given = configured_keys(settings)
    path = key_path(settings)
    keys = given or read_or_create_keys(path)
    if not given and not drop_old:
        keys = (Fernet.generate_key().decode("ascii"), *keys)
        write_keys(path, keys, replace=True)
    vault = Vault(keys)
    with store.write(durable=True) as session:
        sources = sources_with_secrets(session)
        for source in sources:
            source.secrets = vault.rotate(source.secrets or "")
        for value in encrypted_values(session):
            value.value = vault.rotate(value.value)
        audit.record(
            session,
            now=now,
            action="secrets.rotated",
            entity="installation",
            entity_id=None,
            after={"key": vault.fingerprint, "credentials": len(sources)},
        )
    if drop_old:
        if given and len(given) > 1:
            raise SecretsError(
                "The keys come from ASCOLTO_SECRET_KEYS: everything is encrypted with the first of them now; "
                "remove the others there."
            )
        if not given:
            keys = keys[:1]
            write_keys(path, keys, replace=True)
    return RotationReport(vault.fingerprint, len(sources), len(keys))

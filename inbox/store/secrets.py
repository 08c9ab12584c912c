"""Secrets at rest: sources' credentials, encrypted with keys that live outside the database.

The keys are Fernet keys, newest first: the first encrypts, all decrypt, so that a key can be changed without
a moment in which something cannot be read (`ascolto secrets rotate`).
"""

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from config.settings import Settings

KEY_FILE = "secret.key"
OWNER_ONLY = 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class SecretsError(Exception):
    """Secrets cannot be read or kept; the message says why and what to do, and holds no secret."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Vault:
    """Encrypts and decrypts small dictionaries of secrets; `keys` are Fernet keys, newest first."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise SecretsError("No secret key is given: set ASCOLTO_SECRET_KEYS or run `ascolto init`.")
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except (ValueError, TypeError) as error:
            raise SecretsError(
                "A secret key is malformed: a Fernet key is 44 characters of URL-safe base64. "
                "Look at ASCOLTO_SECRET_KEYS or at secret.key in the data folder."
            ) from error
        self._keys = tuple(keys)

    def __repr__(self) -> str:
        return f"Vault(keys={len(self._keys)}, fingerprint={self.fingerprint})"

    @property
    def fingerprint(self) -> str:
        """Name the newest key without giving it away: 16 hexadecimal digits of its SHA-256."""
        return key_fingerprint(self._keys[0])

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Fingerprints of all keys, newest first."""
        return tuple(key_fingerprint(key) for key in self._keys)

    def encrypt(self, secrets: Mapping[str, str]) -> str:
        """Give the secrets as one encrypted text."""
        return self._fernet.encrypt(json.dumps(dict(secrets)).encode()).decode("ascii")

    def decrypt(self, token: str) -> dict[str, str]:
        """Give the secrets back; SecretsError when no key fits."""
        try:
            content = json.loads(self._fernet.decrypt(token.encode()))
        except (InvalidToken, UnicodeEncodeError) as error:
            raise SecretsError(_wrong_key(self.fingerprints)) from error
        return {str(name): str(value) for name, value in content.items()}

    def rotate(self, token: str) -> str:
        """Encrypt the same secrets with the newest key; SecretsError when no key fits."""
        try:
            return self._fernet.rotate(token.encode()).decode("ascii")
        except (InvalidToken, UnicodeEncodeError) as error:
            raise SecretsError(_wrong_key(self.fingerprints)) from error


def load_vault(settings: Settings) -> Vault:
    """Open the vault with the keys of the settings, or of the key file, which is made on first use."""
    return Vault(configured_keys(settings) or read_or_create_keys(key_path(settings)))


def key_path(settings: Settings) -> Path:
    """Where the key file stands when the settings hold no keys."""
    return settings.data_dir / KEY_FILE


def configured_keys(settings: Settings) -> tuple[str, ...]:
    """Keys of the setting secret_keys, newest first; empty when the key file is in use."""
    return tuple(key.strip() for key in settings.secret_keys.get_secret_value().split(",") if key.strip())


def read_keys(path: Path) -> tuple[str, ...]:
    """Keys of a key file, one a line, newest first; lines that start with # are comments."""
    try:
        lines = path.read_text("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise SecretsError(f"{path} is no key file; restore it from where you keep it safe.") from error
    except OSError as error:
        raise SecretsError(f"{path} cannot be read: {error.strerror}.") from error
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def read_or_create_keys(path: Path) -> tuple[str, ...]:
    """Read the key file; make it with one new key (mode 0600) when there is none yet."""
    if not path.exists():
        with contextlib.suppress(FileExistsError):  # another process was first: its key counts
            write_keys(path, [Fernet.generate_key().decode("ascii")], replace=False)
    return read_keys(path)


def write_keys(path: Path, keys: Sequence[str], *, replace: bool) -> None:
    """Write a key file whole or not at all, readable by its owner only, on the disk before this returns.

    Without `replace`, FileExistsError is raised when there is one already.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write("".join(f"{key}\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        if replace:
            partial.replace(path)
        else:
            os.link(partial, path)  # fails when it exists, so that two first starts agree on one key
    except FileExistsError:
        raise
    except OSError as error:
        raise SecretsError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)


def is_readable_by_others(path: Path) -> bool:
    """Whether anybody but the owner may touch the key file."""
    return bool(path.stat().st_mode & _OTHERS)


def key_fingerprint(key: str) -> str:
    """Name a key without giving it away."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _wrong_key(fingerprints: Sequence[str]) -> str:
    return (
        "These secrets were encrypted with another key than the one in use "
        f"({', '.join(fingerprints)}). Put back the secret.key (or ASCOLTO_SECRET_KEYS) that belongs to this "
        "database, or enter the credentials of the sources again."
    )

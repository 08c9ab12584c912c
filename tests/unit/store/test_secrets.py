"""Secrets at rest: what the vault gives back, refuses and never shows."""

import os
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from config.settings import Settings
from inbox.store.secrets import SecretsError, Vault, key_path, load_vault, read_keys, write_keys


def new_key() -> str:
    return Fernet.generate_key().decode()


def test_vault_gives_back_what_it_was_given() -> None:
    vault = Vault([new_key()])
    secrets = {"token": "così-segreto 🔑", "empty": ""}
    assert vault.decrypt(vault.encrypt(secrets)) == secrets


def test_encrypted_text_shows_nothing() -> None:
    assert "segreto" not in Vault([new_key()]).encrypt({"token": "segreto"})


def test_wrong_key_is_refused_in_words() -> None:
    token = Vault([new_key()]).encrypt({"token": "a"})
    with pytest.raises(SecretsError, match="another key"):
        Vault([new_key()]).decrypt(token)


@pytest.mark.parametrize("damaged", ["", "gAAAA", "é\ud800"])
def test_damaged_token_is_refused_in_words(damaged: str) -> None:
    vault = Vault([new_key()])
    with pytest.raises(SecretsError):
        vault.decrypt(damaged)
    with pytest.raises(SecretsError):
        vault.rotate(damaged)


def test_rotation_reads_old_and_writes_new() -> None:
    old, new = new_key(), new_key()
    token = Vault([old]).encrypt({"token": "a"})
    rotated = Vault([new, old]).rotate(token)
    assert Vault([new]).decrypt(rotated) == {"token": "a"}


@pytest.mark.parametrize("keys", [[], ["short"], ["é" * 44]])
def test_unusable_keys_are_refused_in_words(keys: list[str]) -> None:
    with pytest.raises(SecretsError):
        Vault(keys)


def test_vault_does_not_print_its_keys() -> None:
    key = new_key()
    assert key not in repr(Vault([key]))


def test_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    first, second = load_vault(settings), load_vault(settings)
    assert second.decrypt(first.encrypt({"a": "b"})) == {"a": "b"}
    mode = stat.S_IMODE(os.stat(key_path(settings)).st_mode)  # noqa: PTH116 - the mode is the point
    assert mode == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret.key"]


def test_configured_keys_leave_no_key_file(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, secret_keys=f" {new_key()} , {new_key()} ")
    assert len(load_vault(settings).fingerprints) == 2
    assert not key_path(settings).exists()


def test_key_file_ignores_comments_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_text(f"# made by hand\n\n{new_key()}\n")
    assert len(read_keys(path)) == 1


def test_unreadable_key_file_is_said_in_words(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SecretsError, match="no key file"):
        read_keys(path)
    with pytest.raises(SecretsError, match="cannot be read"):
        read_keys(tmp_path)


def test_key_file_is_never_overwritten_by_accident(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    write_keys(path, [new_key()], replace=False)
    kept = path.read_text()
    with pytest.raises(FileExistsError):
        write_keys(path, [new_key()], replace=False)
    assert path.read_text() == kept

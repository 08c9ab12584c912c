"""The key of tombstones: made once, the same after a rotation of keys, and used wherever posts come in."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from ascolto.jobs import handlers
from ascolto.key_rotation import rotate_keys
from config.settings import Settings
from connectors.fake import FakeNetwork
from inbox.listening.tombstones import bury, post_digest, tombstone_key
from inbox.store.engine import Store
from inbox.store.queries.secrets import TOMBSTONE_KEY
from inbox.store.secrets import SecretsError, Vault, load_vault
from inbox.store.tables import Post, SystemValue
from tests.conftest import FakeClock
from tests.jobs_factory import add_fake_source, make_house


def test_the_key_survives_a_change_of_keys(store: Store, tmp_path: Path, clock: FakeClock) -> None:
    settings = Settings(data_dir=tmp_path)
    with store.write() as session:
        key = tombstone_key(session, load_vault(settings), clock())
    rotate_keys(store, settings, now=clock(), drop_old=False)
    rotate_keys(store, settings, now=clock(), drop_old=True)
    with store.write() as session:
        assert tombstone_key(session, load_vault(settings), clock()) == key
        assert key.hex() not in session.get_one(SystemValue, TOMBSTONE_KEY).value
    assert len(key) == 32


def test_a_key_that_cannot_be_opened_is_replaced_only_while_nothing_needs_it(store: Store, clock: FakeClock) -> None:
    first, second = (Vault([Fernet.generate_key().decode()]) for _ in range(2))
    with store.write() as session:
        before = tombstone_key(session, first, clock())
        after = tombstone_key(session, second, clock())
        assert before != after == tombstone_key(session, second, clock())
        bury(session, 1, [post_digest(after, "x", "", "1")], clock())
        with pytest.raises(SecretsError):
            tombstone_key(session, first, clock())


def test_a_poll_brings_nothing_back(store: Store, tmp_path: Path, clock: FakeClock) -> None:
    network = FakeNetwork("erased")
    house = make_house(store, tmp_path, clock=clock)
    source = add_fake_source(house, "erased")
    kept = network.add_post("anna", "resta", created_at=clock())
    gone = network.add_post("bruno", "sparisce", created_at=clock())
    with store.write() as session:
        bury(session, source.brand_id, [post_digest(house.tombstone_key, "fake", "", gone)], clock())
    handlers.poll(house, source.id)
    with store.read() as session:
        assert session.scalars(sa.select(Post.external_id)).all() == [kept]

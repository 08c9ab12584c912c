"""Sources on both databases: secrets apart, accounts known as ours, paused and resumed, previewed."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from connectors.base import Account, Capabilities, Connector, ConnectorConfig, Page, SourceKind
from connectors.query import ListeningQuery
from connectors.registry import Registry
from connectors.transport import Transport
from inbox.access import connector_of
from inbox.errors import ConflictError, NotFoundError
from inbox.listening.sources import create_source, pause_source, preview_query, resume_source
from inbox.store.engine import Store
from inbox.store.queries.sources import list_due_sources
from inbox.store.secrets import Vault
from inbox.store.tables import Identity, Source
from inbox.store.types import SourceState
from tests.listening_factory import NOW, add_brand, fetched


class PlainConfig(ConnectorConfig):
    """Settings with a secret."""

    token: SecretStr
    page_name: str = ""


class Plain(Connector):
    """A network with a handful of posts."""

    network = "plain"
    title = "Plain"
    config_class = PlainConfig

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(can_search=True, cost_per_post_micros=5000)

    def check(self) -> Account:
        return Account("42", "cafflino", "Cafflino")

    def fetch(self, cursor: str | None, limit: int) -> Page:
        texts = ["caffè ottimo", "un caffè", "caffettiera"][:limit]
        posts = tuple(
            fetched(str(n), text, network="plain", created_at=NOW - timedelta(minutes=30 * (3 - n)))
            for n, text in enumerate(texts)
        )
        return Page(posts, cursor or "1", more=False)


@pytest.fixture
def plain() -> Plain:
    config = PlainConfig(
        token=SecretStr("s3cret"), page_name="bar", kind=SourceKind.QUERY, query=ListeningQuery(any_of=("caffè",))
    )
    return Plain(config, transport=Transport())


@pytest.fixture
def ours(plain: Plain) -> Plain:
    return Plain(plain.config.model_copy(update={"kind": SourceKind.OWN, "query": None}), transport=Transport())


def create(store: Store, vault: Vault, plain: Plain) -> int:
    with store.write() as session:
        brand = add_brand(session)
        source = create_source(
            session, vault, brand_id=brand.id, connector=plain, name="caffè", account=plain.check(),
            poll_seconds=60, can_publish=False, now=NOW,
        )  # fmt: skip
        return source.id


def test_secrets_are_kept_apart_and_encrypted(store: Store, vault: Vault, plain: Plain) -> None:
    source_id = create(store, vault, plain)
    with store.read() as session:
        source = session.get_one(Source, source_id)
        assert "token" not in source.config
        assert "s3cret" not in f"{source.config}{source.secrets}"
        assert source.kind == "query"
        registry = Registry()
        registry.register(Plain)
        opened = connector_of(
            source, store=store, registry=registry, vault=vault, transport=Transport(), clock=lambda: NOW
        )
    assert isinstance(opened.config, PlainConfig)
    assert opened.config == plain.config


def test_what_a_query_reads_is_not_taken_for_us(store: Store, vault: Vault, plain: Plain) -> None:
    create(store, vault, plain)
    with store.read() as session:
        assert session.scalars(sa.select(Identity.id)).all() == []
        assert session.scalars(sa.select(Source.account_id)).one() is None


def test_the_account_is_known_as_ours(store: Store, vault: Vault, ours: Plain) -> None:
    create(store, vault, ours)
    with store.read() as session:
        identity = session.scalars(sa.select(Identity)).one()
        assert (identity.external_id, identity.handle, identity.is_own) == ("42", "cafflino", True)


def test_a_name_is_taken_once(store: Store, vault: Vault, plain: Plain) -> None:
    create(store, vault, plain)
    with store.read() as session:
        brand_id = session.scalars(sa.select(Source.brand_id)).one()

    def create_again() -> None:
        with store.write() as session:
            create_source(
                session, vault, brand_id=brand_id, connector=plain, name="caffè", account=None,
                poll_seconds=60, can_publish=False, now=NOW,
            )  # fmt: skip

    with pytest.raises(ConflictError):
        create_again()


def test_pausing_and_resuming(store: Store, vault: Vault, plain: Plain) -> None:
    source_id = create(store, vault, plain)
    with store.write() as session:
        assert list_due_sources(session, NOW) == [source_id]
        pause_source(session, source_id, NOW)
        assert list_due_sources(session, NOW) == []
        resume_source(session, source_id, NOW)
        assert session.get_one(Source, source_id).state is SourceState.OK
        assert list_due_sources(session, NOW) == [source_id]
        with pytest.raises(NotFoundError):
            pause_source(session, 999, NOW)


def test_a_preview_tells_rate_doubts_and_cost(plain: Plain) -> None:
    preview = preview_query(plain)
    assert [post.external_id for post in preview.posts] == ["2", "1", "0"]
    assert preview.per_hour == pytest.approx(2.0)
    assert [post.text for post in preview.doubtful] == ["caffettiera"]
    assert preview.cost_micros_month == 2 * 730 * 5000
    alone = preview_query(plain, limit=1)
    assert (alone.per_hour, alone.cost_micros_month) == (None, None)

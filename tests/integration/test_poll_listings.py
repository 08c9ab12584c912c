"""The first sync of sources with several listings: each goes back as far as it may, none brings old posts later."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ascolto.demo.town import Town
from connectors.base import Limits, utc_now
from connectors.query import ListeningQuery
from inbox.listening.poll import poll_source
from inbox.store.engine import Store
from inbox.store.tables import Post
from tests.contract.test_connector_facebook import PageWorld
from tests.contract.test_connector_mastodon import QueryWorld
from tests.contract.test_connector_reddit import CommunityWorld
from tests.listening_factory import set_up

OLD = timedelta(days=30)
World = PageWorld | CommunityWorld | QueryWorld


def fill_reddit(world: World) -> set[str]:
    """One old item in each listing, and one of yesterday in some of them; gives the recent ones."""
    network, old, recent = world.network, utc_now() - OLD, utc_now() - timedelta(days=1)
    ours = network.add_post("brand", "Regole", place="brandhelp", title="Regole", created_at=old)
    network.add_post("anna", "u/brand vecchia menzione", parent_id=ours, created_at=old + timedelta(minutes=1))
    answered = network.add_post("brand", "Eccoci", parent_id=ours, created_at=old + timedelta(minutes=2))
    network.add_post("anna", "vecchia risposta", parent_id=answered, created_at=old + timedelta(minutes=3))
    return {
        network.add_post("anna", "nuova risposta", parent_id=answered, created_at=recent),
        network.add_post("anna", "Nuova domanda", place="brandhelp", title="Aiuto", created_at=recent),
    }


def fill_facebook(world: World) -> set[str]:
    """Old posts in the feed and among the tags, an old comment, and recent ones of each."""
    network, old, recent = world.network, utc_now() - OLD, utc_now() - timedelta(days=1)
    ours = network.add_post("brand", "Vecchio", place="brand", created_at=old)
    network.add_post("anna", "commento vecchio", parent_id=ours, created_at=old)
    network.add_post("bruno", "tag vecchio", extra={"tags": "brand"}, created_at=old)
    return {
        network.add_post("anna", "commento nuovo", parent_id=ours, created_at=recent),
        network.add_post("anna", "post nuovo", place="brand", created_at=recent),
        network.add_post("bruno", "tag nuovo", extra={"tags": "brand"}, created_at=recent),
    }


def fill_mastodon(world: World) -> set[str]:
    """Many old posts in each list of a query, and one of yesterday in each."""
    network, old, recent = world.network, utc_now() - OLD, utc_now() - timedelta(days=1)
    for number in range(15):
        network.add_post("anna", f"vecchio #acme {number}", created_at=old + timedelta(minutes=number))
        network.add_post("anna", f"vecchio #caffè {number}", created_at=old + timedelta(minutes=number))
    return {
        network.add_post("anna", "nuovo #acme", created_at=recent),
        network.add_post("anna", "nuovo #caffè", created_at=recent),
    }


class ListsWorld(QueryWorld):
    """A query of several lists: two hashtags, two searches."""

    def __init__(self, town: Town) -> None:
        super().__init__(town)
        self.config = self.config.model_copy(update={"query": ListeningQuery(any_of=("acme", "caffè"))})


CASES = [(CommunityWorld, fill_reddit), (PageWorld, fill_facebook), (ListsWorld, fill_mastodon)]


def stored(store: Store) -> set[str]:
    with store.read() as session:
        return set(session.scalars(sa.select(Post.external_id)))


@pytest.mark.parametrize(("make_world", "fill"), CASES)
def test_each_listing_goes_back_as_far_as_it_may(
    sqlite_store: Store, town: Town, make_world: type[World], fill: Callable[[World], set[str]]
) -> None:
    world = make_world(town)
    wanted = fill(world)
    _, source_id = set_up(sqlite_store, network=world.network.name)
    for _ in range(3):
        poll_source(
            sqlite_store,
            source_id,
            connector_of=lambda _source: world.connector(),
            limits=Limits(page_size=10),
            clock=utc_now,
        )
        assert stored(sqlite_store) == wanted


@pytest.mark.parametrize(("make_world", "fill"), CASES)
def test_a_first_sync_cut_short_brings_nothing_old_later(
    sqlite_store: Store, town: Town, make_world: type[World], fill: Callable[[World], set[str]]
) -> None:
    world = make_world(town)
    recent = fill(world)
    _, source_id = set_up(sqlite_store, network=world.network.name)
    limits = Limits(page_size=10, pages=1)
    poll_source(sqlite_store, source_id, connector_of=lambda _source: world.connector(), limits=limits, clock=utc_now)
    new = world.say("detto adesso")
    for _ in range(8):
        poll_source(
            sqlite_store,
            source_id,
            connector_of=lambda _source: world.connector(),
            limits=Limits(page_size=10),
            clock=utc_now,
        )
    assert new in stored(sqlite_store)
    assert stored(sqlite_store) <= {*recent, new}

"""The registry: entry points, loaded when used; missing libraries and wrong settings in words."""

from importlib.metadata import EntryPoint

import pytest
from pydantic import ValidationError

from connectors.base import Connector
from connectors.errors import MissingExtraError
from connectors.fake import FakeConnector
from connectors.registry import ENTRY_POINTS, Registry, UnknownNetworkError, load_registry
from connectors.transport import Transport

OURS = ["archive", "facebook", "mastodon", "reddit", "rss", "x"]


def test_all_our_networks_are_there_and_load() -> None:
    registry = load_registry()
    assert set(OURS) <= set(registry.names())
    for name in OURS:
        connector_class = registry.get(name)
        assert issubclass(connector_class, Connector)
        assert connector_class.network == name
        assert "api_url" in connector_class.config_class.model_fields


def test_every_setting_says_what_it_is() -> None:
    registry = load_registry()
    for name in OURS:
        for field, info in registry.get(name).config_class.model_fields.items():
            assert info.description, f"{name}.{field} has no description for its form"


def test_unknown_network_names_the_known_ones() -> None:
    with pytest.raises(UnknownNetworkError, match="mastodon"):
        load_registry().get("myspace")


def test_missing_library_names_the_cure() -> None:
    registry = Registry()
    registry.register_entry_point(EntryPoint("far", "no_such_library_here:Connector", ENTRY_POINTS))
    with pytest.raises(MissingExtraError, match="no_such_library_here"):
        registry.get("far")


def test_entry_point_that_gives_no_connector_is_refused() -> None:
    registry = Registry()
    registry.register_entry_point(EntryPoint("odd", "json:loads", ENTRY_POINTS))
    with pytest.raises(UnknownNetworkError, match="json:loads"):
        registry.get("odd")


def test_create_validates_settings() -> None:
    registry = Registry()
    registry.register(FakeConnector)
    connector = registry.create("fake", {"world": "w"}, transport=Transport())
    assert isinstance(connector, FakeConnector)
    with pytest.raises(ValidationError, match="wrold"):
        registry.create("fake", {"wrold": "w"}, transport=Transport())

"""Which networks exist: the entry points "ascolto.connectors" of everything installed, loaded when used."""

import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from connectors.base import Clock, Connector, utc_now
from connectors.errors import MissingExtraError
from connectors.transport import Transport

ENTRY_POINTS = "ascolto.connectors"
OWN_DISTRIBUTION = "ascolto"


class UnknownNetworkError(LookupError):
    """No connector of this name is installed; the message names those that are."""


class Registry:
    """Connectors by the name of their network. Nothing is imported before it is asked for."""

    def __init__(self) -> None:
        self._classes: dict[str, type[Connector]] = {}
        self._entry_points: dict[str, EntryPoint] = {}

    def names(self) -> list[str]:
        """Networks that can be used, sorted."""
        return sorted({*self._classes, *self._entry_points})

    def register(self, connector_class: type[Connector]) -> None:
        """Add a connector class, or put it in the place of one of the same network."""
        self._classes[connector_class.network] = connector_class

    def register_entry_point(self, entry_point: EntryPoint) -> None:
        """Add a connector that is imported at first use. No plug-in displaces a network of our own."""
        known = self._entry_points.get(entry_point.name)
        if known is not None and known.dist is not None and known.dist.name.lower() == OWN_DISTRIBUTION:
            return
        self._entry_points[entry_point.name] = entry_point

    def get(self, network: str) -> type[Connector]:
        """Give a network's class. UnknownNetworkError, or MissingExtraError if its library is absent."""
        if network in self._classes:
            return self._classes[network]
        entry_point = self._entry_points.get(network)
        if entry_point is None:
            raise UnknownNetworkError(f"no connector for {network!r}; installed: {', '.join(self.names())}")
        try:
            loaded = entry_point.load()
        except ImportError as error:
            missing = error.name or "a library"
            raise MissingExtraError(
                f"{network} needs {missing}, which is not installed: pip install 'ascolto[{network}]'"
            ) from error
        if not (isinstance(loaded, type) and issubclass(loaded, Connector)):
            raise UnknownNetworkError(f"entry point {network!r} gives no Connector class: {entry_point.value}")
        self._classes[network] = loaded
        return loaded

    def create(
        self, network: str, config: Mapping[str, object], *, transport: Transport, clock: Clock = utc_now
    ) -> Connector:
        """Build a connector from stored settings; pydantic's ValidationError passes, naming the field."""
        connector_class = self.get(network)
        return connector_class(
            connector_class.config_class.model_validate(dict(config)), transport=transport, clock=clock
        )


def load_registry() -> Registry:
    """Give a registry of everything installed."""
    registry = Registry()
    for entry_point in (*_checkout_entry_points(), *entry_points(group=ENTRY_POINTS)):
        registry.register_entry_point(entry_point)
    return registry


def _checkout_entry_points() -> Iterator[EntryPoint]:
    """Give our own entry points from pyproject.toml, for a checkout that runs without being installed."""
    path = Path(__file__).parent.parent / "pyproject.toml"
    if not path.is_file():
        return
    project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    if project.get("name") == OWN_DISTRIBUTION:
        for name, value in project.get("entry-points", {}).get(ENTRY_POINTS, {}).items():
            yield EntryPoint(name, value, ENTRY_POINTS)

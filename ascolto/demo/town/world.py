"""The contract suite's world over the town: real client libraries, real HTTP, real faults."""

from collections.abc import Mapping
from typing import Any

from ascolto.demo.town import Fault, Town, TownNetwork
from connectors.base import Connector
from connectors.contract_world import World
from connectors.transport import Transport

# A town that hangs is waited for briefly; any other for so long that a busy machine is not taken for a silent one.
HANGING_SECONDS = 2.0
TIMEOUT_SECONDS = 15.0


class TownWorld(World):
    """Orders to one network of a town. Subclasses say how people speak to us there.

    `reads` and `writes` are the (method, path) patterns of calls that `break_calls` breaks.
    """

    reads: tuple[str, str] = ("GET", "")
    writes: tuple[str, str] = ("POST", "")
    longest_seconds: float = 40.0

    def __init__(
        self, town: Town, network: TownNetwork, connector_class: type[Connector], config: Mapping[str, Any]
    ) -> None:
        self.town = town
        self.network = network
        self.connector_class = connector_class
        self.config = connector_class.config_class.model_validate(config)
        self.secret_words: tuple[str, ...] = ()
        self._is_hanging = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """Give the words that must not be shown."""
        return self.secret_words

    def connector(self) -> Connector:
        """Give a new connector, with a short time-out while the town hangs."""
        seconds = HANGING_SECONDS if self._is_hanging else TIMEOUT_SECONDS
        return self.connector_class(self.config, transport=Transport(timeout_seconds=seconds))

    def say(self, text: str, *, parent_id: str | None = None) -> str:
        """Let Anna speak."""
        return self.network.add_post("anna", text, parent_id=parent_id)

    def request_count(self) -> int:
        """How many requests the town has had."""
        return len(self.town.requests)

    def break_calls(self, kind: str, *, writes: bool = False) -> None:
        """Break calls as the contract asks."""
        method, path = self.writes if writes else self.reads
        commits, _, then = kind.partition("commit_then_")
        fault = Fault(
            kind="commit_then_fail" if then else commits,
            then=then or "reset",
            network=self.network.name,
            method=method,
            path=path,
            times=-1,
            retry_after=7,
            hang_seconds=60,
        )
        self._is_hanging = kind.endswith("hang")
        self.town.faults.add(fault)

    def heal(self) -> None:
        """Lift all faults."""
        self._is_hanging = False
        self.town.faults.clear()

    def edit(self, external_id: str, text: str) -> None:
        """Change a post."""
        self.network.edit_post(external_id, text)

    def delete(self, external_id: str) -> None:
        """Delete a post."""
        self.network.delete_post(external_id)

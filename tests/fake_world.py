"""The contract suite's world over an in-memory network."""

from itertools import count

from connectors.base import Connector
from connectors.contract import World
from connectors.fake import OWN_HANDLE, FakeConfig, FakeConnector, FakeNetwork
from connectors.transport import Transport

_names = count(1)
SECRET = "geheim-4711"


class FakeWorld(World):
    """Orders to a FakeNetwork; `connector_class` may be a broken variant."""

    def __init__(self, connector_class: type[FakeConnector] = FakeConnector, *, can_reply: bool = True) -> None:
        self.network = FakeNetwork(f"fake-{next(_names)}")
        self.connector_class = connector_class
        self.config = FakeConfig.model_validate({"world": self.network.name, "token": SECRET, "can_reply": can_reply})

    @property
    def secrets(self) -> tuple[str, ...]:
        return (SECRET,)

    def connector(self) -> Connector:
        return self.connector_class(self.config, transport=Transport())

    def say(self, text: str, *, parent_id: str | None = None) -> str:
        return self.network.add_post("anna", text, parent_id=parent_id)

    def request_count(self) -> int:
        return self.network.calls

    def break_calls(self, kind: str, *, writes: bool = False) -> None:
        self.network.broken["writes" if writes else "reads"] = kind

    def heal(self) -> None:
        self.network.broken.clear()

    def answers(self, external_id: str) -> list[str]:
        return [post.text for post in self.network.replies_to(external_id) if post.author.handle == OWN_HANDLE]

    def edit(self, external_id: str, text: str) -> None:
        self.network.edit(external_id, text)

    def delete(self, external_id: str) -> None:
        self.network.delete(external_id)

    def spoil(self) -> None:
        self.network.add_unreadable()

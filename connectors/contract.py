"""The contract suite every connector must pass; plug-in authors import it, pytest runs it.

    from connectors.contract import ConnectorContract, World

    class TestMyNetwork(ConnectorContract):
        @pytest.fixture
        def world(self) -> MyWorld: ...

`World` (connectors/contract_world.py) is what you write: a network that obeys orders. The promises stand in
contract_reading.py and contract_writing.py, one test each; a network without a feature skips its checks.
"""

from connectors.contract_reading import ReadingContract
from connectors.contract_world import (
    ContractError,
    World,
    expect,
    find_post,
    read_all,
    reference_to,
    skip_unless,
    walk,
)
from connectors.contract_writing import WritingContract

__all__ = [
    "ConnectorContract",
    "ContractError",
    "World",
    "expect",
    "find_post",
    "read_all",
    "reference_to",
    "skip_unless",
    "walk",
]


class ConnectorContract(ReadingContract, WritingContract):
    """All promises of a connector. Subclass it, give a `world` fixture, run pytest."""

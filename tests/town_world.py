"""The contract suite's world over the town, as tests import it."""

from ascolto.demo.town.world import TIMEOUT_SECONDS, TownWorld

__all__ = ["TIMEOUT_SECONDS", "TownWorld"]

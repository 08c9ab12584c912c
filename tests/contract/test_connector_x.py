"""X by the real tweepy over the loopback town: the contract, and X's own traps."""

import pytest

from ascolto.demo.town import Town
from connectors.contract import ConnectorContract
from connectors.x import XConnector
from tests.town_world import TownWorld


class XWorld(TownWorld):
    """People mention @brand; X takes pages of five at least."""

    def __init__(self, town: Town) -> None:
        account = town.x.add_account("brand", "Brand")
        config = {"api_url": f"{town.url}/x", "oauth2_token": "town-x-brand", "account_id": account.id}
        super().__init__(town, town.x, XConnector, config)
        self.secret_words = ("town-x-brand",)

    def say(self, text: str, *, parent_id: str | None = None) -> str:
        return self.network.add_post("anna", f"@brand {text}", parent_id=parent_id)

    def answers(self, external_id: str) -> list[str]:
        return [post.text for post in self.network.replies_to(external_id) if post.author == "brand"]

    def spoil(self) -> None:
        self.network.add_post("anna", "@brand rotto", extra={"json": {"text": None}})


class TestX(ConnectorContract):
    @pytest.fixture
    def world(self, town: Town) -> XWorld:
        return XWorld(town)

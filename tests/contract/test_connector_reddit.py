"""Reddit by the real praw over the loopback town: the contract, and Reddit's own traps."""

import pytest

from ascolto.demo.town import Town
from connectors.contract import ConnectorContract
from connectors.reddit import RedditConnector
from tests.town_world import TownWorld

ACCOUNT = {"client_id": "app", "client_secret": "app-secret", "username": "brand", "password": "town"}


class CommunityWorld(TownWorld):
    """People write in our community: submissions, and comments under them."""

    writes = ("POST", "/api/comment")

    def __init__(self, town: Town) -> None:
        town.reddit.add_account("brand", "Brand")
        config = {"api_url": f"{town.url}/reddit", **ACCOUNT, "communities": ["brandhelp"]}
        super().__init__(town, town.reddit, RedditConnector, config)
        self.secret_words = ("app-secret",)

    def say(self, text: str, *, parent_id: str | None = None) -> str:
        return self.network.add_post(
            "anna", text, parent_id=parent_id, place="brandhelp", title="" if parent_id else "Aiuto"
        )

    def answers(self, external_id: str) -> list[str]:
        return [post.text for post in self.network.replies_to(external_id) if post.author == "brand"]

    def spoil(self) -> None:
        self.network.add_post("anna", "rotto", place="brandhelp", extra={"json": {"created_utc": "yesterday"}})


class InboxWorld(CommunityWorld):
    """People mention u/brand in somebody else's thread."""

    def __init__(self, town: Town) -> None:
        super().__init__(town)
        self.config = self.config.model_copy(update={"communities": ()})
        self.root = self.network.add_post("bruno", "Chi conosce questo marchio?", place="italy", title="Domanda")

    def say(self, text: str, *, parent_id: str | None = None) -> str:
        return self.network.add_post("anna", f"u/brand {text}", parent_id=parent_id or self.root)

    def spoil(self) -> None:
        self.network.add_post("anna", "u/brand", parent_id=self.root, extra={"json": {"body": None}})


class TestRedditCommunity(ConnectorContract):
    @pytest.fixture
    def world(self, town: Town) -> CommunityWorld:
        return CommunityWorld(town)


class TestRedditInbox(ConnectorContract):
    @pytest.fixture
    def world(self, town: Town) -> InboxWorld:
        return InboxWorld(town)

    def test_replies_keep_their_parent(self, world: InboxWorld) -> None:  # type: ignore[override]  # a mention's parent is the thread's root
        reply = world.say("anch'io")
        assert [post.parent_id for post in world.connector().fetch(None, 5).posts] == [world.root]
        assert reply.startswith("t1_")

    def test_thread_is_whole_and_root_first(self, world: InboxWorld) -> None:  # type: ignore[override]  # as above
        branch = world.say("ramo")
        world.say("foglia", parent_id=branch)
        asked = world.connector().fetch(None, 5).posts[0]
        from connectors.contract import reference_to

        thread = world.connector().thread(reference_to(asked))
        assert [post.external_id for post in thread][:2] == [world.root, branch]
        assert len(thread) == 3

"""A house for tests: a real store, an in-memory network and a tagger that knows a few words."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cryptography.fernet import Fernet

from ascolto.web.bus import Bus
from ascolto.wiring import House
from config.settings import Publishing, Settings
from connectors.base import Clock, Limits, utc_now
from connectors.fake import FakeConfig, FakeConnector
from connectors.registry import Registry
from connectors.transport import Transport
from inbox.listening.sources import create_source
from inbox.store.engine import Store
from inbox.store.secrets import Vault
from inbox.store.tables import Source
from nlp.base import INTENTS, Tags, undecided
from tests.topics_factory import WordSpace
from tests.triage_factory import make_brand


class WordTagger:
    """Calls every text Italian and a complaint; raises on texts that hold "broken"."""

    name = "words.v1"

    def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:  # noqa: ARG002 - Tagger's signature
        if any("broken" in text for text in texts):
            raise ValueError("this text breaks the tagger")
        count = len(texts)
        intents = np.zeros((count, len(INTENTS)), dtype=np.float32)
        intents[:, 0] = 0.9
        return Tags(
            languages=("it",) * count,
            language_confidence=np.ones(count, dtype=np.float32),
            sentiment=np.tile(np.array([0.8, 0.1, 0.1], dtype=np.float32), (count, 1)),
            sentiment_unsure=np.zeros(count, dtype=np.bool_),
            intents=intents,
            intents_unsure=np.zeros(count, dtype=np.bool_),
            intent_labels=(("complaint",),) * count,
            **undecided(count),
            entities=((),) * count,
            tagger=self.name,
        )


def make_house(store: Store, folder: Path, *, clock: Clock = utc_now) -> House:
    """A house on this store whose only network is the in-memory one; publishing is live."""
    registry = Registry()
    registry.register(FakeConnector)
    return House(
        settings=Settings(data_dir=folder, publishing=Publishing.LIVE, undo_seconds=0, poll_seconds=5),
        store=store,
        vault=Vault([Fernet.generate_key().decode()]),
        registry=registry,
        transport=Transport(timeout_seconds=2.0),
        clock=clock,
        bus=Bus(),
        limits=Limits(first_posts=500, pages=5),
        load_tagger=lambda _store: WordTagger(),
        load_topic_space=WordSpace,
    )


def add_fake_source(house: House, world: str, *, slug: str = "terrae", poll_seconds: int = 5) -> Source:
    """A source of a brand of ours on the in-memory network of that name."""
    connector = FakeConnector(FakeConfig(world=world), transport=house.transport, clock=house.clock)
    with house.store.write() as session:
        brand = make_brand(session, now=house.clock(), slug=slug)
        return create_source(
            session,
            house.vault,
            brand_id=brand.id,
            connector=connector,
            name=f"fake {world}",
            account=connector.check(),
            poll_seconds=poll_seconds,
            can_publish=True,
            now=house.clock(),
        )

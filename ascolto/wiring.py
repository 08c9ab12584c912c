"""Builds the house: the one place where settings, store, networks, tagger and live events meet."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from ascolto.web.bus import Bus, open_bus
from config.settings import Settings, load_settings
from connectors.base import Clock, Connector, Limits, utc_now
from connectors.registry import Registry, load_registry
from connectors.transport import Transport
from inbox.access import connector_of
from inbox.listening.tombstones import tombstone_key
from inbox.store.engine import Store
from inbox.store.secrets import Vault, load_vault
from inbox.store.tables import Source
from nlp.base import Tagger
from nlp.topics import TopicSpace

if TYPE_CHECKING:
    from nlp.entities import BrandTerms
    from nlp.hub_tagger import HubTagger
    from nlp.pipeline import EmbeddedTagger, Health


@dataclass(frozen=True)
class House:
    """Everything a handler or a screen needs. Built once per process; `tagger` is loaded on first use."""

    settings: Settings
    store: Store
    vault: Vault
    registry: Registry
    transport: Transport
    clock: Clock
    bus: Bus
    limits: Limits
    load_tagger: Callable[[Store], Tagger]
    load_topic_space: Callable[[], TopicSpace | None]

    @cached_property
    def tagger(self) -> Tagger:
        """The tagger, with the brands' terms as they stood when it was first used."""
        return self.load_tagger(self.store)

    def tagger_health(self) -> "Health":
        """Give what reads posts, and why it is not what was asked for. Without a tagger loaded, looks at its files."""
        from nlp.pipeline import Reporting

        loaded = self.__dict__.get("tagger")
        return loaded.health() if isinstance(loaded, Reporting) else self._files_health

    @cached_property
    def _files_health(self) -> "Health":
        from nlp.pipeline import check_model

        return check_model(*model_in_use(self.settings))

    @cached_property
    def topic_space(self) -> TopicSpace | None:
        """Where topics lie; None where the model in use has no such space."""
        return self.load_topic_space()

    def connector_of(self, source: Source) -> Connector:
        """Give the connector of a source, ready to call outside transactions. Raises what its configuration lacks.

        It keeps to the pace of its account, and renews credentials that have run out.
        """
        return connector_of(
            source,
            store=self.store,
            registry=self.registry,
            vault=self.vault,
            transport=self.transport,
            clock=self.clock,
        )

    @cached_property
    def tombstone_key(self) -> bytes:
        """The key of the hashes that keep erased posts from coming back."""
        with self.store.write(durable=True) as session:
            return tombstone_key(session, self.vault, self.clock())

    def close(self) -> None:
        """Let go of connections and live listeners."""
        self.bus.close()
        self.store.dispose()


def build_house(settings: Settings | None = None, *, clock: Clock = utc_now) -> House:
    """Wire everything from the settings. Opens no network connection; the database is opened on first use."""
    chosen = settings or load_settings()
    store = Store(chosen.resolved_database_url)
    return House(
        settings=chosen,
        store=store,
        vault=load_vault(chosen),
        registry=load_registry(),
        transport=Transport(timeout_seconds=chosen.network_timeout_seconds),
        clock=clock,
        bus=open_bus(store),
        limits=Limits(
            first_posts=chosen.first_sync_posts,
            first_days=chosen.first_sync_days,
            pages=chosen.poll_pages,
        ),
        load_tagger=partial(_load_tagger, chosen),
        load_topic_space=_load_topic_space,
    )


def _load_tagger(settings: Settings, store: Store) -> Tagger:
    from inbox.store.queries.brands import read_brand_terms

    with store.read() as session:
        return tagger_of(settings, read_brand_terms(session))


def tagger_of(settings: Settings, terms: "BrandTerms") -> "EmbeddedTagger | HubTagger":
    """Give the tagger that the settings ask for."""
    # Language libraries are heavy: a process that only serves pages never loads them.
    from nlp.pipeline import load_tagger

    model, folder = model_in_use(settings)
    embedded = load_tagger(
        terms=terms,
        model=model,
        folder=folder,
        throughput=settings.nlp_throughput or None,
        share=settings.nlp_share,
    )
    if not settings.nlp_hub_models:
        return embedded
    from nlp.hub_tagger import HubTagger, read_hub_tasks

    label_file = Path(settings.nlp_hub_labels) if settings.nlp_hub_labels else None
    tasks = read_hub_tasks(settings.nlp_hub_models, device=settings.nlp_hub_device, label_file=label_file)
    return HubTagger(embedded, tasks)


def model_in_use(settings: Settings) -> tuple[str, Path | None]:
    """Give the name of the model that the settings ask for, and the folder it lies in (None: the package)."""
    from nlp.pipeline import DEFAULT_MODEL

    path = Path(settings.nlp_model)
    return (path.name or DEFAULT_MODEL, path.parent if len(path.parts) > 1 else None)


def _load_topic_space() -> TopicSpace | None:
    from nlp.pipeline import MODELS, TIER_1
    from nlp.topic_space import load_topic_space

    return load_topic_space(MODELS / TIER_1)

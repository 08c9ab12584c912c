"""Borbotto of Trieste: what its story needs beyond brand.toml. Products, cities, accounts, the three who answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from config.brand import BrandFile, load_brand_file
from inbox.store.types import Role

SLUG = "demo"
NAME = "Borbotto"
TIMEZONE = "Europe/Rome"
PASSWORD = "il-caffe-borbotta"  # noqa: S105 - printed at every start: the demo holds nothing to protect
HISTORY_DAYS = 56
CRISIS_DAYS_AGO = 19  # the Nonna's valve: batch K7
OUTAGE_DAYS_AGO = 33  # Reddit could not be read for two days
OUTAGE_DAYS = 2

SUBREDDIT = "borbotto"
FEED = "chicchi-e-chiacchiere"

MACHINES = ("Uno", "Nonna", "Doppia")
BLENDS = ("Bora", "Barcola", "Carso", "Molo Audace", "Miramare")
CITIES = {
    "it": (
        "Bologna", "Trieste", "Torino", "Bari", "Padova", "Genova", "Palermo", "Firenze", "Verona", "Lecce",
        "Perugia", "Bergamo", "Cagliari", "Udine", "Napoli", "Parma", "Ancona", "Trento", "Pisa", "Catania",
    ),
    "en": (
        "Bristol", "Dublin", "Leeds", "Edinburgh", "Cardiff", "Malta", "Cork", "Brighton", "Glasgow", "Utrecht",
        "Manchester", "Galway", "Oxford", "Lisbon", "Vienna", "York",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Someone who works at Borbotto and signs in to the demo. `signature` ends their public answers."""

    email: str
    name: str
    role: Role
    language: str
    signature: str


PEOPLE = (
    DemoPerson("giulia@borbotto.example", "Giulia Ferrante", Role.ADMIN, "it", "Giulia"),
    DemoPerson("marco@borbotto.example", "Marco Bassi", Role.AGENT, "it", "Marco"),
    DemoPerson("ellen@borbotto.example", "Ellen Hughes", Role.AGENT, "en", "Ellen"),
)


@dataclass(frozen=True, slots=True)
class Rival:
    """A competitor we listen to, on the network where its customers talk."""

    slug: str
    name: str
    handle: str


RIVALS = (
    Rival("vaporina", "Vaporina", "vaporina_it"),
    Rival("tostalba", "Tostalba", "tostalba"),
)

OWN_HANDLES: Mapping[str, str] = {
    "x": "borbotto_it",
    "reddit": "borbotto_team",
    "facebook": "borbotto",
    "mastodon": "borbotto",
}


@lru_cache(maxsize=1)
def brand_file() -> BrandFile:
    """Give Borbotto's brand file, as any brand would have one."""
    return load_brand_file(Path(__file__).with_name("brand.toml"))

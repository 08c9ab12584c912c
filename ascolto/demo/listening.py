"""What Borbotto listens to: its accounts and queries in the town, as sources like any other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ascolto.demo.brand import FEED, OWN_HANDLES, RIVALS, SLUG, SUBREDDIT
from ascolto.demo.town import Town

POLL_SECONDS = 10
MASTODON_HOST = "social.town.example"
_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class DemoSource:
    """A source of the demo. `key` is what the history calls it; `network` also names its connector."""

    key: str
    brand: str
    network: str
    name: str
    settings: Mapping[str, Any]
    poll_seconds: int = POLL_SECONDS
    can_publish: bool = True
    monthly_budget_micros: int | None = None
    instance: str = ""


def plan_sources(town: Town) -> tuple[DemoSource, ...]:
    """Give all sources, pointing at this town. Its accounts move in when they are not there yet."""
    own = {network: _own_account(town, network) for network in OWN_HANDLES}
    x_settings = {
        "api_url": f"{town.url}/x",
        "oauth2_token": town.x.token_for(OWN_HANDLES["x"]),
        "handle": OWN_HANDLES["x"],
    }
    any_handle = {"own_handles": [OWN_HANDLES["x"]]}
    rivals = (
        DemoSource(
            rival.slug, rival.slug, "x", f"{rival.name} on X",
            {**x_settings, "kind": "query", "query": {"any_of": [rival.name, f"#{rival.name}"], **any_handle}},
            poll_seconds=60, can_publish=False, monthly_budget_micros=40 * _MICROS,
        )
        for rival in RIVALS
    )  # fmt: skip
    return (
        DemoSource("x", SLUG, "x", f"X @{OWN_HANDLES['x']}", x_settings, monthly_budget_micros=60 * _MICROS),
        DemoSource(
            "x-search", SLUG, "x", "Borbotto on X",
            {**x_settings, "kind": "query", "query": {"any_of": ["Borbotto", "#Borbotto"], **any_handle}},
            poll_seconds=20, can_publish=False, monthly_budget_micros=80 * _MICROS,
        ),
        DemoSource("facebook", SLUG, "facebook", "Facebook page", {
            "api_url": f"{town.url}/facebook", "page_id": own["facebook"], "page_token": town.facebook.token_for(
                OWN_HANDLES["facebook"]),
        }),
        DemoSource("reddit", SLUG, "reddit", f"r/{SUBREDDIT}", {
            "api_url": f"{town.url}/reddit", "client_id": "demo", "client_secret": "demo",
            "username": OWN_HANDLES["reddit"], "password": "town", "communities": [SUBREDDIT],
        }),
        DemoSource("mastodon", SLUG, "mastodon", "Mastodon @borbotto", {
            "api_url": f"{town.url}/mastodon", "server": MASTODON_HOST,
            "access_token": town.mastodon.token_for(OWN_HANDLES["mastodon"]),
        }),
        DemoSource("blog", SLUG, "rss", "Chicchi e chiacchiere", {
            "url": f"{town.url}/feeds/{FEED}.xml",
        }, poll_seconds=60, can_publish=False),
        *rivals,
    )  # fmt: skip


def _own_account(town: Town, network: str) -> str:
    extra = {"is_page": True} if network == "facebook" else {}
    if network == "mastodon":
        town.mastodon.options["host"] = MASTODON_HOST
    if not any(account.handle == FEED for account in town.feeds.accounts.values()):
        town.feeds.add_account(FEED, "Chicchi e chiacchiere")
    return town.networks[network].add_account(OWN_HANDLES[network], "Borbotto", followers=18_400, extra=extra).id

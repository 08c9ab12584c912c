"""How networks are called on the screens."""

TITLES = {
    "x": "X",
    "facebook": "Facebook",
    "instagram": "Instagram",
    "reddit": "Reddit",
    "linkedin": "LinkedIn",
    "mastodon": "Mastodon",
    "bluesky": "Bluesky",
    "youtube": "YouTube",
    "rss": "RSS",
    "hackernews": "Hacker News",
    "archive": "Archive",
}


def network_title(network: str) -> str:
    """Give a network's name as it writes itself; a name unknown here as it is stored."""
    return TITLES.get(network, network.replace("_", " ").title())

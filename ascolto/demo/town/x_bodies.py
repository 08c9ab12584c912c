"""The small shapes of the town's X: accounts, errors, ids and times."""

from datetime import UTC, datetime
from typing import Any

from ascolto.demo.town.state import TownAccount, TownPost, TownResponse

EPOCH_MS = 1288834974657
PROBLEMS = "https://api.twitter.com/2/problems/"


def wire_time(moment: datetime) -> str:
    """Give a time with milliseconds, as X writes it."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def user_json(account: TownAccount) -> dict[str, Any]:
    """Give an account as X shows it."""
    return {
        "id": account.id,
        "name": account.name,
        "username": account.handle,
        "verified": bool(account.extra.get("verified")),
        "public_metrics": {"followers_count": account.followers, "following_count": 0, "tweet_count": 0},
        "profile_image_url": f"https://pbs.town.example/{account.handle}.png",
    }


def order(post: TownPost) -> int:
    """Give the key that orders posts by age."""
    return int(post.id)


def moment_of(post_id: str) -> datetime:
    """Give the moment an id holds."""
    return datetime.fromtimestamp(((int(post_id) >> 22) + EPOCH_MS) / 1000, tz=UTC)


def problem(status: int, title: str, detail: str, *, kind: str = "") -> TownResponse:
    """Give an error of X's newer kind."""
    body = {"title": title, "detail": detail, "type": f"{PROBLEMS}{kind}" if kind else "about:blank", "status": status}
    return TownResponse.json(body, status=status)


def invalid(name: str, value: str, message: str) -> TownResponse:
    """Give the error for a parameter X does not take."""
    body = {
        "errors": [{"parameters": {name: [value]}, "message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": f"{PROBLEMS}invalid-request",
    }
    return TownResponse.json(body, status=400)


def missing(kind: str, parameter: str, value: str) -> dict[str, str]:
    """Give the note for something that is not there."""
    return {
        "value": value,
        "detail": f"Could not find {kind} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": kind,
        "parameter": parameter,
        "resource_id": value,
        "type": f"{PROBLEMS}resource-not-found",
    }

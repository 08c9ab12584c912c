"""The town over HTTP for other processes: /_town/… adds accounts and posts, sets faults, tells what happened.

GET  /_town/health                         → {"ok": true, "networks": […]}
POST /_town/<network>/accounts             {"handle", "name", "followers", "extra"} → {"id", "token"}
POST /_town/<network>/posts                {"author", "text", "parent_id", "created_at", "place", …} → {"id"}
GET  /_town/<network>/posts                → all posts, deleted ones too
GET  /_town/<network>/replies?id=          → answers to a post
POST /_town/<network>/edit | delete        {"id", "text"}
POST /_town/<network>/options              {"listing_lag": 5, …}
POST /_town/faults                         fields of Fault; DELETE lifts all; GET lists
GET  /_town/requests                       → the request log; DELETE empties it
"""

from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from ascolto.demo.town.faults import Fault
from ascolto.demo.town.server import TownServer, control_json
from ascolto.demo.town.state import TownNetwork, TownPost, TownRequest, TownResponse

_POST_FIELDS = ("parent_id", "place", "title", "language", "likes", "extra")


class TownControl:
    """Answers control requests for one town."""

    def __init__(self, networks: dict[str, TownNetwork]) -> None:
        self._networks = networks
        self.server: TownServer | None = None

    def __call__(self, request: TownRequest) -> TownResponse:
        """Answer one control request; mistakes of the caller are 400 with words."""
        try:
            return self._answer(request)
        except (KeyError, TypeError, ValueError) as error:
            return control_json({"error": f"{type(error).__name__}: {error}"}, 400)

    def _answer(self, request: TownRequest) -> TownResponse:
        first, _, second = request.path.strip("/").partition("/")
        if first == "health":
            return control_json({"ok": True, "networks": sorted(self._networks)})
        if first == "faults":
            return self._faults(request)
        if first == "requests":
            return self._requests(request)
        return self._network(self._networks[first], second, request)

    def _faults(self, request: TownRequest) -> TownResponse:
        if self.server is None:
            raise ValueError("the town is not running")
        book = self.server.faults
        if request.method == "DELETE":
            book.clear()
        elif request.method == "POST":
            known = {f.name for f in fields(Fault)}
            book.add(Fault(**{name: value for name, value in request.json().items() if name in known}))
        return control_json([asdict(fault) for fault in book.pending()])

    def _requests(self, request: TownRequest) -> TownResponse:
        if self.server is None:
            raise ValueError("the town is not running")
        if request.method == "DELETE":
            self.server.log.clear()
        return control_json(
            [
                {"network": r.network, "method": r.method, "path": r.path, "query": r.query, "answer": r.answer}
                for r in list(self.server.log)
            ]
        )

    def _network(self, network: TownNetwork, what: str, request: TownRequest) -> TownResponse:
        data = request.json()
        match (request.method, what):
            case ("POST", "accounts"):
                account = network.add_account(
                    data["handle"],
                    data.get("name", ""),
                    followers=int(data.get("followers", 0)),
                    extra=data.get("extra"),
                )
                return control_json({"id": account.id, "token": network.token_for(account.handle)})
            case ("POST", "posts"):
                return control_json({"id": _add_post(network, data)})
            case ("GET", "posts"):
                return control_json([_show(network, post) for post in list(network.posts.values())])
            case ("GET", "replies"):
                return control_json([_show(network, post) for post in network.replies_to(request.first("id"))])
            case ("POST", "edit"):
                network.edit_post(data["id"], data["text"])
            case ("POST", "delete"):
                network.delete_post(data["id"])
            case ("POST", "options"):
                network.options.update(data)
            case _:
                raise ValueError(f"no such control: {request.method} {what}")
        return control_json({"ok": True})


def _add_post(network: TownNetwork, data: dict[str, Any]) -> str:
    created = data.get("created_at")
    return network.add_post(
        data["author"],
        data["text"],
        created_at=datetime.fromisoformat(created).astimezone(UTC) if created else None,
        **{name: data[name] for name in _POST_FIELDS if name in data},
    )


def _show(network: TownNetwork, post: TownPost) -> dict[str, Any]:
    return {**asdict(post), "external_id": network.external_id(post)}

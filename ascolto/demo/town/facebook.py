"""The town's Facebook: the Graph API of pages as facebook-sdk speaks it, with its codes, cursors and refusals.

A page is an account with extra {"is_page": true}; everybody else is a person. A post without a parent stands on the
feed of the page named in `place`, or, with extra {"tags": "<page>"}, elsewhere and tags it. Shapes after
developers.facebook.com/docs/graph-api (November 2026) and recordings.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from ascolto.demo.town.state import Route, TownAccount, TownNetwork, TownPost, TownRequest, TownResponse

_VERSION = r"/v(\d+\.\d+)"
_NODE = r"(\d+(?:_\d+)?)"
_FIELD = re.compile(r"(\w+)(?:\.\w+\([^)]*\))*(?:\{[^}]*\})?")
_MISSING = (
    "Unsupported {} request. Object with ID '{}' does not exist, cannot be loaded due to missing permissions, "
    "or does not support this operation"
)


class FacebookTown(TownNetwork):
    """Pages of Facebook. A page's token is `town-facebook-<handle>`.

    Options: app_secret (calls then need appsecret_proof) · versions (accepted ones) · page_size (most records a
    page) · hides_authors (people's names are not shown) · throttle_minutes (429s say how long, per business) ·
    missing_permissions · rate_limit.
    """

    name: ClassVar[str] = "facebook"
    default_options: ClassVar[Mapping[str, Any]] = {
        "app_secret": "",
        "versions": ["25.0", "26.0"],
        "page_size": 100,
        "hides_authors": False,
        "throttle_minutes": 0,
        "missing_permissions": [],
        "rate_limit": 1_000_000,
    }

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._used = 0

    def routes(self) -> list[Route]:
        """Give the paths of the Graph API that our connector uses."""
        return [
            ("GET", _VERSION + r"/me", self._me),
            ("GET", _VERSION + r"/", self._objects),
            ("GET", _VERSION + r"/(\d+)/(feed|tagged)", self._page_posts),
            ("GET", _VERSION + rf"/{_NODE}/comments", self._comments),
            ("POST", _VERSION + rf"/{_NODE}/comments", self._comment),
            ("POST", _VERSION + rf"/{_NODE}", self._change),
            ("GET", _VERSION + rf"/{_NODE}", self._object),
            ("DELETE", _VERSION + rf"/{_NODE}", self._delete),
        ]

    def handle(self, request: TownRequest) -> TownResponse:
        """Check the token, its proof and the version before anything is done."""
        self._used += 1
        token = request.token()
        if self._used > int(self.options["rate_limit"]):
            return self.error(429, "")
        if self.signed_in(request) is None:
            return self.error(401, "")
        version = re.match(_VERSION, request.path)
        if version is None or version.group(1) not in self.options["versions"]:
            return _problem(2635, "You are calling a deprecated version of the Ads API.")
        secret = str(self.options["app_secret"])
        proof = request.first("appsecret_proof") or request.form().get("appsecret_proof", "")
        if secret and proof != hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest():
            return _problem(
                100, "API calls from the server require an appsecret_proof argument", kind="GraphMethodException"
            )
        return super().handle(request)

    def error(self, status: int, message: str) -> TownResponse:
        """Give Graph's error object. Being throttled and signed out are HTTP 400: the code tells."""
        match status:
            case 401:
                return _problem(190, "Error validating access token: the session is invalid.", subcode=460)
            case 403:
                return _problem(200, f"(#200) Requires {message or 'pages_read_engagement'} permission", status=403)
            case 404:
                return _problem(100, _MISSING.format("get", message), subcode=33, kind="GraphMethodException")
            case 429:
                return self._throttled()
        return _problem(2, "Service temporarily unavailable", status=status)

    def _throttled(self) -> TownResponse:
        minutes = int(self.options["throttle_minutes"])
        if not minutes:
            return _problem(4, "(#4) Application request limit reached")
        answer = _problem(80001, "(#80001) There have been too many calls to this Page account.")
        usage = {"call_count": 100, "type": "pages", "estimated_time_to_regain_access": minutes}
        header = TownResponse.json({"1000": [usage]}).body.decode()
        return TownResponse(answer.status, answer.body, {**answer.headers, "X-Business-Use-Case-Usage": header})

    def external_id(self, post: TownPost) -> str:
        """Give {page}_{post} for posts, {post}_{comment} for comments."""
        if post.parent_id:
            return f"{self.root_of(post).id}_{post.id}"
        owner = self._by_handle.get(post.place or post.author, "0")
        return f"{owner}_{post.id}"

    def new_post_id(self, created_at: datetime) -> str:
        """Give the next number."""
        del created_at
        return str(900_000_001 + len(self.posts))

    def new_account_id(self) -> str:
        """Give the next number."""
        return str(100_001 + len(self.accounts))

    # Reading -----------------------------------------------------------------------------------------------

    def _me(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        account = self.signed_in(request)
        return self.error(401, "") if account is None else TownResponse.json(self._account(account))

    def _object(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        if match.group(2) in self.accounts:
            return TownResponse.json(self._account(self.accounts[match.group(2)]))
        post = self._listed(match.group(2))
        return self.error(404, match.group(2)) if post is None else TownResponse.json(self._shape(request, post))

    def _objects(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        ids = request.first("ids").split(",")
        found = {post_id: self._listed(post_id) for post_id in ids}
        gone = [post_id for post_id, post in found.items() if post is None]
        if gone:
            words = f"(#803) Some of the aliases you requested do not exist: {','.join(gone)}"
            return _problem(803, words, status=404)
        return TownResponse.json({name: self._shape(request, post) for name, post in found.items() if post})

    def _page_posts(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        page, connection = self.accounts.get(match.group(2)), match.group(3)
        if page is None:
            return self.error(404, match.group(2))
        if "pages_read_engagement" in self.options["missing_permissions"]:
            return self.error(403, "pages_read_engagement")
        tagged = connection == "tagged"
        found = [p for p in self.listed() if not p.parent_id and self._stands_on(p, page, is_tagged=tagged)]
        found.sort(key=lambda p: (p.created_at, p.id), reverse=True)
        return self._page(request, found)

    def _comments(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        post = self._listed(match.group(2))
        if post is None:
            return self.error(404, match.group(2))
        is_stream = request.first("filter") == "stream"
        found = list(self.descendants(post)) if is_stream else self.replies_to(post.id)
        is_newest_first = request.first("order") == "reverse_chronological"
        found.sort(key=lambda p: (p.created_at, p.id), reverse=is_newest_first)
        return self._page(request, found)

    def _page(self, request: TownRequest, posts: Sequence[TownPost]) -> TownResponse:
        """Cut a page by its cursors. `next` carries the token, as on Facebook: a trap for who follows it."""
        size = request.number("limit", 25, high=int(self.options["page_size"]))
        after = request.first("after")
        names = [post.id for post in posts]
        start = names.index(_unwrap(after)) + 1 if after and _unwrap(after) in names else 0
        chosen = posts[start : start + size]
        body: dict[str, Any] = {"data": [self._shape(request, post) for post in chosen]}
        if chosen:
            cursors = {"before": _wrap(chosen[0].id), "after": _wrap(chosen[-1].id)}
            body["paging"] = {"cursors": cursors}
            if start + size < len(posts):
                link = f"{request.base_url}{request.path}?access_token={request.token()}&after={cursors['after']}"
                body["paging"]["next"] = link
        return TownResponse.json(body)

    # Writing -----------------------------------------------------------------------------------------------

    def _comment(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        page, parent = self.signed_in(request), self._listed(match.group(2))
        if page is None or parent is None:
            return self.error(404, match.group(2))
        if "pages_manage_engagement" in self.options["missing_permissions"]:
            return self.error(403, "pages_manage_engagement")
        text = request.form().get("message", "")
        if not text.strip():
            return _problem(100, "(#100) Comment must have a message")
        above = self.posts.get(parent.parent_id or "")
        if above is not None and above.parent_id:  # two levels only: an answer to an answer stands beside it
            parent = above
        created, visible = self.written_at()
        post = TownPost(
            id=self.new_post_id(created),
            author=page.handle,
            text=text,
            created_at=created,
            visible_at=visible,
            parent_id=parent.id,
        )
        return TownResponse.json({"id": self.external_id(self.store_post(post))})

    def _change(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        page, post = self.signed_in(request), self._listed(match.group(2))
        if page is None or post is None:
            return self.error(404, match.group(2))
        hidden = request.form().get("is_hidden")
        if hidden is None or not post.parent_id or post.author == page.handle:
            return _problem(100, "(#100) Invalid parameter")
        post.is_hidden = hidden == "true"
        self.store_post(post)
        return TownResponse.json({"success": True})

    def _delete(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        page, post = self.signed_in(request), self._listed(match.group(2))
        if page is None or post is None:
            return self.error(404, match.group(2))
        self.delete_post(post.id)
        return TownResponse.json({"success": True})

    # Shapes ------------------------------------------------------------------------------------------------

    def _listed(self, external_id: str) -> TownPost | None:
        try:
            post = self.post(external_id)
        except KeyError:
            return None
        is_listed = not post.is_deleted and post.visible_at <= self.clock()
        return post if is_listed else None

    def _stands_on(self, post: TownPost, page: TownAccount, *, is_tagged: bool) -> bool:
        if is_tagged:
            return post.extra.get("tags") == page.handle
        return (post.place or post.author) == page.handle and "tags" not in post.extra

    def _account(self, account: TownAccount) -> dict[str, Any]:
        return {
            "id": account.id,
            "name": account.name,
            "username": account.handle,
            "link": f"https://www.facebook.com/{account.handle}",
            "followers_count": account.followers,
        }

    def _shape(self, request: TownRequest, post: TownPost) -> dict[str, Any]:
        """Give the fields asked for; without `fields`, Graph gives little."""
        wanted = _FIELD.findall(request.first("fields")) or ["id", "message", "created_time"]
        whole = self._whole(request, post) | post.extra.get("json", {})
        return {name: whole[name] for name in wanted if name in whole and whole[name] is not ...}

    def _whole(self, request: TownRequest, post: TownPost) -> dict[str, Any]:
        author = self.account(post.author)
        below = list(self.descendants(post))
        newest = max([post.created_at, *([post.edited_at] if post.edited_at else []), *(p.created_at for p in below)])
        viewer = self.signed_in(request)
        is_shown = not self.options["hides_authors"] or author == viewer
        parent = self.posts.get(post.parent_id or "")
        whole: dict[str, Any] = {
            "id": self.external_id(post),
            "message": post.text,
            "created_time": _time(post.created_at),
            "updated_time": _time(newest),
            "permalink_url": f"https://www.facebook.com/{self.external_id(post)}",
            "from": {"id": author.id, "name": author.name} if is_shown else ...,
            "comments": {"data": [], "summary": {"total_count": len(below)}},
            "reactions": {"data": [], "summary": {"total_count": post.likes}},
            "comment_count": len(self.replies_to(post.id)),
            "like_count": post.likes,
            "is_hidden": post.is_hidden,
            "parent": {"id": self.external_id(parent)} if parent is not None and parent.parent_id else ...,
        }
        if "tags" in post.extra:
            whole["tagged_time"] = _time(post.created_at)
        return whole


def _problem(
    code: int, message: str, *, status: int = 400, subcode: int | None = None, kind: str = "OAuthException"
) -> TownResponse:
    error: dict[str, Any] = {"message": message, "type": kind, "code": code, "fbtrace_id": "Town"}
    if subcode is not None:
        error["error_subcode"] = subcode
    return TownResponse.json({"error": error}, status=status)


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}+0000"


def _wrap(post_id: str) -> str:
    return base64.urlsafe_b64encode(post_id.encode()).decode().rstrip("=")


def _unwrap(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        return ""

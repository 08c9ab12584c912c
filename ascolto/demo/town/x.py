"""The town's X: API v2 as tweepy speaks it, with its tokens, windows, prices' refusals and error bodies.

Shapes after X's documentation (docs.x.com, November 2026) and recordings of API v2.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from ascolto.demo.town.state import Route, TownAccount, TownNetwork, TownPost, TownRequest, TownResponse
from ascolto.demo.town.x_bodies import EPOCH_MS, invalid, missing, moment_of, order, problem, user_json, wire_time
from ascolto.demo.town.x_search import MENTION, compile_query, wire_text
from connectors.base import LengthRule
from connectors.length import measure

_DEFAULT_FIELDS = {"id", "text", "edit_history_tweet_ids"}
_SEARCH_DAYS = 7
_NOT_SUMMONED = (
    "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the "
    "author of the post you are replying to."
)


class XTown(TownNetwork):
    """X. A token is `town-x-<handle>` (OAuth 2 or as OAuth 1 oauth_token), `town-x-app-only` reads only.

    Options: replies_need_mention · refuses_duplicates · prepends_mention (answers begin with @parent) · max_weight ·
    mentions_reach · rate_limit (calls in 15 minutes) · credits_gone (402) · usage_capped (429 for the month) ·
    tokens_rotate (a renewed pair ends the one before it).
    """

    name: ClassVar[str] = "x"
    default_options: ClassVar[Mapping[str, Any]] = {
        "replies_need_mention": True,
        "refuses_duplicates": False,
        "prepends_mention": True,
        "max_weight": 280,
        "mentions_reach": 800,
        "rate_limit": 1_000_000,
        "credits_gone": False,
        "usage_capped": False,
        "tokens_rotate": False,
    }

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._refreshes: dict[str, int] = {}
        self.expired: set[str] = set()  # access tokens whose two hours are over
        self._used = 0

    def routes(self) -> list[Route]:
        """Give the paths of API v2 that our connector uses."""
        return [
            ("POST", r"/2/oauth2/token", self._renew),
            ("GET", r"/2/users/me", self._me),
            ("GET", r"/2/users/by/username/(\w+)", self._user),
            ("GET", r"/2/users/(\d+)/mentions", self._mentions),
            ("GET", r"/2/users/(\d+)/tweets", self._timeline),
            ("GET", r"/2/tweets/search/recent", self._search),
            ("GET", r"/2/tweets", self._look_up),
            ("POST", r"/2/tweets", self._create),
            ("PUT", r"/2/tweets/(\d+)/hidden", self._hide),
            ("DELETE", r"/2/tweets/(\d+)", self._delete),
        ]

    def handle(self, request: TownRequest) -> TownResponse:
        """Answer with X's rate-limit headers; money and quotas are checked before anything is done."""
        if request.path == "/2/oauth2/token":
            return super().handle(request)
        self._used += 1
        left = int(self.options["rate_limit"]) - self._used
        reset = int((self.clock() + timedelta(minutes=15)).timestamp())
        headers = {
            "x-rate-limit-limit": str(self.options["rate_limit"]),
            "x-rate-limit-remaining": str(max(left, 0)),
            "x-rate-limit-reset": str(reset),
        }
        answer = self._refusal(request, left) or super().handle(request)
        return TownResponse(answer.status, answer.body, {**headers, **answer.headers})

    def _refusal(self, request: TownRequest, left: int) -> TownResponse | None:
        if self.options["credits_gone"]:
            return problem(402, "CreditsDepleted", "Your account has no credits left.", kind="credits")
        if self.options["usage_capped"]:
            return problem(429, "UsageCapExceeded", "Usage cap exceeded: Monthly product cap", kind="usage-capped")
        if left < 0:
            return self.error(429, "Too Many Requests")
        is_app = request.token() == "town-x-app-only"
        if not is_app and self.signed_in(request) is None:
            return self.error(401, "Unauthorized")
        if is_app and (request.method != "GET" or request.path == "/2/users/me"):
            detail = "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint."
            return problem(403, "Unsupported Authentication", detail, kind="unsupported-authentication")
        return None

    def error(self, status: int, message: str) -> TownResponse:
        """Give X's problem object."""
        titles = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found Error", 429: "Too Many Requests"}
        return problem(status, titles.get(status, "Internal Server Error"), message)

    def signed_in(self, request: TownRequest) -> TownAccount | None:
        """Read OAuth 1 headers too, and tokens that were renewed ("~2")."""
        header = request.headers.get("authorization", "")
        signed = re.search(r'oauth_token="([^"]+)"', header)
        token = signed.group(1) if signed else request.token()
        handle, _, renewed = token.removeprefix("town-x-").partition("~")
        is_dead = self.options["tokens_rotate"] and renewed != str(self._refreshes.get(handle) or "")
        if is_dead or token in self.expired:
            return None
        if not token.startswith("town-x-") or handle in self.revoked or handle not in self._by_handle:
            return None
        return self.account(handle)

    def new_post_id(self, created_at: datetime) -> str:
        """Give an id that holds its moment, as X's do."""
        number = (int(created_at.timestamp() * 1000) - EPOCH_MS) << 22
        while str(number) in self.posts:
            number += 1
        return str(number)

    # Reading -----------------------------------------------------------------------------------------------

    def _me(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        account = self.signed_in(request)
        return self.error(401, "Unauthorized") if account is None else TownResponse.json({"data": user_json(account)})

    def _user(self, _request: TownRequest, match: re.Match[str]) -> TownResponse:
        if match.group(1) not in self._by_handle:
            return TownResponse.json({"errors": [missing("user", "username", match.group(1))]})
        return TownResponse.json({"data": user_json(self.account(match.group(1)))})

    def _mentions(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        account = self.accounts.get(match.group(1))
        if account is None:
            return TownResponse.json({"errors": [missing("user", "id", match.group(1))]})
        mine = [p for p in self.listed() if account.handle in self._named(p) and p.author != account.handle]
        mine = sorted(mine, key=order)[-int(self.options["mentions_reach"]) :]
        return self._page(request, mine, least=5, cursor="pagination_token")

    def _timeline(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        account = self.accounts.get(match.group(1))
        if account is None:
            return TownResponse.json({"errors": [missing("user", "id", match.group(1))]})
        start = request.first("start_time")
        since = datetime.fromisoformat(start) if start else datetime.min.replace(tzinfo=UTC)
        mine = [p for p in self.listed() if p.author == account.handle and p.created_at >= since]
        return self._page(request, mine, least=5, cursor="pagination_token")

    def _search(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        earliest = self.clock() - timedelta(days=_SEARCH_DAYS)
        since, query = request.first("since_id"), request.first("query")
        if not query or len(query) > 512:
            return invalid("query", query, "Invalid 'query'")
        if since and moment_of(since) < earliest:
            words = f"'since_id' must be a tweet id created after [{earliest:%Y-%m-%dT%H:%MZ}]."
            return invalid("since_id", since, words)
        fits = compile_query(query)
        found = [p for p in self.listed() if p.created_at >= earliest and fits(self._facts(p))]
        return self._page(request, found, least=10, cursor="next_token")

    def _look_up(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        versions = {self._version(post): post for post in self.posts.values()}
        found, problems = [], []
        for post_id in request.first("ids").split(","):
            post = self.posts.get(post_id) or versions.get(post_id)
            if post is None or post.is_deleted or post.visible_at > self.clock():
                problems.append(missing("tweet", "ids", post_id))
            else:
                found.append(post)
        body = self._body(request, found)
        if problems:
            body["errors"] = problems
        return TownResponse.json(body)

    def _page(self, request: TownRequest, posts: list[TownPost], *, least: int, cursor: str) -> TownResponse:
        """Cut a page, newest first; tokens are opaque and only taken as they were given."""
        size = request.first("max_results", "10")
        if not size.isdigit() or not least <= int(size) <= 100:
            return invalid("max_results", size, f"The `max_results` query parameter value [{size}] is not between")
        token = request.first(cursor)
        if token and not re.fullmatch(r"7140d\d+", token):
            return invalid(cursor, token, f"Invalid '{cursor}'")
        since, until = request.first("since_id", "0"), request.first("until_id")
        below = min(int(edge) for edge in (until or "9" * 20, token.removeprefix("7140d") or "9" * 20))
        fitting = sorted((p for p in posts if int(since) < int(p.id) < below), key=order, reverse=True)
        chosen = fitting[: int(size)]
        body = self._body(request, chosen)
        body["meta"] = {"result_count": len(chosen)}
        if chosen:
            body["meta"] |= {"newest_id": chosen[0].id, "oldest_id": chosen[-1].id}
        else:
            del body["data"]
        if len(fitting) > len(chosen):
            body["meta"]["next_token"] = f"7140d{chosen[-1].id}"
        return TownResponse.json(body)

    # Writing -----------------------------------------------------------------------------------------------

    def _create(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        account = self.signed_in(request)
        if account is None:
            return self.error(401, "Unauthorized")
        body = request.json()
        text, target = str(body.get("text", "")), body.get("reply", {}).get("in_reply_to_tweet_id")
        if not text.strip() or measure(text, LengthRule.X_WEIGHTED) > int(self.options["max_weight"]):
            return problem(400, "Invalid Request", "Your Tweet text is too long.", kind="invalid-request")
        if target and self.listed_post(target) is None:
            words = "You attempted to reply to a Tweet that is deleted or not visible to you."
            return self.error(403, words)
        if target and not self._may_answer(account, self.posts[target]):
            return self.error(403, _NOT_SUMMONED)
        if self.options["refuses_duplicates"] and self._said_lately(account, text):
            return self.error(403, "You are not allowed to create a Tweet with duplicate content.")
        created, visible = self.written_at()
        if target and self.options["prepends_mention"]:
            text = f"@{self.posts[target].author} {text}"
        post = TownPost(
            id=self.new_post_id(created),
            author=account.handle,
            text=text,
            created_at=created,
            visible_at=visible,
            parent_id=target,
        )
        self.store_post(post)
        return TownResponse.json({"data": {"id": post.id, "text": wire_text(text)[0]}}, status=201)

    def _hide(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        account, post = self.signed_in(request), self.listed_post(match.group(1))
        if account is None or post is None or self.root_of(post).author != account.handle:
            return self.error(403, "You are not permitted to perform this action.")
        post.is_hidden = request.json().get("hidden") is True
        self.store_post(post)
        return TownResponse.json({"data": {"hidden": post.is_hidden}})

    def _delete(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        account, post = self.signed_in(request), self.listed_post(match.group(1))
        if account is None or post is None or post.author != account.handle:
            return self.error(403, "You are not permitted to perform this action.")
        self.delete_post(post.id)
        return TownResponse.json({"data": {"deleted": True}})

    def refresh_token_for(self, handle: str) -> str:
        """Give the one refresh token an account has now."""
        return f"refresh-{handle}-{self._refreshes.get(handle, 0)}"

    def access_token_for(self, handle: str) -> str:
        """Give the access token of an account's latest pair."""
        count = self._refreshes.get(handle, 0)
        return f"town-x-{handle}~{count}" if count else f"town-x-{handle}"

    def _renew(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        """Change a refresh token for a new pair: each works once."""
        form = request.form()
        handle = form.get("refresh_token", "").removeprefix("refresh-").rpartition("-")[0]
        if handle not in self._by_handle or form["refresh_token"] != self.refresh_token_for(handle):
            words = "Value passed for the token was invalid."
            return TownResponse.json({"error": "invalid_request", "error_description": words}, status=400)
        self._refreshes[handle] = self._refreshes.get(handle, 0) + 1
        pair = {
            "access_token": self.access_token_for(handle),
            "refresh_token": self.refresh_token_for(handle),
        }
        scope = "tweet.read tweet.write users.read offline.access"
        return TownResponse.json({"token_type": "bearer", "expires_in": 7200, **pair, "scope": scope})

    def _may_answer(self, account: TownAccount, post: TownPost) -> bool:
        quoted = self.posts.get(str(post.extra.get("quotes", "")))
        is_quoted = quoted is not None and quoted.author == account.handle
        is_ours = post.author == account.handle
        return is_ours or is_quoted or account.handle in self._named(post) or not self.options["replies_need_mention"]

    def _said_lately(self, account: TownAccount, text: str) -> bool:
        return any(p.author == account.handle and text in p.text and not p.is_deleted for p in self.posts.values())

    # Shapes ------------------------------------------------------------------------------------------------

    def _named(self, post: TownPost) -> set[str]:
        """Give who hears of a post: those it mentions, and whom it answers."""
        named = {name for name in MENTION.findall(post.text) if name in self._by_handle}
        parent = self.posts.get(post.parent_id or "")
        return named | {parent.author} if parent else named

    def _facts(self, post: TownPost) -> dict[str, Any]:
        return {
            "text": post.text,
            "author": post.author,
            "conversation_id": self.root_of(post).id,
            "language": post.language,
            "is_retweet": "retweets" in post.extra,
        }

    def _version(self, post: TownPost) -> str:
        moment = post.edited_at
        return str((int(moment.timestamp() * 1000) - EPOCH_MS) << 22) if moment else post.id

    def _body(self, request: TownRequest, posts: list[TownPost]) -> dict[str, Any]:
        fields = _DEFAULT_FIELDS | set(request.first("tweet.fields").split(","))
        body: dict[str, Any] = {"data": [self._post(post, fields.__contains__) for post in posts]}
        if "author_id" in request.first("expansions").split(","):
            handles = dict.fromkeys(post.author for post in posts)
            body["includes"] = {"users": [user_json(self.account(handle)) for handle in handles]}
        return body

    def _post(self, post: TownPost, is_wanted: Callable[[str], bool]) -> dict[str, Any]:
        text, urls = wire_text(post.text)
        parent = self.posts.get(post.parent_id or "")
        references = [{"type": "replied_to", "id": post.parent_id}] if post.parent_id else []
        references += [
            {"type": kind, "id": str(post.extra[name])}
            for name, kind in (("quotes", "quoted"), ("retweets", "retweeted"))
            if name in post.extra
        ]
        mentions = [{"username": name, "id": self.account(name).id} for name in sorted(self._named(post))]
        whole = {
            "id": post.id,
            "text": text,
            "edit_history_tweet_ids": [post.id, self._version(post)] if post.edited_at else [post.id],
            "author_id": self.account(post.author).id,
            "conversation_id": self.root_of(post).id,
            "created_at": wire_time(post.created_at),
            "lang": post.language or "und",
            "public_metrics": {
                "retweet_count": int(post.extra.get("reposts", 0)),
                "reply_count": len(self.replies_to(post.id)),
                "like_count": post.likes,
                "quote_count": 0,
            },
            "referenced_tweets": references or None,
            "in_reply_to_user_id": self.account(parent.author).id if parent else None,
            "entities": {name: items for name, items in (("mentions", mentions), ("urls", urls)) if items} or None,
            **post.extra.get("json", {}),
        }
        return {
            name: value
            for name, value in whole.items()
            if is_wanted(name) and (value is not None or name in {"text", "id"})
        }

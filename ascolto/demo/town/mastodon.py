"""The town's Mastodon: accounts, notifications, timelines, search, context, statuses, as its documentation has them.

Checked against recordings of a real Mastodon 4.4 and a real GoToSocial 0.20. Handles with an "@" live on other
servers: their posts have ids of ours but URIs of theirs, as in life.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from ascolto.demo.town.mastodon_pages import id_order, link_header, new_ulid, page_of
from ascolto.demo.town.mastodon_text import MENTION, has_words, is_public, tags_in, text_to_html, wire_time
from ascolto.demo.town.state import Route, TownAccount, TownNetwork, TownPost, TownRequest, TownResponse

_TEXT_LIMIT_MESSAGE = "Validation failed: Text character limit of {} exceeded"


class MastodonTown(TownNetwork):
    """A server of the Mastodon kind.

    Options: host (its name in URIs) · newest_first (pages in JSON, as Mastodon and GoToSocial; False: oldest first)
    · ulid (GoToSocial's ids) · honour_idempotency · has_bulk_statuses (4.3+) · has_search · max_characters ·
    rate_limit (calls in 5 minutes).
    """

    name: ClassVar[str] = "mastodon"
    default_options: ClassVar[Mapping[str, Any]] = {
        "host": "social.town.example",
        "newest_first": True,
        "ulid": False,
        "honour_idempotency": True,
        "has_bulk_statuses": True,
        "has_search": True,
        "max_characters": 500,
        "rate_limit": 1_000_000,
    }

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._notes: list[tuple[str, str, str]] = []  # (notification id, handle it is for, post id)
        self._idempotent: dict[tuple[str, str], str] = {}
        self._used = 0

    def routes(self) -> list[Route]:
        """Give the paths of API v1 and v2 that clients of ours use."""
        status = r"/api/v1/statuses/([\w]+)"
        return [
            ("POST", r"/oauth/token", self._token),
            ("POST", r"/api/v1/apps", self._app),
            ("GET", r"/api/v1/accounts/verify_credentials", self._verify),
            ("GET", r"/api/v1/accounts/(\w+)/statuses", self._account_statuses),
            ("GET", r"/api/v1/notifications", self._notifications),
            ("GET", r"/api/v1/timelines/tag/([^/]+)", self._tag_timeline),
            ("GET", r"/api/v1/timelines/public", self._public_timeline),
            ("GET", r"/api/v2/search", self._search),
            ("GET", r"/api/v1/statuses", self._bulk_statuses),
            ("POST", r"/api/v1/statuses", self._post_status),
            ("GET", status + "/context", self._context),
            ("GET", status, self._status),
            ("PUT", status, self._edit_status),
            ("DELETE", status, self._delete_status),
            ("GET", r"/api/v[12]/instance/?", self._instance),
        ]

    def handle(self, request: TownRequest) -> TownResponse:
        """Answer with rate-limit headers, 429 once the allowance is used up."""
        self._used += 1
        left = int(self.options["rate_limit"]) - self._used
        reset = self.clock() + timedelta(minutes=5)
        headers = {
            "X-RateLimit-Limit": str(self.options["rate_limit"]),
            "X-RateLimit-Remaining": str(max(left, 0)),
            "X-RateLimit-Reset": reset.isoformat().replace("+00:00", "Z"),
        }
        answer = self.error(429, "Too many requests") if left < 0 else super().handle(request)
        return TownResponse(answer.status, answer.body, {**headers, **answer.headers})

    def error(self, status: int, message: str) -> TownResponse:
        """Give Mastodon's error object."""
        if status == 429:
            return TownResponse.json({"error": "Too many requests"}, status=status)
        if status == 404:
            message = "Record not found"
        return TownResponse.json({"error": message}, status=status)

    def external_id(self, post: TownPost) -> str:
        """Give the status URI: the same on every server that shows the post."""
        user, host = self._user_and_host(post.author)
        origin = post.id if host == self.options["host"] else post.id[::-1]
        return f"https://{host}/users/{user}/statuses/{origin}"

    def new_post_id(self, created_at: datetime) -> str:
        """Give a snowflake, or a ULID as GoToSocial does."""
        if not self.options["ulid"]:
            return super().new_post_id(created_at)
        self._last_number += 1
        return new_ulid(created_at, self._last_number)

    def _keep_post(self, post: TownPost) -> None:
        if post.id not in self.posts:
            for handle in self._notified(post):
                self._notes.append((str(len(self._notes) + 1), handle, post.id))
        super()._keep_post(post)

    def _notified(self, post: TownPost) -> Iterable[str]:
        """Give who hears of a post: those it mentions, and whom it answers."""
        heard = [account.handle for account in self._mentioned(post.text)]
        if post.parent_id and post.parent_id in self.posts:
            heard.append(self.posts[post.parent_id].author)
        return [handle for handle in dict.fromkeys(heard) if handle != post.author]

    # Reading -----------------------------------------------------------------------------------------------

    def _notifications(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        me = self.signed_in(request)
        if me is None:
            return self.error(401, "The access token is invalid")
        types = request.query.get("types[]", ["mention"])
        excluded = request.query.get("exclude_types[]", [])
        listed = {post.id: post for post in self.listed()}
        mine = [
            (note_id, listed[post_id])
            for note_id, handle, post_id in self._notes
            if handle == me.handle and post_id in listed and "mention" in types and "mention" not in excluded
        ]
        page = page_of(mine, request, key=lambda note: note[0], most=80, newest_first=self._newest_first)
        body = [
            {
                "id": note_id,
                "type": "mention",
                "created_at": wire_time(post.created_at),
                "account": self._account_json(post.author),
                "status": self._status_json(post),
            }
            for note_id, post in page.items
        ]
        return TownResponse.json(body, headers=link_header(request, page.ids, is_full=page.is_full))

    def _timeline(self, request: TownRequest, keep: Callable[[TownPost], bool]) -> TownResponse:
        posts = sorted(self.listed(keep), key=lambda post: id_order(post.id))
        page = page_of(posts, request, key=lambda post: post.id, most=40, newest_first=self._newest_first)
        body = [self._status_json(post) for post in page.items]
        return TownResponse.json(body, headers=link_header(request, page.ids, is_full=page.is_full))

    def _tag_timeline(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        tag = match.group(1).lower()
        return self._timeline(request, lambda post: is_public(post) and tag in tags_in(post.text))

    def _public_timeline(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        return self._timeline(request, is_public)

    def _account_statuses(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        account = self.accounts.get(match.group(1))
        if account is None:
            return self.error(404, "")
        no_replies = request.first("exclude_replies") in {"1", "true"}
        return self._timeline(
            request,
            lambda post: post.author == account.handle and not (no_replies and post.parent_id is not None),
        )

    def _search(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        me = self.signed_in(request)
        if me is None:
            return self.error(401, "The access token is invalid")
        query, limit = request.first("q"), request.number("limit", 20, high=40)
        if query.startswith("http"):
            found = [p for p in self.listed() if query in {self.external_id(p), self._url(p)}]
        elif self.options["has_search"]:
            words = [word.strip('"').lower() for word in re.findall(r'-?"[^"]*"|\S+', query)]
            found = sorted(
                self.listed(lambda post: is_public(post) and has_words(post.text.lower(), words)),
                key=lambda post: id_order(post.id),
                reverse=True,
            )
            low, high = request.first("min_id"), request.first("max_id")
            found = [p for p in found if not low or id_order(p.id) > id_order(low)]
            found = [p for p in found if not high or id_order(p.id) < id_order(high)]
        else:
            found = []
        return TownResponse.json(
            {"accounts": [], "statuses": [self._status_json(p) for p in found[:limit]], "hashtags": []}
        )

    def _bulk_statuses(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        if not self.options["has_bulk_statuses"]:
            return self.error(404, "")
        wanted = request.query.get("id[]", [])
        listed = {post.id: post for post in self.listed()}
        return TownResponse.json([self._status_json(listed[key]) for key in wanted if key in listed])

    def _status(self, _request: TownRequest, match: re.Match[str]) -> TownResponse:
        post = self.listed_post(match.group(1))
        return self.error(404, "") if post is None else TownResponse.json(self._status_json(post))

    def _context(self, _request: TownRequest, match: re.Match[str]) -> TownResponse:
        post = self.listed_post(match.group(1))
        if post is None:
            return self.error(404, "")
        above: list[TownPost] = []
        step = post
        while step.parent_id and step.parent_id in self.posts and len(above) < 40:
            step = self.posts[step.parent_id]
            if not step.is_deleted:
                above.insert(0, step)
        return TownResponse.json(
            {
                "ancestors": [self._status_json(p) for p in above],
                "descendants": [self._status_json(p) for p in self.descendants(post)],
            }
        )

    # Writing -----------------------------------------------------------------------------------------------

    def _post_status(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        me = self.signed_in(request)
        if me is None:
            return self.error(401, "The access token is invalid")
        form, key = request.form(), request.headers.get("idempotency-key", "")
        if key and self.options["honour_idempotency"] and (me.handle, key) in self._idempotent:
            return TownResponse.json(self._status_json(self.posts[self._idempotent[me.handle, key]]))
        text, parent_id = form.get("status", ""), form.get("in_reply_to_id") or None
        if not text.strip():
            return self.error(422, "Validation failed: Text can't be blank")
        if len(text) > int(self.options["max_characters"]):
            return self.error(422, _TEXT_LIMIT_MESSAGE.format(self.options["max_characters"]))
        if parent_id and self.listed_post(parent_id) is None:
            return self.error(404, "")
        created, visible = self.written_at()
        post = self.store_post(
            TownPost(
                id=self.new_post_id(created),
                author=me.handle,
                text=text,
                created_at=created,
                visible_at=visible,
                parent_id=parent_id,
                title=form.get("spoiler_text", ""),
                language=form.get("language"),
                extra={"visibility": form.get("visibility", "public")},
            )
        )
        if key:
            self._idempotent[me.handle, key] = post.id
        return TownResponse.json(self._status_json(post))

    def _edit_status(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        me, post = self.signed_in(request), self.listed_post(match.group(1))
        if me is None or post is None or post.author != me.handle:
            return self.error(404 if me else 401, "The access token is invalid")
        self.edit_post(post.id, request.form().get("status", ""))
        return TownResponse.json(self._status_json(post))

    def _delete_status(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        me, post = self.signed_in(request), self.listed_post(match.group(1))
        if me is None or post is None or post.author != me.handle:
            return self.error(404 if me else 401, "The access token is invalid")
        self.delete_post(post.id)
        return TownResponse.json({**self._status_json(post), "text": post.text})

    # Accounts and the server -------------------------------------------------------------------------------

    def _verify(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        me = self.signed_in(request)
        if me is None:
            return self.error(401, "The access token is invalid")
        return TownResponse.json(self._account_json(me.handle))

    def _token(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        handle = request.form().get("username") or request.form().get("code", "")
        if handle not in self._by_handle:
            return TownResponse.json({"error": "invalid_grant"}, status=400)
        token = {"access_token": self.token_for(handle), "token_type": "Bearer"}
        return TownResponse.json({**token, "scope": "read write", "created_at": int(self.clock().timestamp())})

    def _app(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        name = request.form().get("client_name", "app")
        return TownResponse.json({"id": "1", "name": name, "client_id": "town", "client_secret": "town"})

    def _instance(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        host = self.options["host"]
        limits = {"statuses": {"max_characters": self.options["max_characters"], "max_media_attachments": 4}}
        info = {
            "title": "Town",
            "version": "4.4.3",
            "configuration": limits,
            "rules": [],
            "api_versions": {"mastodon": 6},
        }
        if request.path.startswith("/api/v2"):
            return TownResponse.json({**info, "domain": host})
        return TownResponse.json({**info, "uri": host, "max_toot_chars": self.options["max_characters"]})

    # Shapes ------------------------------------------------------------------------------------------------

    @property
    def _newest_first(self) -> bool:
        return bool(self.options["newest_first"])

    def _user_and_host(self, handle: str) -> tuple[str, str]:
        user, _, host = handle.partition("@")
        return user, host or str(self.options["host"])

    def _mentioned(self, text: str) -> list[TownAccount]:
        found = []
        for user, host in MENTION.findall(text):
            handle = user if host in {"", self.options["host"]} else f"{user}@{host}"
            if handle in self._by_handle:
                found.append(self.account(handle))
        return found

    def _url(self, post: TownPost) -> str:
        user, host = self._user_and_host(post.author)
        return f"https://{host}/@{user}/{self.external_id(post).rsplit('/', 1)[-1]}"

    def _account_json(self, handle: str) -> dict[str, Any]:
        account = self.account(handle)
        user, host = self._user_and_host(handle)
        return {
            "id": account.id,
            "username": user,
            "acct": handle,
            "display_name": account.name,
            "locked": False,
            "bot": False,
            "created_at": wire_time(account.created_at),
            "note": "",
            "url": f"https://{host}/@{user}",
            "uri": f"https://{host}/users/{user}",
            "avatar": f"https://{host}/avatars/{user}.png",
            "followers_count": account.followers,
            "following_count": 0,
            "statuses_count": 0,
            "emojis": [],
            "fields": [],
        }

    def _status_json(self, post: TownPost) -> dict[str, Any]:
        parent = self.posts.get(post.parent_id or "")
        mentions: Sequence[TownAccount] = self._mentioned(post.text)
        return {
            "id": post.id,
            "uri": self.external_id(post),
            "url": self._url(post),
            "created_at": wire_time(post.created_at),
            "edited_at": wire_time(post.edited_at) if post.edited_at else None,
            "in_reply_to_id": post.parent_id,
            "in_reply_to_account_id": self.account(parent.author).id if parent else None,
            "sensitive": bool(post.title),
            "spoiler_text": post.title,
            "visibility": post.extra.get("visibility", "public"),
            "language": post.language,
            "replies_count": len(self.replies_to(post.id)),
            "reblogs_count": int(post.extra.get("reblogs", 0)),
            "favourites_count": post.likes,
            "content": text_to_html(post.text),
            "reblog": None,
            "account": self._account_json(post.author),
            "media_attachments": post.extra.get("media", []),
            "mentions": [
                {"id": a.id, "username": a.handle.partition("@")[0], "acct": a.handle, "url": ""} for a in mentions
            ],
            "tags": [{"name": tag, "url": ""} for tag in tags_in(post.text)],
            "emojis": [],
            "card": None,
            "poll": None,
            **post.extra.get("wire", {}),  # a test's own idea of what the wire brings
        }

"""The town's Reddit: OAuth, listings, threads and comments as praw speaks them.

Submissions are posts without a parent, in the community given as `place`; everything else is a comment. Shapes
after reddit.com/dev/api and recordings of praw.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from ascolto.demo.town.reddit_things import Things, listing
from ascolto.demo.town.state import Route, TownAccount, TownNetwork, TownPost, TownRequest, TownResponse
from ascolto.demo.town.x_search import compile_query

_MENTION = re.compile(r"(?<![\w/])/?u/([A-Za-z0-9_-]{3,20})")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_APP_ONLY = "town-reddit-app-only"
_FIRST_NUMBER = 36**5  # ids have six letters and digits
_REACH = 1_000


class RedditTown(TownNetwork):
    """Reddit. The password of everybody is "town", a refresh token is `refresh-<handle>`.

    Options: refused_clients · private, missing (communities) · break_minutes (comments are refused with RATELIMIT) ·
    fold_after (answers to a submission shown before the rest is folded) · rate_limit (calls in a window) ·
    subscribers.
    """

    name: ClassVar[str] = "reddit"
    default_options: ClassVar[Mapping[str, Any]] = {
        "refused_clients": [],
        "private": [],
        "missing": [],
        "break_minutes": 0,
        "fold_after": 200,
        "rate_limit": 1_000_000,
        "subscribers": 12_345,
    }

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._used = 0
        self._things = Things(self)

    def routes(self) -> list[Route]:
        """Give the paths that praw uses for us."""
        return [
            ("POST", r"/api/v1/access_token", self._token),
            ("GET", r"/api/v1/me", self._me),
            ("GET", r"/message/mentions/?", self._mentions),
            ("GET", r"/message/comments/?", self._comment_replies),
            ("GET", r"/message/selfreply/?", self._submission_replies),
            ("GET", r"/r/([\w+]+)/comments/?", self._comments),
            ("GET", r"/r/([\w+]+)/new/?", self._submissions),
            ("GET", r"/r/([\w+]+)/search/?", self._search),
            ("GET", r"/comments/(\w+)/?", self._thread),
            ("GET", r"/comments/(\w+)/_/(\w+)/?", self._branch),
            ("GET", r"/api/info/?", self._info),
            ("GET", r"/user/([\w-]+)/comments/?", self._comments_of),
            ("POST", r"/api/comment/?", self._comment),
            ("POST", r"/api/morechildren/?", self._more),
        ]

    def handle(self, request: TownRequest) -> TownResponse:
        """Answer with Reddit's rate-limit headers, 429 once the window is used up."""
        if request.path == "/api/v1/access_token":
            return super().handle(request)
        self._used += 1
        left = int(self.options["rate_limit"]) - self._used
        headers = {
            "x-ratelimit-remaining": f"{max(left, 0):.1f}",
            "x-ratelimit-used": str(self._used),
            "x-ratelimit-reset": "42",
        }
        if left < 0:
            answer = self.error(429, "Too Many Requests")
        elif request.token() != _APP_ONLY and self.signed_in(request) is None:
            answer = self.error(401, "Unauthorized")
        else:
            answer = super().handle(request)
        return TownResponse(answer.status, answer.body, {**headers, **answer.headers})

    def error(self, status: int, message: str) -> TownResponse:
        """Give Reddit's short error object, with the header praw reads on 401."""
        headers = {"www-authenticate": 'Bearer realm="reddit", error="invalid_token"'} if status == 401 else {}
        return TownResponse.json({"message": message, "error": status}, status=status, headers=headers)

    def external_id(self, post: TownPost) -> str:
        """Give the full name."""
        return f"{'t1' if post.parent_id else 't3'}_{post.id}"

    def new_post_id(self, created_at: datetime) -> str:
        """Give the next id in base 36: ids tell no time."""
        del created_at
        number = _FIRST_NUMBER + len(self.posts)
        letters = ""
        while number:
            number, digit = divmod(number, 36)
            letters = _DIGITS[digit] + letters
        return letters

    # Signing in --------------------------------------------------------------------------------------------

    def _token(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        encoded = request.headers.get("authorization", "").partition(" ")[2]
        client = base64.b64decode(encoded).decode().partition(":")[0] if encoded else ""
        if not client or client in self.options["refused_clients"]:
            return self.error(401, "Unauthorized")
        form = request.form()
        handle = _APP_ONLY.removeprefix("town-reddit-")
        if form.get("grant_type") == "password":
            handle = form.get("username", "") if form.get("password") == "town" else ""
        elif form.get("grant_type") == "refresh_token":
            handle = form.get("refresh_token", "").removeprefix("refresh-")
        if handle != "app-only" and (handle not in self._by_handle or handle in self.revoked):
            return TownResponse.json({"error": "invalid_grant"})
        token = {"access_token": f"town-reddit-{handle}", "token_type": "bearer", "expires_in": 3600, "scope": "*"}
        return TownResponse.json(token)

    def _me(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        account = self.signed_in(request)
        if account is None:
            return self.error(403, "Forbidden")
        suspended = bool(account.extra.get("suspended"))
        return TownResponse.json({"name": account.handle, "id": account.id, "is_suspended": suspended})

    # Listings ----------------------------------------------------------------------------------------------

    def _mentions(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        return self._inbox(request, lambda me, post: me.handle in _MENTION.findall(post.text), "username_mention")

    def _comment_replies(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        return self._inbox(request, self._answers_comment_of, "comment_reply")

    def _submission_replies(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        return self._inbox(request, self._answers_submission_of, "post_reply")

    def _inbox(self, request: TownRequest, is_mine: Callable[[TownAccount, TownPost], bool], kind: str) -> TownResponse:
        me = self.signed_in(request)
        if me is None:
            return self.error(403, "Forbidden")
        mine = [p for p in self.listed() if p.parent_id and p.author != me.handle and is_mine(me, p)]
        return self._page(request, mine, lambda post: self._things.inbox_comment(post, kind))

    def _answers_comment_of(self, me: TownAccount, post: TownPost) -> bool:
        parent = self.posts[post.parent_id or ""]
        return bool(parent.parent_id) and parent.author == me.handle

    def _answers_submission_of(self, me: TownAccount, post: TownPost) -> bool:
        parent = self.posts[post.parent_id or ""]
        return not parent.parent_id and parent.author == me.handle

    def _comments(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        refusal, names = self._communities(match.group(1))
        found = [p for p in self.listed() if p.parent_id and names(self.root_of(p).place)]
        return refusal or self._page(request, found)

    def _submissions(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        refusal, names = self._communities(match.group(1))
        return refusal or self._page(request, [p for p in self.listed() if not p.parent_id and names(p.place)])

    def _search(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        refusal, names = self._communities(match.group(1))
        query = re.sub(r"\bNOT\s+", "-", request.first("q")).replace(" AND ", " ").replace("author:", "from:")
        fits = compile_query(query)
        found = [
            post
            for post in self.listed()
            if not post.parent_id
            and names(post.place)
            and fits(
                {"text": f"{post.title} {post.text}", "author": post.author, "conversation_id": "", "language": ""}
            )
        ]
        return refusal or self._page(request, found)

    def _comments_of(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        return self._page(request, [p for p in self.listed() if p.parent_id and p.author == match.group(1)])

    def _communities(self, joined: str) -> tuple[TownResponse | None, Callable[[str], bool]]:
        names = {name.casefold() for name in joined.split("+")}
        if names & {name.casefold() for name in self.options["private"]}:
            body = {"reason": "private", "message": "Forbidden", "error": 403}
            return TownResponse.json(body, status=403), lambda _place: False
        if names & {name.casefold() for name in self.options["missing"]}:
            where = {"location": f"https://oauth.reddit.com/subreddits/search.json?q={joined}"}
            return TownResponse.json({}, status=302, headers=where), lambda _place: False
        return None, lambda place: "all" in names or place.casefold() in names

    def _page(
        self,
        request: TownRequest,
        posts: Sequence[TownPost],
        shape: Callable[[TownPost], dict[str, Any]] | None = None,
    ) -> TownResponse:
        """Cut a page, newest first: `before` an item gives the page next to it, nothing if it is gone."""
        newest_first = sorted(posts, key=lambda p: (p.created_at, p.id), reverse=True)[:_REACH]
        names = [self.external_id(post) for post in newest_first]
        size = request.number("limit", 25)
        before, after = request.first("before"), request.first("after")
        if before:
            end = names.index(before) if before in names else 0
            chosen = newest_first[max(end - size, 0) : end]
        else:
            start = names.index(after) + 1 if after in names else (len(names) if after else 0)
            chosen = newest_first[start : start + size]
        is_last = not chosen or chosen[-1] is newest_first[-1]
        onward = None if is_last else self.external_id(chosen[-1])
        return TownResponse.json(listing([(shape or self._things.thing)(post) for post in chosen], after=onward))

    def answers_of(self, post: TownPost) -> list[TownPost]:
        """Give the direct answers to a post that lists show now; deleted ones with answers keep their place."""
        now = self.clock()
        children = (self.posts[key] for key in self._children.get(post.id, ()))
        return [p for p in children if p.visible_at <= now and not (p.is_deleted and not self._children.get(p.id))]

    # Threads -----------------------------------------------------------------------------------------------

    def _thread(self, _request: TownRequest, match: re.Match[str]) -> TownResponse:
        root = self.posts.get(match.group(1))
        if root is None:
            return self.error(404, "Not Found")
        comments = self._things.tree(root, fold_after=int(self.options["fold_after"]))
        return TownResponse.json([listing([self._things.thing(root)]), listing(comments)])

    def _branch(self, request: TownRequest, match: re.Match[str]) -> TownResponse:
        root, post = self.posts.get(match.group(1)), self.posts.get(match.group(2))
        if root is None or post is None:
            return self.error(404, "Not Found")
        top = post
        for _ in range(request.number("context", 0, low=0)):
            above = self.posts[top.parent_id or ""]
            if not above.parent_id:
                break
            top = above
        return TownResponse.json([listing([self._things.thing(root)]), listing([self._things.nested(top)])])

    def _info(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        wanted = [name.partition("_")[2] for name in request.first("id").split(",")]
        known = [self.posts[post_id] for post_id in wanted if post_id in self.posts]
        return TownResponse.json(listing([self._things.thing(post) for post in known]))

    def _more(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        things: list[dict[str, Any]] = []
        for post_id in request.form().get("children", "").split(","):
            if post_id in self.posts:
                post = self.posts[post_id]
                things += [self._things.thing(p) for p in (post, *self.descendants(post))]
        return _written(things)

    def _comment(self, request: TownRequest, _match: re.Match[str]) -> TownResponse:
        me, form = self.signed_in(request), request.form()
        if me is None:
            return self.error(403, "Forbidden")
        parent = self.posts.get(form.get("thing_id", "").partition("_")[2])
        if self.options["break_minutes"]:
            words = f"Looks like you've been doing that a lot. Take a break for {self.options['break_minutes']} minutes"
            return _refused("RATELIMIT", f"{words} before trying again.", "ratelimit")
        if parent is None or parent.is_deleted:
            return _refused("DELETED_COMMENT", "that comment has been deleted", "parent")
        if self.root_of(parent).extra.get("locked"):
            return _refused("THREAD_LOCKED", "Comments are locked.", "parent")
        text = form.get("text", "")
        if not text.strip() or len(text) > 10_000:
            return _refused("TOO_LONG" if text.strip() else "NO_TEXT", "this is too long (max: 10000)", "text")
        created, visible = self.written_at()
        post = TownPost(
            id=self.new_post_id(created),
            author=me.handle,
            text=text,
            created_at=created,
            visible_at=visible,
            parent_id=parent.id,
            place=parent.place,
        )
        return _written([self._things.thing(self.store_post(post))])


def _written(things: list[dict[str, Any]]) -> TownResponse:
    return TownResponse.json({"json": {"errors": [], "data": {"things": things}}})


def _refused(kind: str, message: str, field: str) -> TownResponse:
    """Reddit refuses with HTTP 200."""
    return TownResponse.json({"json": {"errors": [[kind, message, field]]}})

"""Reddit by praw: mentions of our account and answers to it, communities, a search; threads, answers, refresh.

What Reddit does not give: docs/connectors/reddit.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from praw.endpoints import API_PATH
from praw.models import Comment, MoreComments, Submission

from connectors.base import (
    Account,
    Capabilities,
    Clock,
    Connector,
    ConnectorConfig,
    FetchedPost,
    Pace,
    Page,
    PostKind,
    PostRef,
    PostStatus,
    Receipt,
    ReplyPermission,
    SourceKind,
    utc_now,
)
from connectors.errors import AmbiguousError, AuthError, PermanentError, TransientError
from connectors.reddit_client import RedditClient, RedditConfig
from connectors.reddit_listing import Place, RedditCursor, ask_of, move
from connectors.reddit_posts import RedditRecords, read_listing, read_post, read_statuses
from connectors.reddit_query import build_query
from connectors.transport import Transport

_LISTING_SIZE = 100
_READ_BACK_PAGES = 5
_CLOCK_SKEW = timedelta(seconds=5)
_CLOCK_MARGIN = timedelta(minutes=1)  # our clock may be ahead of Reddit's
_REACH = 1_000


@dataclass(frozen=True, slots=True)
class Listing:
    """One of Reddit's listings that a source reads."""

    name: str
    path: str
    kind: PostKind | None = None
    query: str | None = None

    @property
    def is_anchored(self) -> bool:
        """Whether it can be read on from an item; a search is read from its top each time."""
        return self.query is None


class RedditConnector(Connector):
    """Reddit. One instance per job: praw is not thread-safe."""

    network: ClassVar[str] = "reddit"
    title: ClassVar[str] = "Reddit"
    config_class: ClassVar[type[ConnectorConfig]] = RedditConfig
    # 100 calls a minute, reading and writing together.
    read_pace: ClassVar[Pace | None] = Pace(calls=80, seconds=60)
    write_pace: ClassVar[Pace | None] = Pace(calls=20, seconds=60)
    config: RedditConfig

    def __init__(self, config: ConnectorConfig, *, transport: Transport, clock: Clock = utc_now) -> None:
        if not isinstance(config, RedditConfig):
            raise TypeError("RedditConnector needs a RedditConfig")
        super().__init__(config, transport=transport, clock=clock)
        self.config: RedditConfig = config
        self._client = RedditClient(config, transport=transport, clock=clock)
        self._name = ""

    @property
    def capabilities(self) -> Capabilities:
        """Reading with any app; answering only with an account."""
        is_user = self.config.is_user
        return Capabilities(
            can_search=True,
            can_reply=is_user,
            can_read_back=is_user,
            can_thread=True,
            can_refresh=True,
            max_length=self.config.max_length,
        )

    def check(self) -> Account:
        """Ask Reddit who we are; an app without an account is checked by reading what it is to read."""
        if not self.config.is_user:
            listing = self._listings()[0]
            self._page(listing, {}, 1)
            return Account(external_id="", handle="", display_name="Reddit (reading only)")
        body = self._client.get(API_PATH["me"])
        if not isinstance(body, dict) or "name" not in body:
            raise TransientError("Reddit's answer is unreadable")
        self._name = str(body["name"])
        if body.get("is_suspended"):
            raise AuthError("Reddit has suspended this account")
        return Account(
            external_id=f"t2_{body.get('id', '')}",
            handle=self._name,
            display_name=self._name,
            url=f"https://www.reddit.com/user/{self._name}",
        )

    def fetch(self, cursor: str | None, limit: int) -> Page:
        """Read one page of the listing whose turn it is; the round is over when each has had its turn."""
        at = RedditCursor.parse(cursor)
        listings = self._listings()
        turn = at.turn if at.turn < len(listings) else 0
        listing = listings[turn]
        before = at.places.get(listing.name, Place())
        asked = ask_of(before, recheck_every=self.config.recheck_every, is_anchored=listing.is_anchored)
        size = min(max(limit, 1), _LISTING_SIZE)
        calls = self._client.calls
        records = self._page(listing, asked, size)
        place, posts, goes_on = move(before, records, asked, size)
        turn = turn if goes_on else turn + 1
        more = turn < len(listings)
        after = at.with_place(listing.name, place, turn=turn if more else 0)
        return Page(
            posts=self._select(posts, listing, at),
            cursor=after.dump(),
            more=more,
            bad=records.bad,
            truncated=None if goes_on else _truncation(before, records),
            requests=self._client.calls - calls,
        )

    def end_walk(self, cursor: str) -> str:
        """Stop paging here; every listing goes on with what is new from now on."""
        names = [listing.name for listing in self._listings()]
        return RedditCursor.parse(cursor).ended(names, self.clock() - _CLOCK_MARGIN).dump()

    def end_listing(self, cursor: str) -> str:
        """Stop paging the listing under way and go on to the next."""
        return RedditCursor.parse(cursor).ended_listing([listing.name for listing in self._listings()]).dump()

    def thread(self, post: PostRef) -> tuple[FetchedPost, ...]:
        """Read the submission and its comments, as many as `thread_comments` and `thread_more` allow."""
        root = post.thread_id or self._thread_of(post.external_id)
        submission = self._client.run(lambda: self._load_thread(root))
        audience = read_post(submission).audience
        things: list[Any] = [submission, *submission.comments.list()]
        names = {thing.name for thing in things}
        if post.external_id.startswith("t1_") and post.external_id not in names:
            things += [thing for thing in self._branch(root, post.external_id) if thing.name not in names]
        posts = [read_post(thing) for thing in things if not isinstance(thing, MoreComments)]
        # Times have whole seconds; `things` has parents before children, and sorting keeps that order within one.
        return tuple(replace(item, audience=audience) for item in sorted(posts, key=lambda item: item.created_at))

    def can_reply(self, post: PostRef) -> ReplyPermission:
        """An account may answer; whether the thread is locked, Reddit tells only on trying."""
        if self.config.is_user:
            return ReplyPermission(allowed=True)
        return ReplyPermission(
            allowed=False,
            reason="This source reads Reddit without an account: connect one to answer.",
            permalink=post.url,
        )

    def reply(self, post: PostRef, text: str) -> Receipt:
        """Answer under a comment or a submission."""
        permission = self.can_reply(post)
        if not permission.allowed:
            raise PermanentError(permission.reason)
        reddit = self._client.reddit
        plain_id = post.external_id.partition("_")[2]
        parent = reddit.comment(plain_id) if post.external_id.startswith("t1_") else reddit.submission(plain_id)
        comment = self._client.run(lambda: parent.reply(text), sent=True)
        if not isinstance(comment, Comment):
            raise AmbiguousError("Reddit took the comment but shows it not (a quarantined community)")
        return _receipt(comment)

    def find_reply(self, post: PostRef, text: str, since: datetime) -> Receipt | None:
        """Look through our own comments since then; AmbiguousError if there are more than we can list."""
        earliest = since - _CLOCK_SKEW
        after: str | None = None
        for _ in range(_READ_BACK_PAGES):
            records = self._own_comments(after)
            for item in records.posts:
                is_ours = item.parent_id == post.external_id and _same_words(item.text, text)
                if is_ours and item.created_at >= earliest:
                    return Receipt(external_id=item.external_id, url=item.url, created_at=item.created_at)
            if records.bad:
                raise AmbiguousError("Reddit listed comments of ours that could not be read")
            after = records.after
            if after is None or any(item.created_at < earliest for item in records.posts):
                return None
        raise AmbiguousError("We commented more on Reddit since then than could be listed")

    def refresh(self, external_ids: Sequence[str]) -> tuple[PostStatus, ...]:
        """Look items up by full name, 100 a call."""
        statuses: list[PostStatus] = []
        for start in range(0, len(external_ids), _LISTING_SIZE):
            asked = ",".join(external_ids[start : start + _LISTING_SIZE])
            statuses.extend(read_statuses(self._client.reddit, self._client.get(API_PATH["info"], id=asked)))
        return tuple(statuses)

    def _listings(self) -> tuple[Listing, ...]:
        """Give the listings of a round, always in the same order."""
        config = self.config
        joined = "+".join(config.communities)
        communities = Listing("comments", f"r/{joined}/comments/") if joined else None
        if config.kind is SourceKind.QUERY and config.query is not None:
            path = API_PATH["search"].format(subreddit=joined or "all")
            search = Listing("search", path, query=build_query(config.query))
            return (search, communities) if communities else (search,)
        inbox = (
            Listing("mentions", API_PATH["mentions"], kind=PostKind.MENTION),
            Listing("comment_replies", API_PATH["comment_replies"], kind=PostKind.REPLY),
            Listing("submission_replies", API_PATH["submission_replies"], kind=PostKind.REPLY),
        )
        posts = Listing("posts", f"r/{joined}/new")
        return (*(inbox if config.is_user else ()), *((communities, posts) if communities else ()))

    def _page(self, listing: Listing, asked: dict[str, str], size: int) -> RedditRecords:
        params: dict[str, str | int | None] = {**asked, "limit": size}
        if listing.query is not None:
            params |= {
                "q": listing.query,
                "sort": "new",
                "t": "all",
                "restrict_sr": "true" if self.config.communities else "false",
            }
        body = self._client.get(listing.path, **params)
        return self._records(body, kind=listing.kind)

    def _records(self, body: object, *, kind: PostKind | None = None) -> RedditRecords:
        try:
            return read_listing(self._client.reddit, body, kind=kind)
        except ValueError as error:
            raise TransientError("Reddit's answer is no listing") from error

    def _select(self, posts: Sequence[FetchedPost], listing: Listing, at: RedditCursor) -> tuple[FetchedPost, ...]:
        """Keep what fits the query and came by no other listing, oldest first: Reddit orders by id, not by time."""
        kept = [p for p in posts if self._fits(p) and not at.has_seen_elsewhere(listing.name, p.external_id)]
        return tuple(sorted(kept, key=lambda post: post.created_at))

    def _fits(self, post: FetchedPost) -> bool:
        """Whether a community's comment fits the query: Reddit itself searches submissions only."""
        query = self.config.query if self.config.kind is SourceKind.QUERY else None
        return query is None or post.kind is not PostKind.COMMENT or query.matches(post.text, post.author.handle)

    def _load_thread(self, root: str) -> "Submission":
        submission = self._client.reddit.submission(root.removeprefix("t3_"))
        submission.comment_sort = "old"
        submission.comment_limit = self.config.thread_comments
        submission.comments.replace_more(limit=self.config.thread_more)
        return submission

    def _branch(self, root: str, name: str) -> list[Any]:
        """Read one comment with those above and under it, for threads too long to show whole."""
        path = f"{API_PATH['submission'].format(id=root.removeprefix('t3_'))}_/{name[3:]}"
        listings = self._client.run(lambda: self._client.reddit.get(path, params={"context": 8}))
        found: list[Any] = []
        waiting = list(listings[1].children) if isinstance(listings, list) and len(listings) > 1 else []
        while waiting:
            thing = waiting.pop()
            if isinstance(thing, Comment):
                found.append(thing)
                waiting.extend(vars(thing).get("_replies", ()))
        return found

    def _thread_of(self, name: str) -> str:
        if name.startswith("t3_"):
            return name
        records = self._records(self._client.get(API_PATH["info"], id=name))
        for item in records.posts:
            if item.thread_id:
                return item.thread_id
        raise PermanentError(f"Reddit shows {name} no more")

    def _own_comments(self, after: str | None) -> RedditRecords:
        name = self._name or self.config.username or self.check().handle
        path = f"{API_PATH['user'].format(user=name)}comments"
        return self._records(self._client.get(path, limit=_LISTING_SIZE, sort="new", after=after))


def _truncation(place: Place, records: RedditRecords) -> str | None:
    """Say so when a walk backwards ran into the end of what Reddit lists."""
    is_cut = place.after is not None and place.walked + len(records.names) >= _REACH - _LISTING_SIZE
    return f"Reddit shows the latest {_REACH} items of a listing only." if is_cut and not records.after else None


def _same_words(theirs: str, ours: str) -> bool:
    return " ".join(theirs.split()) == " ".join(ours.split())


def _receipt(comment: "Comment") -> Receipt:
    item = read_post(comment)
    return Receipt(external_id=item.external_id, url=item.url, created_at=item.created_at)

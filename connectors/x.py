"""X by tweepy: mentions of ours or a search, threads, answers with read-back, hiding, refresh.

What X does not give, and what it costs: docs/connectors/x.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from connectors.base import (
    Account,
    Capabilities,
    Clock,
    Connector,
    ConnectorConfig,
    FetchedPost,
    LengthRule,
    Pace,
    Page,
    PostRef,
    PostStatus,
    Receipt,
    ReplyPermission,
    SourceKind,
    utc_now,
)
from connectors.errors import AmbiguousError, AuthError, PermanentError, SourceGoneError
from connectors.transport import Transport
from connectors.x_client import PageTokenError, SinceTooOldError, XClient, XConfig
from connectors.x_cursor import XCursor, advance, next_token
from connectors.x_posts import (
    MEDIA_FIELDS,
    POST_FIELDS,
    USER_FIELDS,
    OwnNames,
    XRecords,
    newer_versions,
    permalink,
    read_records,
    read_statuses,
    same_words,
    time_of,
)
from connectors.x_query import build_query, own_handles

_LOOKUP_SIZE = 100
_READ_BACK_PAGES = 5
_MENTIONS_REACH = 800
_CLOCK_SKEW = timedelta(seconds=5)
_SEARCH_CUT = "X's search reaches back 7 days: posts between the last visit and then were not read."


class XConnector(Connector):
    """X, formerly Twitter. One instance per job."""

    network: ClassVar[str] = "x"
    title: ClassVar[str] = "X"
    config_class: ClassVar[type[ConnectorConfig]] = XConfig
    read_pace: ClassVar[Pace | None] = Pace(calls=300, seconds=900)
    write_pace: ClassVar[Pace | None] = Pace(calls=100, seconds=900)
    config: XConfig

    def __init__(self, config: ConnectorConfig, *, transport: Transport, clock: Clock = utc_now) -> None:
        if not isinstance(config, XConfig):
            raise TypeError("XConnector needs an XConfig")
        super().__init__(config, transport=transport, clock=clock)
        self.config: XConfig = config
        self._client = XClient(config, transport=transport, clock=clock)
        self._account: Account | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Reading with any key; writing only with an account's."""
        config = self.config
        price = config.micros_per_mention if config.kind is SourceKind.OWN else config.micros_per_post
        return Capabilities(
            can_search=True,
            can_reply=config.is_user,
            can_read_back=config.is_user,
            can_thread=True,
            can_hide=config.is_user,
            can_refresh=True,
            max_length=config.max_length,
            length_rule=LengthRule.X_WEIGHTED,
            cost_per_post_micros=price + (config.micros_per_user if config.expand_authors else 0),
            cost_per_reply_micros=config.micros_per_reply,
            cost_per_link_reply_micros=config.micros_per_link_reply,
        )

    def check(self) -> Account:
        """Ask X who we are: the account of the keys, or with a bearer token the account named by `handle`."""
        if self.config.is_user:
            body = self._client.call("get_me", user_fields=USER_FIELDS)
        elif self.config.handle:
            name = self.config.handle.lstrip("@")
            body = self._client.call("get_user", username=name, user_fields=USER_FIELDS)
        elif self.config.kind is SourceKind.QUERY and self.config.query is not None:
            self._client.call("search_recent_tweets", self._query(), max_results=10)
            return Account(external_id="", handle="", display_name="X search")
        else:
            raise AuthError("X: with a bearer token alone, name our account's handle")
        user = body.get("data")
        if not isinstance(user, dict) or "id" not in user:
            raise SourceGoneError("X knows no such account (deleted, suspended or misspelt)")
        handle = str(user.get("username", ""))
        self._account = Account(
            external_id=str(user["id"]),
            handle=handle,
            display_name=str(user.get("name", "")),
            url=f"https://x.com/{handle}",
        )
        return self._account

    def fetch(self, cursor: str | None, limit: int) -> Page:
        """Read one page of the walk: newest first over pages, oldest first within each."""
        at = XCursor.parse(cursor)
        calls = self._client.calls
        truncated = None
        try:
            body = self._ask(at, limit)
        except PageTokenError:
            at = XCursor(since=at.since)
            body = self._ask(at, limit)
        except SinceTooOldError:
            truncated, at = _SEARCH_CUT, XCursor()
            body = self._ask(at, limit)
        records = read_records(body, own=self._own(), all_mention_us=self.config.kind is SourceKind.OWN)
        after, posts, more = advance(at, records.posts, body, limit)
        if self.config.kind is SourceKind.OWN and not more and after.seen >= _MENTIONS_REACH:
            truncated = f"X shows the latest {_MENTIONS_REACH} mentions only."
        return Page(
            posts=posts,
            cursor=(after if more else after.ended()).dump(),
            more=more,
            bad=records.bad,
            truncated=truncated,
            requests=self._client.calls - calls,
            cost_micros=self._cost(records),
        )

    def end_walk(self, cursor: str) -> str:
        """Stop paging here; the next fetch begins from what is newer than this walk's newest post."""
        return XCursor.parse(cursor).ended().dump()

    def thread(self, post: PostRef) -> tuple[FetchedPost, ...]:
        """Read the root and what the last 7 days' search holds of the conversation, oldest first."""
        root = post.thread_id or self._conversation_of(post.external_id)
        wanted = list(dict.fromkeys((root, *([post.parent_id] if post.parent_id else []), post.external_id)))
        found = {item.external_id: item for item in self._read(self._look_up(wanted))}
        token = None
        for _ in range(self.config.thread_pages):
            body = self._client.call(
                "search_recent_tweets",
                f"conversation_id:{root}",
                max_results=_LOOKUP_SIZE,
                next_token=token,
                **self._fields(),
            )
            found.update({item.external_id: item for item in self._read(body)})
            token = next_token(body)
            if token is None:
                break
        return tuple(sorted(found.values(), key=lambda item: int(item.external_id)))

    def can_reply(self, post: PostRef) -> ReplyPermission:
        """X takes an answer only where the author mentioned or quoted us."""
        if not self.config.is_user:
            reason = "These X keys can read only: connect the account itself to answer."
        elif self.config.replies_need_mention and not post.mentions_us:
            reason = "X takes answers by API only to posts that mention or quote us: answer this one on X."
        else:
            return ReplyPermission(allowed=True)
        return ReplyPermission(
            allowed=False, reason=reason, permalink=post.url or permalink(post.author_handle, post.external_id)
        )

    def reply(self, post: PostRef, text: str) -> Receipt:
        """Answer under the post."""
        permission = self.can_reply(post)
        if not permission.allowed:
            raise PermanentError(permission.reason)
        body = self._client.call("create_tweet", sent=True, text=text, in_reply_to_tweet_id=post.external_id)
        data = body.get("data")
        post_id = data.get("id") if isinstance(data, dict) else None
        if not isinstance(post_id, str) or not post_id.isdecimal():
            raise AmbiguousError("X took the answer but gave no id")
        return self._receipt(post_id)

    def find_reply(self, post: PostRef, text: str, since: datetime) -> Receipt | None:
        """Look through our own timeline since then; AmbiguousError if it is longer than we can list."""
        token = None
        for _ in range(_READ_BACK_PAGES):
            body = self._client.call(
                "get_users_tweets",
                self._account_id(),
                start_time=since - _CLOCK_SKEW,
                max_results=_LOOKUP_SIZE,
                pagination_token=token,
                tweet_fields=POST_FIELDS,
            )
            records = read_records(body, own=self._own())
            for item in records.posts:
                is_after = item.created_at >= since - _CLOCK_SKEW
                if item.parent_id == post.external_id and is_after and same_words(text, item.text):
                    return self._receipt(item.external_id)
            if records.bad:
                raise AmbiguousError("X listed posts of ours that could not be read")
            token = next_token(body)
            if token is None:
                return None
        raise AmbiguousError("We posted more on X since then than could be listed")

    def hide(self, post: PostRef) -> None:
        """Hide an answer in a conversation we began."""
        body = self._client.call("hide_reply", post.external_id, sent=True)
        data = body.get("data")
        if not isinstance(data, dict) or data.get("hidden") is not True:
            raise PermanentError("X did not hide the post: it must stand in a conversation we began")

    def refresh(self, external_ids: Sequence[str]) -> tuple[PostStatus, ...]:
        """Look posts up by id; an edited post is read in its newest version."""
        statuses: list[PostStatus] = []
        for start in range(0, len(external_ids), _LOOKUP_SIZE):
            asked = list(external_ids[start : start + _LOOKUP_SIZE])
            body = self._look_up(asked)
            newer = newer_versions(body)
            edited = self._read(self._look_up(list(newer.values()))) if newer else ()
            texts = {item.external_id: item.text for item in edited}
            for status in read_statuses(body, asked):
                text = texts.get(newer.get(status.external_id, ""), status.text)
                statuses.append(replace(status, text=text))
        return tuple(statuses)

    def renew(self) -> Mapping[str, str] | None:
        """Give new values for `oauth2_token` and `refresh_token`: the old pair is dead, store these at once."""
        if self.config.refresh_token is None or not self.config.client_id:
            return None
        return self._client.renew()

    def _query(self) -> str:
        if self.config.query is None:
            raise PermanentError("this X source has no query")
        return build_query(self.config.query, own_handle=self.config.handle, max_length=self.config.max_query_length)

    def _ask(self, at: XCursor, limit: int) -> Mapping[str, Any]:
        if self.config.kind is SourceKind.QUERY:
            return self._client.call(
                "search_recent_tweets",
                self._query(),
                since_id=at.since,
                until_id=at.until,
                next_token=at.page_token,
                max_results=min(max(limit, 10), 100),
                **self._fields(),
            )
        return self._client.call(
            "get_users_mentions",
            self._account_id(),
            since_id=at.since,
            until_id=at.until,
            pagination_token=at.page_token,
            max_results=min(max(limit, 5), 100),
            **self._fields(),
        )

    def _fields(self) -> dict[str, Any]:
        expansions = ["attachments.media_keys"]
        fields: dict[str, Any] = {"tweet_fields": POST_FIELDS, "media_fields": MEDIA_FIELDS}
        if self.config.expand_authors:
            expansions.append("author_id")
            fields["user_fields"] = USER_FIELDS
        return {**fields, "expansions": expansions}

    def _own(self) -> OwnNames:
        account_id = self._account.external_id if self._account else self.config.account_id
        handle = self._account.handle if self._account else self.config.handle
        return OwnNames(account_id=account_id, handles=own_handles(self.config.query, handle))

    def _account_id(self) -> str:
        """Our number on X: configured, or looked up once per job."""
        if self.config.account_id:
            return self.config.account_id
        return (self._account or self.check()).external_id

    def _look_up(self, post_ids: list[str]) -> Mapping[str, Any]:
        return self._client.call("get_tweets", post_ids, **self._fields())

    def _conversation_of(self, post_id: str) -> str:
        """Give the root of a post's thread; PermanentError when the post is gone."""
        for item in self._read(self._look_up([post_id])):
            return item.thread_id or item.external_id
        raise PermanentError(f"X shows the post {post_id} no more")

    def _read(self, body: Mapping[str, Any]) -> tuple[FetchedPost, ...]:
        return read_records(body, own=self._own()).posts

    def _cost(self, records: XRecords) -> int:
        config = self.config
        price = config.micros_per_mention if config.kind is SourceKind.OWN else config.micros_per_post
        return (len(records.posts) + len(records.bad)) * price + records.users * config.micros_per_user

    def _receipt(self, post_id: str) -> Receipt:
        return Receipt(external_id=post_id, url=permalink(self._own_handle(), post_id), created_at=time_of(post_id))

    def _own_handle(self) -> str:
        return self._account.handle if self._account else self.config.handle.lstrip("@")

"""Mastodon and compatible servers (GoToSocial, Pleroma, …) by Mastodon.py: free, open, no review.

A post's id is its status URI, the same on every server that shows it; the server's own ids stay inside. Docs:
docs/connectors/mastodon.md.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.base import (
    Account,
    BadRecord,
    Capabilities,
    Connector,
    ConnectorConfig,
    FetchedPost,
    LengthRule,
    Pace,
    Page,
    PostKind,
    PostRef,
    PostStatus,
    Receipt,
    SourceKind,
)
from connectors.errors import AmbiguousError, ConnectorError, PermanentError, SourceGoneError
from connectors.length import measure
from connectors.mastodon_client import MastodonClient
from connectors.mastodon_posts import BadStatusError, read_author, read_status
from connectors.mastodon_streams import MastodonCursor, Position, Stream, advance, load_cursor, not_before, plan_streams
from connectors.text import html_to_text, same_text

MOST_MENTIONS = 80  # a page of notifications
MOST_STATUSES = 40  # a page of anything else
READ_BACK_PAGES = 10
MENTION_RESERVE = 32  # kept for "@author " in front: names have 30 characters at most, hosts are not counted
CLOCK_MARGIN = timedelta(minutes=5)  # our clock and the server's may differ by this much
_PRIVATE = {"private", "direct"}


class MastodonConfig(ConnectorConfig):
    """Settings of a Mastodon source."""

    server: str = Field(default="mastodon.social", description="The server's host name")
    access_token: SecretStr = Field(
        default=SecretStr(""), description="Access token with read and write:statuses (not needed for hashtags)"
    )
    max_characters: int = Field(
        default=500,
        ge=1,
        le=1_000_000,
        description="The server's own limit for a post (asked of the server when the source is added)",
    )
    private_mentions: bool = Field(
        default=False, description="Also read mentions sent to us alone; answers go back the same way"
    )

    @field_validator("server")
    @classmethod
    def only_the_host(cls, server: str) -> str:
        """Accept a pasted address too."""
        host = server.strip().lower().removeprefix("https://").removeprefix("http://").split("/")[0]
        if not host or any(char.isspace() or char == "@" for char in host):
            raise ValueError("server is a host name such as mastodon.social")
        return host

    @model_validator(mode="after")
    def has_what_it_needs(self) -> "MastodonConfig":
        """Mentions need a token, a query its words."""
        if self.kind is SourceKind.OWN and not self.access_token.get_secret_value():
            raise ValueError("reading our own mentions needs an access token")
        if self.kind is SourceKind.QUERY and self.query is None:
            raise ValueError("a listening source needs a query")
        return self


class MastodonConnector(Connector):
    """Mentions of our account, or hashtags and search; threads, replies, read-back, edits and deletions."""

    network: ClassVar[str] = "mastodon"
    title: ClassVar[str] = "Mastodon"
    config_class: ClassVar[type[ConnectorConfig]] = MastodonConfig
    # 300 calls in 5 minutes are the usual allowance, reading and writing together.
    read_pace: ClassVar[Pace | None] = Pace(calls=250, seconds=300)
    write_pace: ClassVar[Pace | None] = Pace(calls=50, seconds=300)
    config: MastodonConfig

    def __init__(self, config: ConnectorConfig, **given: Any) -> None:
        super().__init__(config, **given)
        self._client = MastodonClient(
            self.config.server,
            self.config.access_token.get_secret_value(),
            api_url=self.config.api_url,
            transport=self.transport,
        )

    @property
    def capabilities(self) -> Capabilities:
        """Everything with a token, reading hashtags and threads without."""
        has_token = bool(self.config.access_token.get_secret_value())
        return Capabilities(
            can_search=True,
            can_reply=has_token,
            can_read_back=has_token,
            can_thread=True,
            can_refresh=True,
            max_length=max(self.config.max_characters - MENTION_RESERVE, 1),
            length_rule=LengthRule.MASTODON,
        )

    def check(self) -> Account:
        """Give our account; without a token, the server's name."""
        if not self.capabilities.can_reply:
            info = self._client.instance()
            return Account(
                external_id=self.config.server, handle=self.config.server, display_name=str(info.get("title", ""))
            )
        me = self._client.ask(lambda api: api.account_verify_credentials())
        try:
            author = read_author(me, self.config.server)
        except (BadStatusError, AttributeError) as error:
            raise SourceGoneError(f"{self.config.server} does not answer like a Mastodon server") from error
        if "max_characters" not in self.config.model_fields_set:
            self._learn_length()
        return Account(author.external_id, author.handle, author.display_name, author.url)

    def _learn_length(self) -> None:
        """Take the server's own limit into the settings, where none was set; without its word, 500 stays."""
        try:
            told = self.read_max_characters()
        except ConnectorError:
            return
        if told is not None:
            self.config = self.config.model_copy(update={"max_characters": told})

    def read_max_characters(self) -> int | None:
        """Ask the server how long a post may be; None if it does not say."""
        info = self._client.instance()
        limits = info.get("configuration") or {}
        value = (limits.get("statuses") or {}).get("max_characters") or info.get("max_toot_chars")
        return value if isinstance(value, int) and value > 0 else None

    # Reading -----------------------------------------------------------------------------------------------

    def fetch(self, cursor: str | None, limit: int) -> Page:
        """Read one page of the list whose turn it is."""
        before = self._client.calls
        loaded = load_cursor(cursor)
        state = loaded or MastodonCursor()
        streams = self._streams()
        turn = state.turn if 0 <= state.turn < len(streams) else 0
        stream = streams[turn]
        position = state.positions.get(stream.name, Position())
        size = min(limit, MOST_MENTIONS if stream.kind == "mentions" else MOST_STATUSES)
        entries = self._list(stream, position, size)
        ids = [str(entry.get("id") or "") for entry in entries if isinstance(entry, Mapping)]
        recent = not_before(entries, position.floor)
        is_last = len(recent) < len(entries) or not _has_next(entries, size)
        moved, is_done = advance(position, ids, is_forward=stream.is_forward, is_last=is_last)
        if is_done:
            turn += 1
        following = state.with_position(stream.name, moved, turn=turn % len(streams))
        posts, bad = self._read(stream, recent)
        return Page(
            posts=tuple(sorted(posts, key=lambda post: (post.created_at, post.external_id))),
            bad=tuple(bad),
            cursor=following.dump(),
            more=not is_done or turn < len(streams),
            truncated=None if loaded else "the saved position could not be read: started anew from the newest",
            requests=self._client.calls - before,
        )

    def end_walk(self, cursor: str) -> str:
        """Close the walks under way: from now on, what is new since they began; in lists not read yet, since now."""
        names = [stream.name for stream in self._streams()]
        return (load_cursor(cursor) or MastodonCursor()).ended(names, self.clock() - CLOCK_MARGIN).dump()

    def end_listing(self, cursor: str) -> str:
        """Close the walk of the list under way and go on to the next."""
        names = [stream.name for stream in self._streams()]
        return (load_cursor(cursor) or MastodonCursor()).ended_list(names).dump()

    def _streams(self) -> list[Stream]:
        if self.config.kind is SourceKind.OWN or self.config.query is None:
            return [Stream("mentions"), Stream("ours")]  # ours: answers given elsewhere, posts people answer
        return plan_streams(self.config.query, can_search=self.capabilities.can_reply)

    def _list(self, stream: Stream, position: Position, size: int) -> Sequence[Any]:
        """Ask for one page of a list, in whatever order the server gives it."""
        where = {"min_id": position.since} if position.since and not position.is_walking else {}
        if position.is_walking:
            where = {"max_id": position.lowest}
            if position.since:
                where["since_id" if stream.is_forward else "min_id"] = position.since
        match stream.kind:
            case "mentions":
                found = self._client.ask(lambda api: api.notifications(types=["mention"], limit=size, **where))
            case "ours":
                me = self._client.ask(lambda api: api.account_verify_credentials())
                found = self._client.ask(
                    lambda api: api.account_statuses(me["id"], limit=size, exclude_reblogs=True, **where)
                )
            case "tag":
                found = self._tag_page(stream.value, size, where)
            case _:
                answer = self._client.ask(
                    lambda api: api.search_v2(
                        stream.value,
                        resolve=False,
                        result_type="statuses",
                        limit=size,
                        exclude_unreviewed=False,
                        **where,
                    )
                )
                found = answer.get("statuses") or []
        if not isinstance(found, list):
            raise PermanentError(f"{self.config.server} does not answer like a Mastodon server")
        return found

    def _tag_page(self, tag: str, size: int, where: Mapping[str, str]) -> Any:
        """A hashtag nobody has used yet is 404 on some servers: nothing said, not a lost source."""
        try:
            return self._client.ask(lambda api: api.timeline_hashtag(tag, limit=size, **where), gone=PermanentError)
        except PermanentError:
            if self._client.last_status() not in {404, 410}:
                raise
            self._client.instance()  # 404 for every address would be another matter: this raises then
            return []

    def _read(self, stream: Stream, entries: Sequence[Any]) -> tuple[list[FetchedPost], list[BadRecord]]:
        is_note = stream.kind == "mentions"
        notes = [e for e in entries if not is_note or not isinstance(e, Mapping) or e.get("type") == "mention"]
        statuses = [e.get("status") if is_note and isinstance(e, Mapping) else e for e in notes]
        readable = [s for s in statuses if isinstance(s, Mapping)]
        parents = self._client.parent_uris(readable)
        posts: list[FetchedPost] = []
        bad: list[BadRecord] = []
        for entry, status in zip(notes, statuses, strict=True):
            if not isinstance(status, Mapping):
                bad.append(_bad(entry, "there is no status in it"))
                continue
            if status.get("visibility") in _PRIVATE and not self.config.private_mentions:
                continue
            kind = PostKind.MENTION if is_note and not status.get("in_reply_to_id") else None
            try:
                post = read_status(status, server=self.config.server, parents=parents, kind=kind, mentions_us=is_note)
            except (BadStatusError, TypeError, ValueError, AttributeError) as error:
                bad.append(_bad(entry, str(error)))
                continue
            if is_note or self._is_wanted(stream, post):
                posts.append(post)
        return posts, bad

    def _is_wanted(self, stream: Stream, post: FetchedPost) -> bool:
        query = self.config.query
        if query is None:
            return True
        if query.language and post.language_hint and post.language_hint[:2] != query.language:
            return False
        text = f"{post.title} {post.text} {stream.term}"
        local = post.author.handle.removesuffix(f"@{self.config.server}")
        return query.matches(text, post.author.handle) and query.matches(text, local)

    def thread(self, post: PostRef) -> tuple[FetchedPost, ...]:
        """Give what stands above and below a post, root first."""
        native = self._client.native_id(post.external_id)
        asked = self._client.ask(lambda api: api.status(native), gone=PermanentError)
        context = self._client.ask(lambda api: api.status_context(native), gone=PermanentError)
        statuses = [*(context.get("ancestors") or []), asked, *(context.get("descendants") or [])]
        uris = {str(status.get("id")): str(status.get("uri")) for status in statuses}
        return tuple(self._readable(statuses, uris))

    def _readable(self, statuses: Iterable[Any], uris: Mapping[str, str]) -> Iterable[FetchedPost]:
        for status in statuses:
            if status.get("visibility") in _PRIVATE and not self.config.private_mentions:
                continue
            try:
                yield read_status(status, server=self.config.server, parents=uris)
            except (BadStatusError, TypeError, ValueError, AttributeError):
                continue  # context around a post; the post itself is quarantined where it is fetched

    def refresh(self, external_ids: Sequence[str]) -> tuple[PostStatus, ...]:
        """Ask what became of posts. Those of other servers are left out when they are not found: see the docs."""
        own = f"https://{self.config.server}/"
        natives = {self._client.native_id(uri): uri for uri in external_ids if uri.startswith(own)}
        found = self._client.statuses(list(natives))
        states = [
            _status_of(uri, found.get(native) or self._client.status_or_none(native)) for native, uri in natives.items()
        ]
        for uri in external_ids:
            if not uri.startswith(own):
                try:
                    native = self._client.native_id(uri)
                except PermanentError:
                    continue
                states.append(_status_of(uri, self._client.status_or_none(native)))
        return tuple(states)

    # Writing -----------------------------------------------------------------------------------------------

    def reply(self, post: PostRef, text: str) -> Receipt:
        """Answer in public, or as privately as we were asked; the author is mentioned, as readers expect."""
        permission = self.can_reply(post)
        if not permission.allowed:
            raise PermanentError(permission.reason)
        native = self._client.native_id(post.external_id)
        parent = self._client.ask(lambda api: api.status(native), gone=PermanentError)
        mention = f"@{parent.account.acct}"
        full = text if mention.casefold() in text.casefold() else f"{mention} {text}"
        length = measure(full, LengthRule.MASTODON)
        if length > self.config.max_characters:
            limit = self.config.max_characters
            raise PermanentError(f"with {mention} the reply has {length} characters; the server takes {limit}")
        key = hashlib.sha256(f"{native}\n{full}".encode("utf-8", "replace")).hexdigest()
        sent = self._client.ask(
            lambda api: api.status_post(
                full,
                in_reply_to_id=native,
                visibility=parent.get("visibility") or "public",
                spoiler_text=parent.get("spoiler_text") or None,
                idempotency_key=key,
            ),
            sent=True,
        )
        try:
            stands = read_status(sent, server=self.config.server, parents={})
        except (BadStatusError, TypeError, ValueError, AttributeError) as error:
            raise AmbiguousError(f"{self.config.server} took the reply but did not show it") from error
        return Receipt(stands.external_id, stands.url, stands.created_at)

    def find_reply(self, post: PostRef, text: str, since: datetime) -> Receipt | None:
        """Look through what we ourselves have posted since then for an answer to this post."""
        native = self._client.native_id(post.external_id)
        me = self._client.ask(lambda api: api.account_verify_credentials())
        oldest, max_id = since - CLOCK_MARGIN, None
        for _ in range(READ_BACK_PAGES):
            page = self._own_statuses(str(me["id"]), max_id)
            for status in page:
                is_answer = str(status.get("in_reply_to_id")) == native
                if is_answer and same_text(html_to_text(str(status.get("content") or "")), text):
                    return Receipt(str(status["uri"]), status.get("url"), status.get("created_at"))
            dates = [status.get("created_at") for status in page]
            if not page or not _has_next(page, MOST_STATUSES) or any(d is not None and d < oldest for d in dates):
                return None
            max_id = str(page[-1]["id"])
        raise AmbiguousError(f"{self.config.server} lists more of our posts than can be looked through")

    def _own_statuses(self, account_id: str, max_id: str | None) -> Sequence[Any]:
        page: Sequence[Any] = self._client.ask(
            lambda api: api.account_statuses(account_id, limit=MOST_STATUSES, max_id=max_id)
        )
        return page

    def diagnostics(self) -> Mapping[str, Any]:
        """Give facts for a support ticket."""
        return {**super().diagnostics(), "server": self.config.server}


def _has_next(entries: Sequence[Any], size: int) -> bool:
    """Whether the server says, or the page's length suggests, that there is more the same way."""
    return bool(entries) and (len(entries) >= size or getattr(entries, "_pagination_next", None) is not None)


def _bad(entry: object, reason: str) -> BadRecord:
    native = str(entry.get("id")) if isinstance(entry, Mapping) else None
    return BadRecord(raw=json.dumps(entry, default=str, ensure_ascii=False), reason=reason, external_id=native)


def _status_of(uri: str, status: Any | None) -> PostStatus:
    if status is None:
        return PostStatus(uri, is_deleted=True)
    try:
        post = read_status(status, server="", parents={})
    except (BadStatusError, TypeError, ValueError, AttributeError):
        return PostStatus(uri, is_deleted=False)
    return PostStatus(uri, False, post.text, post.edited_at, post.likes, post.replies)

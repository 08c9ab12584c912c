"""Facebook Pages by facebook-sdk: our page's feed, posts that tag it, comments; answers, hiding, refresh.

Depends on three calls of `GraphApi` alone (get, a page of a connection, post), so that another client can take
its place. What Facebook does not give: docs/connectors/facebook.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic import Field, SecretStr

from connectors.base import (
    Account,
    BadRecord,
    Capabilities,
    Clock,
    Connector,
    ConnectorConfig,
    FetchedPost,
    Page,
    PostKind,
    PostRef,
    PostStatus,
    Receipt,
    SourceKind,
    utc_now,
)
from connectors.errors import AmbiguousError, AuthError, BadQueryError, PermanentError, SourceGoneError
from connectors.facebook_cursor import FacebookCursor, Mark, Strand, Watched, item_of
from connectors.facebook_posts import (
    COMMENT_FIELDS,
    POST_FIELDS,
    UNREADABLE,
    Where,
    has_comments,
    read_post,
    read_records,
    updated_at,
)
from connectors.graph_api import OFFICIAL_URL, GraphApi, MissingNodeError
from connectors.text import clean_text
from connectors.transport import Transport

_TAGGED_FIELDS = "id,message,created_time,tagged_time,permalink_url,from{id,name,link}"
_STATUS_FIELDS = "id,message,created_time"
_PAGE_SIZE = 100
_BATCH = 50
_READ_BACK_PAGES = 5
_THREAD_PAGES = 5
_CLOCK_SKEW = timedelta(seconds=5)
_CLOCK_MARGIN = timedelta(minutes=1)  # our clock may be ahead of Facebook's
_SETTLED_SECONDS = 2  # times have whole seconds: what changed just now may change again within the same one


class FacebookConfig(ConnectorConfig):
    """A page we run and its token. Versions live about two years: set `version` when Facebook retires one."""

    page_id: str = Field(pattern=r"^\d+$", description="The page's number")
    page_token: SecretStr = Field(description="The page's access token (not a person's)")
    app_secret: SecretStr | None = Field(default=None, description="The app's secret: proves each call")
    version: str = Field(default="26.0", pattern=r"^v?\d+\.\d+$", description="Version of the Graph API")
    watch_posts: int = Field(default=100, ge=1, le=500, description="Latest posts whose comments are read")
    max_length: int = Field(default=8_000, ge=1, description="Longest comment Facebook takes")


class FacebookConnector(Connector):
    """A Facebook page of ours. One instance per job."""

    network: ClassVar[str] = "facebook"
    title: ClassVar[str] = "Facebook"
    config_class: ClassVar[type[ConnectorConfig]] = FacebookConfig
    config: FacebookConfig

    def __init__(self, config: ConnectorConfig, *, transport: Transport, clock: Clock = utc_now) -> None:
        if not isinstance(config, FacebookConfig):
            raise TypeError("FacebookConnector needs a FacebookConfig")
        super().__init__(config, transport=transport, clock=clock)
        self.config: FacebookConfig = config
        self._graph: GraphApi | None = None

    @property
    def capabilities(self) -> Capabilities:
        """All but search: Facebook has no public search by words."""
        return Capabilities(
            can_reply=True,
            can_read_back=True,
            can_thread=True,
            can_hide=True,
            can_refresh=True,
            max_length=self.config.max_length,
        )

    def check(self) -> Account:
        """Ask Facebook for the page, and whether the token is the page's own."""
        self._refuse_query()
        page_id = self.config.page_id
        body = self._api.get_object("me", fields="id,name,username,link")
        if str(body.get("id")) != page_id:
            raise AuthError(
                "This token is not the page's: with a person's token, read the page's from /me/accounts and enter that."
            )
        return Account(
            external_id=page_id,
            handle=str(body.get("username") or body.get("name") or page_id),
            display_name=str(body.get("name") or ""),
            url=str(body["link"]) if body.get("link") else f"https://www.facebook.com/{page_id}",
        )

    def fetch(self, cursor: str | None, limit: int) -> Page:
        """Read one page: of comments waiting to be read, else of the feed, else of the posts that tag us."""
        self._refuse_query()
        at = FacebookCursor.parse(cursor)
        calls = self._api.calls
        size = min(max(limit, 1), _PAGE_SIZE)
        if at.queue:
            step = self._read_comments(at, size)
        elif not at.feed.is_done:
            step = self._read_feed(at, size)
        else:
            step = self._read_tagged(at, size)
        more = step.cursor.is_walking
        return Page(
            posts=tuple(sorted(step.posts, key=lambda post: (post.created_at, post.external_id))),
            cursor=(step.cursor if more else step.cursor.next_round()).dump(),
            more=more,
            bad=step.bad,
            truncated=step.truncated,
            requests=self._api.calls - calls,
        )

    def end_walk(self, cursor: str) -> str:
        """Stop paging here; the next fetch begins from what is newer."""
        return FacebookCursor.parse(cursor).ended(int((self.clock() - _CLOCK_MARGIN).timestamp())).dump()

    def end_listing(self, cursor: str) -> str:
        """Stop paging the feed, the tags or one post's comments, and go on with the others."""
        after = FacebookCursor.parse(cursor).ended_listing()
        return (after if after.is_walking else after.next_round()).dump()

    def thread(self, post: PostRef) -> tuple[FetchedPost, ...]:
        """Read the post and its comments with their answers, oldest first."""
        root_id = post.thread_id or post.external_id
        page_id = self.config.page_id
        try:
            root = read_post(self._api.get_object(root_id, fields=POST_FIELDS), Where(page_id, PostKind.POST))
        except MissingNodeError as error:
            raise PermanentError("Facebook shows this thread no more") from error
        except UNREADABLE as error:
            raise PermanentError("Facebook's record of this thread is unreadable") from error
        where = Where(page_id, PostKind.COMMENT, root_id)
        posts = [root]
        onward: Mapping[str, str] | None = {}
        for _ in range(_THREAD_PAGES):
            if onward is None:
                break
            records, onward = self._comments(root_id, order="chronological", onward=onward)
            posts.extend(read_records(records, where)[0])
        return tuple(posts)

    def reply(self, post: PostRef, text: str) -> Receipt:
        """Comment under a post, or answer a comment, as the page."""
        try:
            body = self._api.put_object(post.external_id, "comments", message=text)
        except MissingNodeError as error:
            raise PermanentError("Facebook shows the post to answer no more") from error
        comment_id = body.get("id")
        if not isinstance(comment_id, str) or not comment_id:
            raise AmbiguousError("Facebook took the comment but gave no id")
        return Receipt(external_id=comment_id, url=f"https://www.facebook.com/{comment_id}")

    def find_reply(self, post: PostRef, text: str, since: datetime) -> Receipt | None:
        """Look for our comment in the thread, newest first; AmbiguousError if it is too long to list."""
        root_id = post.thread_id or post.external_id
        where = Where(self.config.page_id, PostKind.COMMENT, root_id)
        parents = {post.external_id, post.parent_id} - {None}  # an answer to an answer is put beside it
        earliest = since - _CLOCK_SKEW
        onward: Mapping[str, str] | None = {}
        for _ in range(_READ_BACK_PAGES):
            try:
                records, onward = self._comments(root_id, order="reverse_chronological", onward=onward or {})
            except MissingNodeError:
                return None
            posts, bad = read_records(records, where)
            for item in posts:
                is_ours = item.author.external_id == self.config.page_id and item.parent_id in parents
                if is_ours and item.created_at >= earliest and _same_words(item.text, text):
                    return Receipt(external_id=item.external_id, url=item.url, created_at=item.created_at)
            if bad:
                raise AmbiguousError("Facebook listed comments that could not be read")
            if onward is None or any(item.created_at < earliest for item in posts):
                return None
        raise AmbiguousError("The thread has more new comments than could be listed")

    def hide(self, post: PostRef) -> None:
        """Hide a comment on our page: its author and their friends still see it."""
        try:
            body = self._api.request(f"{self._api.version}/{post.external_id}", post_args={"is_hidden": "true"})
        except MissingNodeError as error:
            raise PermanentError("Facebook shows this comment no more") from error
        if body.get("success") is not True:
            raise PermanentError("Facebook did not hide this: only comments under our page's posts can be hidden")

    def refresh(self, external_ids: Sequence[str]) -> tuple[PostStatus, ...]:
        """Look records up, 50 a call; one that is gone spoils such a call, so then each is asked for alone."""
        statuses: list[PostStatus] = []
        for start in range(0, len(external_ids), _BATCH):
            asked = list(external_ids[start : start + _BATCH])
            try:
                found = self._api.get_objects(asked, fields=_STATUS_FIELDS)
            except PermanentError:
                statuses.extend(status for post_id in asked if (status := self._status_of(post_id)))
                continue
            statuses.extend(status for post_id in asked if (status := _status(post_id, found.get(post_id))))
        return tuple(statuses)

    @property
    def _api(self) -> GraphApi:
        if self._graph is None:
            config = self.config
            self._graph = GraphApi(
                config.page_token.get_secret_value(),
                version=config.version,
                session=self.transport.session(OFFICIAL_URL, config.api_url),
                app_secret=config.app_secret.get_secret_value() if config.app_secret else "",
            )
        return self._graph

    def _refuse_query(self) -> None:
        if self.config.kind is SourceKind.QUERY:
            raise BadQueryError(
                "Facebook has no search by words: connect your page to hear its comments and the posts that tag it."
            )

    def _read_feed(self, at: FacebookCursor, size: int) -> "_Step":
        where = Where(self.config.page_id, PostKind.POST)
        strand, step, records = self._read_strand("feed", at.feed, POST_FIELDS, where, size)
        moved = at
        for record in records:
            moved = self._watch(moved, record, at.feed.mark.time)
        return replace(step, cursor=replace(moved, feed=strand))

    def _read_tagged(self, at: FacebookCursor, size: int) -> "_Step":
        where = Where(self.config.page_id, PostKind.MENTION)
        strand, step, _ = self._read_strand("tagged", at.tagged, _TAGGED_FIELDS, where, size)
        return replace(step, cursor=replace(at, tagged=strand))

    def _read_strand(
        self, connection: str, strand: Strand, fields: str, where: Where, size: int
    ) -> tuple[Strand, "_Step", list[Any]]:
        try:
            records, onward = self._api.get_page(
                self.config.page_id, connection, fields=fields, limit=size, **(strand.after or {})
            )
        except MissingNodeError as error:
            raise SourceGoneError("Facebook shows this page no more") from error
        after, step = _take(strand, records, onward, where)
        return after, step, records

    def _read_comments(self, at: FacebookCursor, size: int) -> "_Step":
        post_id = at.queue[0]
        strand = at.watch.get(post_id, Watched()).strand
        try:
            records, onward = self._comments(
                post_id, order="reverse_chronological", onward=strand.after or {}, size=size
            )
        except MissingNodeError:
            return _Step(at.without(post_id))
        except PermanentError as error:
            return _Step(at.without(post_id), truncated=f"Comments of one post were not read. {error.message}")
        after, step = _take(strand, records, onward, Where(self.config.page_id, PostKind.COMMENT, post_id))
        return replace(step, cursor=at.commented(post_id, after))

    def _watch(self, at: FacebookCursor, record: object, known_until: int) -> FacebookCursor:
        """Put a post among those watched, and its comments in the queue if they changed since."""
        post_id = record.get("id") if isinstance(record, dict) else None
        if not isinstance(post_id, str):
            return at
        version = updated_at(record)
        settled = min(version, int(self.clock().timestamp()) - _SETTLED_SECONDS)
        held = at.watch.get(post_id, Watched(known_until, Strand(mark=Mark(known_until))))
        is_changed = version > held.version
        watched = Watched(settled if is_changed else version, held.strand)
        return at.watching(
            post_id, watched, most=self.config.watch_posts, is_queued=is_changed and has_comments(record)
        )

    def _comments(
        self, post_id: str, *, order: str, onward: Mapping[str, str], size: int = _PAGE_SIZE
    ) -> tuple[list[Any], dict[str, str] | None]:
        """Read a page of comments, answers among them (`filter=stream`)."""
        return self._api.get_page(
            post_id, "comments", fields=COMMENT_FIELDS, filter="stream", order=order, limit=size, **onward
        )

    def _status_of(self, post_id: str) -> PostStatus | None:
        try:
            return _status(post_id, self._api.get_object(post_id, fields=_STATUS_FIELDS))
        except MissingNodeError:
            return PostStatus(external_id=post_id, is_deleted=True)
        except PermanentError:
            return None


@dataclass(frozen=True, slots=True)
class _Step:
    """What one page of a listing gave."""

    cursor: FacebookCursor
    posts: tuple[FetchedPost, ...] = ()
    bad: tuple[BadRecord, ...] = ()
    truncated: str | None = None


def _take(strand: Strand, records: list[Any], onward: Mapping[str, str] | None, where: Where) -> tuple[Strand, _Step]:
    """Read a page's records: those newer than the strand's mark, and the strand after them."""
    posts, bad = read_records(records, where)
    items = {item[0]: item for record in records if isinstance(record, dict) and (item := item_of(record))}
    fresh = tuple(post for post in posts if strand.mark.is_new(items[post.external_id]))
    # A bad record often has no time: it counts as new where its page has something new or nothing readable.
    bad = bad if fresh or not posts else ()
    return strand.moved(list(items.values()), onward), _Step(FacebookCursor(), fresh, bad)


def _status(post_id: str, record: object) -> PostStatus | None:
    if not isinstance(record, dict) or record.get("id") is None:
        return None
    message = record.get("message")
    return PostStatus(
        external_id=post_id, is_deleted=False, text=clean_text(message).strip() if isinstance(message, str) else None
    )


def _same_words(theirs: str, ours: str) -> bool:
    return " ".join(theirs.split()) == " ".join(clean_text(ours).split())

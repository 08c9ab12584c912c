"""The in-memory network passes the contract, and every check of the contract can go red."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest import SkipTest

import pytest

from connectors.base import Capabilities, FetchedPost, Page, PostRef, PostStatus, Receipt, ReplyPermission
from connectors.contract import ConnectorContract, ContractError
from connectors.errors import AmbiguousError, ConnectorError, RateLimitedError, TransientError
from connectors.fake import FakeConnector
from tests.fake_world import SECRET, FakeWorld


class TestFake(ConnectorContract):
    @pytest.fixture
    def world(self) -> FakeWorld:
        return FakeWorld()


class TestReadOnlyFake(ConnectorContract):
    @pytest.fixture
    def world(self) -> FakeWorld:
        return FakeWorld(can_reply=False)


class CallsOnConstruction(FakeConnector):
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        self._network()


class ShowsSecret(FakeConnector):
    def diagnostics(self) -> dict[str, object]:
        return {"token": self.settings.token.get_secret_value()}


class NoAccount(FakeConnector):
    def check(self) -> None:  # type: ignore[override]  # wrong on purpose
        return None


class OnePageOnly(FakeConnector):
    def fetch(self, cursor: str | None, limit: int) -> Page:
        return replace(super().fetch(cursor, limit), more=False)


class NewestFirst(FakeConnector):
    def fetch(self, cursor: str | None, limit: int) -> Page:
        page = super().fetch(cursor, limit)
        return replace(page, posts=page.posts[::-1])


class IgnoresLimit(FakeConnector):
    def fetch(self, cursor: str | None, limit: int) -> Page:
        return super().fetch(cursor, limit + 1)


class EscapedText(FakeConnector):
    def fetch(self, cursor: str | None, limit: int) -> Page:
        page = super().fetch(cursor, limit)
        return replace(page, posts=tuple(replace(p, text=p.text.replace("<", "&lt;")) for p in page.posts))


class CursorToNewest(FakeConnector):
    """Obsei's fault: the cursor is what is newest there, not what was returned."""

    def fetch(self, cursor: str | None, limit: int) -> Page:
        page = super().fetch(cursor, limit)
        items = self._network().items
        return replace(page, cursor=str(items[-1].number) if items else cursor, more=False)


class MarksAsRead(FakeConnector):
    """What was fetched once is gone from the network's unread list, stored or not."""

    def fetch(self, cursor: str | None, limit: int) -> Page:
        page = super().fetch(cursor, limit)
        network = self._network()
        gone = {post.external_id for post in page.posts}
        network.items = [i for i in network.items if i.post is None or i.post.external_id not in gone]
        return page


class HiddenState(FakeConnector):
    _seen: str | None = None

    def fetch(self, cursor: str | None, limit: int) -> Page:  # noqa: ARG002 - the fault is to ignore it
        page = super().fetch(self._seen, limit)
        self._seen = page.cursor
        return page


class RepeatsLast(FakeConnector):
    def fetch(self, cursor: str | None, limit: int) -> Page:
        behind = str(max(int(cursor) - 1, 0)) if cursor and cursor.isdigit() else cursor
        page = super().fetch(behind, limit)
        return page if len(page.posts) > 1 else replace(page, more=False)


class EndsWalkPastNew(FakeConnector):
    def end_walk(self, cursor: str) -> str:
        return str(int(cursor) + 1000)


class CrashesOnCursor(FakeConnector):
    def fetch(self, cursor: str | None, limit: int) -> Page:
        return super().fetch(str(int(cursor)) if cursor else None, limit)


class DropsReplies(FakeConnector):
    def fetch(self, cursor: str | None, limit: int) -> Page:
        page = super().fetch(cursor, limit)
        return replace(page, posts=tuple(post for post in page.posts if post.parent_id is None))

    def thread(self, post: PostRef) -> tuple[FetchedPost, ...]:
        return super().thread(post)[:1]


class DropsBadRecords(FakeConnector):
    def fetch(self, cursor: str | None, limit: int) -> Page:
        return replace(super().fetch(cursor, limit), bad=())


class EverythingTransient(FakeConnector):
    def fetch(self, cursor: str | None, limit: int) -> Page:
        try:
            return super().fetch(cursor, limit)
        except ConnectorError as error:
            raise TransientError("hm") from error

    def check(self) -> None:  # type: ignore[override]  # wrong on purpose
        raise TransientError("hm")


class SleepsOnLimit(FakeConnector):
    def fetch(self, cursor: str | None, limit: int) -> Page:
        try:
            return super().fetch(cursor, limit)
        except RateLimitedError:
            time.sleep(0.2)
            raise


class GuessesWait(FakeConnector):
    def fetch(self, cursor: str | None, limit: int) -> Page:
        try:
            return super().fetch(cursor, limit)
        except RateLimitedError as error:
            raise RateLimitedError("wait", retry_after=timedelta(minutes=15)) from error


class RawErrors(FakeConnector):
    def fetch(self, cursor: str | None, limit: int) -> Page:
        try:
            return super().fetch(cursor, limit)
        except TransientError as error:
            raise OSError("reset") from error


class SwallowsErrors(FakeConnector):
    def fetch(self, cursor: str | None, limit: int) -> Page:
        try:
            return super().fetch(cursor, limit)
        except ConnectorError:
            return Page(posts=(), cursor=cursor, more=False)


class SecretInError(FakeConnector):
    def fetch(self, cursor: str | None, limit: int) -> Page:
        try:
            return super().fetch(cursor, limit)
        except TransientError as error:
            raise TransientError(f"GET /?access_token={SECRET} failed") from error


class SendsTwice(FakeConnector):
    def reply(self, post: PostRef, text: str) -> Receipt:
        super().reply(post, text)
        return super().reply(post, text)


class RetriesInDoubt(FakeConnector):
    def reply(self, post: PostRef, text: str) -> Receipt:
        try:
            return super().reply(post, text)
        except AmbiguousError:
            return super().reply(post, text)


class WriteIsTransient(FakeConnector):
    def reply(self, post: PostRef, text: str) -> Receipt:
        try:
            return super().reply(post, text)
        except AmbiguousError as error:
            raise TransientError("again?") from error


class WriteIsAlwaysInDoubt(FakeConnector):
    def reply(self, post: PostRef, text: str) -> Receipt:
        try:
            return super().reply(post, text)
        except ConnectorError as error:
            raise AmbiguousError("who knows") from error


class FindsNothing(FakeConnector):
    def find_reply(self, post: PostRef, text: str, since: datetime) -> Receipt | None:
        super().find_reply(post, text, since)
        return None


class FindsAnything(FakeConnector):
    def find_reply(self, post: PostRef, text: str, since: datetime) -> Receipt | None:  # noqa: ARG002 - as it is
        replies = self._read().replies_to(post.external_id)
        return Receipt(replies[-1].external_id) if replies else None


class NoneWhenListingFails(FakeConnector):
    def find_reply(self, post: PostRef, text: str, since: datetime) -> Receipt | None:
        try:
            return super().find_reply(post, text, since)
        except ConnectorError:
            return None


class RefusesWithoutReason(FakeConnector):
    def can_reply(self, post: PostRef) -> ReplyPermission:  # noqa: ARG002 - the fault is to say nothing
        return ReplyPermission(allowed=False)


class SaysDeletedWhenDown(FakeConnector):
    def refresh(self, external_ids: object) -> tuple[PostStatus, ...]:
        try:
            return super().refresh(list(external_ids))  # type: ignore[call-overload,no-any-return]
        except ConnectorError:
            return tuple(PostStatus(str(i), is_deleted=True) for i in external_ids)  # type: ignore[attr-defined]


class SeesNoDeletions(FakeConnector):
    def refresh(self, external_ids: object) -> tuple[PostStatus, ...]:
        states = super().refresh(external_ids)  # type: ignore[arg-type]
        return tuple(replace(state, is_deleted=False, text="") for state in states)


class NaiveTimes(FakeConnector):
    def fetch(self, cursor: str | None, limit: int) -> Page:
        page = super().fetch(cursor, limit)
        return replace(page, posts=tuple(replace(p, created_at=p.created_at.replace(tzinfo=None)) for p in page.posts))


class PromisesReplies(FakeConnector):
    @property
    def capabilities(self) -> Capabilities:
        self._network()
        return super().capabilities


READ, WRITE = ConnectorContract, ConnectorContract
GOES_RED: list[tuple[type[FakeConnector], Callable[..., None]]] = [
    (CallsOnConstruction, READ.test_construction_calls_nobody),
    (PromisesReplies, READ.test_construction_calls_nobody),
    (ShowsSecret, READ.test_secrets_stay_secret),
    (NoAccount, READ.test_check_says_who_we_are),
    (OnePageOnly, READ.test_first_sync_finds_everything),
    (NewestFirst, READ.test_pages_are_oldest_first_and_within_the_limit),
    (IgnoresLimit, READ.test_pages_are_oldest_first_and_within_the_limit),
    (EscapedText, READ.test_posts_are_complete),
    (NaiveTimes, READ.test_posts_are_complete),
    (CursorToNewest, READ.test_cursor_covers_only_what_was_returned),
    (CursorToNewest, READ.test_first_sync_finds_everything),
    (MarksAsRead, READ.test_nothing_is_lost_when_the_process_dies_between_pages),
    (HiddenState, READ.test_first_sync_finds_everything),
    (HiddenState, READ.test_nothing_is_lost_when_the_process_dies_between_pages),
    (MarksAsRead, READ.test_state_is_in_the_cursor_only),
    (RepeatsLast, READ.test_quiet_poll_ends_and_repeats_nothing),
    (EndsWalkPastNew, READ.test_end_walk_starts_from_what_is_new),
    (CrashesOnCursor, READ.test_an_unreadable_cursor_does_not_crash),
    (DropsReplies, READ.test_replies_are_found_with_their_parent),
    (DropsReplies, READ.test_thread_is_whole_and_root_first),
    (DropsBadRecords, READ.test_a_bad_record_costs_only_itself),
    (EverythingTransient, READ.test_refused_sign_in_is_an_auth_error),
    (EverythingTransient, READ.test_rate_limit_says_how_long),
    (GuessesWait, READ.test_rate_limit_says_how_long),
    (SleepsOnLimit, READ.test_rate_limit_says_how_long),
    (RawErrors, READ.test_failing_network_is_transient),
    (SwallowsErrors, READ.test_failing_network_is_transient),
    (SecretInError, READ.test_failing_network_is_transient),
    (SendsTwice, WRITE.test_reply_stands_and_can_be_read_back),
    (FindsNothing, WRITE.test_reply_stands_and_can_be_read_back),
    (FindsAnything, WRITE.test_read_back_says_none_only_when_absent),
    (NoneWhenListingFails, WRITE.test_read_back_that_cannot_list_raises),
    (RetriesInDoubt, WRITE.test_doubtful_write_is_ambiguous),
    (WriteIsTransient, WRITE.test_doubtful_write_is_ambiguous),
    (FindsNothing, WRITE.test_doubtful_write_is_ambiguous),
    (WriteIsAlwaysInDoubt, WRITE.test_refused_write_is_not_in_doubt),
    (WriteIsAlwaysInDoubt, WRITE.test_reply_to_a_deleted_post_is_permanent),
    (RefusesWithoutReason, WRITE.test_refusal_to_reply_gives_reason_and_link),
    (SeesNoDeletions, WRITE.test_refresh_follows_edits_and_deletions),
    (SaysDeletedWhenDown, WRITE.test_refresh_that_fails_deletes_nothing),
]


@pytest.mark.parametrize(("broken", "check"), GOES_RED, ids=[f"{b.__name__}-{c.__name__[5:]}" for b, c in GOES_RED])
def test_contract_goes_red_for_a_broken_connector(broken: type[FakeConnector], check: Callable[..., None]) -> None:
    world = FakeWorld(broken, can_reply=broken is not RefusesWithoutReason)
    world.longest_seconds = 0.1
    with pytest.raises(ContractError):
        check(ConnectorContract(), world)


def test_every_check_has_a_connector_that_breaks_it() -> None:
    checks = {name for name in dir(ConnectorContract) if name.startswith("test_")}
    assert checks - {check.__name__ for _, check in GOES_RED} == {"test_settings_come_back_from_storage"}


def test_settings_check_goes_red_for_a_loose_config() -> None:
    class Loose(FakeWorld):
        def __init__(self) -> None:
            super().__init__()
            self.config = type("LooseConfig", (type(self.config),), {"model_config": {"extra": "ignore"}})(
                world=self.network.name
            )

    with pytest.raises(ContractError):
        ConnectorContract().test_settings_come_back_from_storage(Loose())


def test_features_a_world_has_not_are_skipped() -> None:
    world = FakeWorld(can_reply=False)
    with pytest.raises(SkipTest):
        ConnectorContract().test_reply_stands_and_can_be_read_back(world)


def test_fake_network_is_found_by_name_only_while_it_lives() -> None:
    world = FakeWorld()
    connector = world.connector()
    del world
    with pytest.raises(TransientError):
        connector.check()


def test_fake_posts_carry_given_times() -> None:
    world = FakeWorld()
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    external_id = world.network.add_post("anna", "allora", created_at=moment)
    post = world.network.find(external_id)
    assert post is not None
    assert post.created_at == moment

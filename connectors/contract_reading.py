"""Contract checks of reading: settings, cursors, pages, threads, errors of reading calls."""

import json
import time
from datetime import timedelta

from connectors.base import Account, Connector, Page
from connectors.contract_world import (
    ContractError,
    World,
    expect,
    find_post,
    read_all,
    reference_to,
    skip_unless,
    walk,
)
from connectors.errors import AuthError, ConnectorError, RateLimitedError, TransientError

# What authors get wrong: markup, entities, both directions, astral characters, quotes.
HOSTILE_TEXTS = (
    '1 < 2 && 3 > 2, <b>non grassetto</b> & "virgolette"',
    "emoji 👩‍👩‍👧‍👦 e città, naïve, Ωmega",
    "عربي mixed with English",
)


class ReadingContract:
    """What every connector promises about reading. Take `world` from a fixture of the same name."""

    def test_construction_calls_nobody(self, world: World) -> None:
        """A connector does nothing on construction."""
        before = world.request_count()
        connector = world.connector()
        _ = connector.capabilities
        connector.diagnostics()
        expect(world.request_count() == before, "construction, capabilities or diagnostics called the network")

    def test_secrets_stay_secret(self, world: World) -> None:
        """Secrets are SecretStr, and stand neither in diagnostics nor in anything printed."""
        connector = world.connector()
        shown = [repr(connector.config), repr(connector), connector.config.model_dump_json()]
        shown.append(json.dumps(dict(connector.diagnostics()), default=str))
        for secret in world.secrets:
            expect(all(secret not in text for text in shown), "a secret can be read in what the connector shows")

    def test_settings_come_back_from_storage(self, world: World) -> None:
        """Settings survive a round through JSON, secrets aside, and unknown fields are refused."""
        config = world.connector().config
        expect(config.model_config.get("extra") == "forbid", "the config accepts unknown fields")
        expect("api_url" in type(config).model_fields, "the config has no api_url")

    def test_check_says_who_we_are(self, world: World) -> None:
        """`check` gives an account with an id and a handle."""
        account = world.connector().check()
        expect(isinstance(account, Account), "check() gives no Account")
        expect(account.external_id, "check() gives no account id")

    def test_first_sync_finds_everything(self, world: World) -> None:
        """Without a cursor, the walk through the pages finds all there is."""
        said = [world.say(f"primo giro {number}") for number in range(world.page_size * 2 + 1)]
        posts, _ = read_all(world, None)
        missing = set(said) - {post.external_id for post in posts}
        expect(not missing, f"the first sync misses {len(missing)} of {len(said)} posts")

    def test_pages_are_oldest_first_and_within_the_limit(self, world: World) -> None:
        """Posts stand oldest first within a page, and a page is no longer than asked for."""
        for number in range(world.page_size + 2):
            world.say(f"in ordine {number}")
        for page in walk(world, None):
            times = [post.created_at for post in page.posts]
            expect(times == sorted(times), "a page is not oldest first")
            expect(len(page.posts) <= world.page_size, f"a page has {len(page.posts)} posts of {world.page_size}")

    def test_posts_are_complete(self, world: World) -> None:
        """Every post bears network, text ids, aware UTC time and author; its text is plain and whole."""
        said = {world.say(f"{text} {number}"): text for number, text in enumerate(HOSTILE_TEXTS)}
        posts, _ = read_all(world, None)
        network = world.connector().network
        for post in posts:
            expect(post.network == network, f"network is {post.network!r}, not {network!r}")
            expect(type(post.external_id) is str and post.external_id, "external_id is no text")
            expect(post.created_at.utcoffset() == timedelta(0), "created_at is not aware UTC")
            expect(type(post.author.external_id) is str and post.author.external_id, "no author id")
        texts = {post.external_id: f"{post.title} {post.text}" for post in posts}
        for external_id, text in said.items():
            expect(text in texts.get(external_id, ""), f"the text came back changed: {texts.get(external_id)!r}")

    def test_cursor_covers_only_what_was_returned(self, world: World) -> None:
        """What is said between two pages is found by a later one; nothing is skipped."""
        said = [world.say(f"prima {number}") for number in range(world.page_size + 2)]
        posts, cursor = read_all(world, None)
        said += [world.say(f"poi {number}") for number in range(world.page_size + 2)]
        page = world.connector().fetch(cursor, world.page_size)
        said += [world.say(f"intanto {number}") for number in range(2)]
        rest, cursor = read_all(world, page.cursor)
        last, _ = read_all(world, cursor)
        found = {post.external_id for post in (*posts, *page.posts, *rest, *last)}
        missing = set(said) - found
        expect(not missing, f"the cursor ran past {len(missing)} posts that were never returned")

    def test_nothing_is_lost_when_the_process_dies_between_pages(self, world: World) -> None:
        """A page that was fetched but never stored comes again from the old cursor."""
        _, cursor = read_all(world, None)
        said = {world.say(f"attenzione {number}") for number in range(world.page_size * 2 + 1)}
        found: set[str] = set()
        for _ in range(world.page_size * 4):
            lost = world.connector().fetch(cursor, world.page_size)  # dies here, nothing saved
            page = world.connector().fetch(cursor, world.page_size)
            again = {post.external_id for post in page.posts}
            expect(
                {post.external_id for post in lost.posts} <= again | found,
                "a page read twice from one cursor is not the same: posts are lost in a crash",
            )
            found |= again
            cursor = page.cursor
            if not page.more:
                break
        expect(said <= found, f"{len(said - found)} posts were lost between pages")

    def test_state_is_in_the_cursor_only(self, world: World) -> None:
        """One instance that lives on and new ones each time see the same."""
        said = {world.say(f"stato {number}") for number in range(world.page_size + 2)}
        living, cursor, seen = world.connector(), None, set[str]()
        for _ in range(world.page_size * 4):
            page = living.fetch(cursor, world.page_size)
            seen |= {post.external_id for post in page.posts}
            cursor = page.cursor
            if not page.more:
                break
        fresh, _ = read_all(world, None)
        expect(seen >= said, "a connector that lives on misses posts")
        expect({post.external_id for post in fresh} == seen, "a new instance sees something else: hidden state")

    def test_quiet_poll_ends_and_repeats_nothing(self, world: World) -> None:
        """With nothing new, a poll ends, brings no old post, and its cursor still works."""
        world.say("unico")
        _, cursor = read_all(world, None)
        for _ in range(2):
            posts, cursor = read_all(world, cursor)
            expect(not posts or world.overlaps, f"a quiet poll brings {len(posts)} posts again")
        new = world.say("nuovo dopo il silenzio")
        find_post(world, new, cursor)

    def test_end_walk_starts_from_what_is_new(self, world: World) -> None:
        """A walk stopped before its end goes on with what is said from now on."""
        for number in range(world.page_size * 2 + 1):
            world.say(f"arretrato {number}")
        page = world.connector().fetch(None, world.page_size)
        cursor = _end(world.connector(), page)
        new = {world.say(f"novità {number}") for number in range(world.page_size + 1)}
        posts, cursor = read_all(world, cursor)
        expect(new <= {post.external_id for post in posts}, "what is new since is lost after end_walk")
        for number in range(world.page_size * 2 + 1):
            world.say(f"ancora {number}")
        page = world.connector().fetch(cursor, world.page_size)
        cursor = _end(world.connector(), page)
        newest = world.say("ultima")
        posts, _ = read_all(world, cursor)
        expect(newest in {p.external_id for p in posts}, "a later walk cannot be ended: the newest is lost")

    def test_an_unreadable_cursor_does_not_crash(self, world: World) -> None:
        """A cursor of another version gives a page or an error of ours, never a crash."""
        try:
            page = world.connector().fetch("\x00not a cursor{", world.page_size)
        except ConnectorError:
            return
        except Exception as error:
            raise ContractError(f"an unreadable cursor crashes: {type(error).__name__}: {error}") from error
        expect(isinstance(page, Page), "no page")

    def test_replies_are_found_with_their_parent(self, world: World) -> None:
        """An answer to a post is fetched as well as the post, and names it as parent."""
        skip_unless(world.has_replies, "this source finds no replies")
        root = world.say("una domanda")
        reply = world.say("anch'io", parent_id=root)
        post = find_post(world, reply)
        expect(post.parent_id == root, f"the parent is {post.parent_id!r}, not {root!r}")

    def test_thread_is_whole_and_root_first(self, world: World) -> None:
        """`thread` gives the root first, every answer, and parents that are in the thread."""
        skip_unless(world.connector().capabilities.can_thread, "no threads")
        root = world.say("radice")
        branch = world.say("ramo", parent_id=root)
        leaf = world.say("foglia", parent_id=branch)
        sibling = world.say("altro ramo", parent_id=root)
        for asked in (root, leaf):
            thread = world.connector().thread(reference_to(find_post(world, asked)))
            parents = {post.external_id: post.parent_id for post in thread}
            expect(thread and thread[0].external_id == root, "the root does not come first")
            expect({root, branch, leaf} <= set(parents), "the thread drops replies")
            expect(asked == leaf or sibling in parents, "the thread drops a second answer")
            expect(parents[leaf] == branch and parents[branch] == root, "parents in the thread are wrong")

    def test_a_bad_record_costs_only_itself(self, world: World) -> None:
        """What cannot be read is handed over as BadRecord with a reason; its neighbours arrive."""
        before = world.say("vicino di prima")
        world.spoil()
        after = world.say("vicino di poi")
        pages = list(walk(world, None))
        found = {post.external_id for page in pages for post in page.posts}
        bad = [record for page in pages for record in page.bad]
        expect({before, after} <= found, "neighbours of a bad record are lost")
        expect(bad and all(record.reason for record in bad), "the bad record is not reported with a reason")

    def test_refused_sign_in_is_an_auth_error(self, world: World) -> None:
        """401 stops and asks a person: AuthError from check and fetch."""
        skip_unless(world.has_sign_in, "no sign-in here")
        world.break_calls("401")
        for call in (lambda c: c.check(), lambda c: c.fetch(None, world.page_size)):
            error = error_of(world, call)
            expect(isinstance(error, AuthError), f"401 gives {type(error).__name__}, not AuthError")

    def test_rate_limit_says_how_long(self, world: World) -> None:
        """429 is RateLimitedError with the network's own waiting time, at once and without sleeping."""
        skip_unless(world.has_network, "no network here")
        world.break_calls("429")
        error = error_of(world, lambda c: c.fetch(None, world.page_size))
        expect(isinstance(error, RateLimitedError), f"429 gives {type(error).__name__}")
        wait = error.retry_after if isinstance(error, RateLimitedError) else timedelta(0)
        expect(timedelta(seconds=5) <= wait <= timedelta(seconds=9), f"Retry-After 7 s was read as {wait}")

    def test_failing_network_is_transient(self, world: World) -> None:
        """5xx, reset, half an answer and silence are TransientError, within the time-out; then reading goes on."""
        skip_unless(world.has_network, "no network here")
        _, cursor = read_all(world, None)
        said = world.say("dopo la pioggia")
        for kind in ("500", "503", "reset", "half", "hang"):
            world.break_calls(kind)
            error = error_of(world, lambda c: c.fetch(cursor, world.page_size))
            expect(isinstance(error, TransientError), f"{kind} gives {type(error).__name__}, not TransientError")
            world.heal()
        find_post(world, said, cursor)


def _end(connector: Connector, page: Page) -> str | None:
    return connector.end_walk(page.cursor) if page.cursor is not None else None


def error_of(world: World, call: object) -> ConnectorError:
    """Give the error a call ends in; anything but a ConnectorError, or none, breaks the contract."""
    connector = world.connector()
    started = time.monotonic()
    try:
        call(connector)  # type: ignore[operator]  # a lambda taking the connector
    except ConnectorError as error:
        took = time.monotonic() - started
        expect(took < world.longest_seconds, f"the call took {took:.1f} s: it slept or has no time-out")
        expect(error.message, "the error has no words")
        text = f"{error} {error.message} {error!r}"
        expect(all(secret not in text for secret in world.secrets), "an error's words hold a secret")
        return error
    except Exception as error:
        words = f"{type(error).__name__} came through instead of an error of connectors.errors: {error}"
        raise ContractError(words) from error
    raise ContractError("a broken call raised nothing")

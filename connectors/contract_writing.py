"""Contract checks of writing: replies, what is in doubt, read-back, refusals, edits and deletions."""

from datetime import UTC, datetime, timedelta

from connectors.base import Connector, FetchedPost
from connectors.contract_reading import error_of
from connectors.contract_world import World, expect, find_post, reference_to, skip_unless
from connectors.errors import (
    AmbiguousError,
    AuthError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
)

LONG_AGO = timedelta(minutes=10)


class WritingContract:
    """What every connector that can reply promises; others promise to say so."""

    def test_reply_stands_and_can_be_read_back(self, world: World) -> None:
        """A reply stands once under its post, and `find_reply` finds it by its text."""
        post, since = _post_to_answer(world), _since()
        text = "Grazie, ce ne occupiamo subito: https://example.com/aiuto?a=1&b=2 — a presto! 🙂"
        receipt = world.connector().reply(reference_to(post), text)
        expect(receipt.external_id, "the receipt has no id")
        expect(len(world.answers(post.external_id)) == 1, "the reply does not stand exactly once")
        if world.connector().capabilities.can_read_back:
            found = world.connector().find_reply(reference_to(post), text, since)
            expect(found is not None, "find_reply does not find what was sent")
            same = found is not None and found.external_id == receipt.external_id
            expect(same, "find_reply gives another id than the receipt")

    def test_read_back_says_none_only_when_absent(self, world: World) -> None:
        """`find_reply` gives None where nothing of ours with this text stands, others' words aside."""
        _needs_read_back(world)
        post, since = _post_to_answer(world), _since()
        world.connector().reply(reference_to(post), "La prima risposta")
        world.say("Mai mandata", parent_id=post.external_id)
        other = world.connector().find_reply(reference_to(post), "Mai mandata", since)
        expect(other is None, "somebody else's words, or another text, are taken for our reply")
        silent = find_post(world, world.say("nessuno mi risponde"))
        expect(
            world.connector().find_reply(reference_to(silent), "La prima risposta", since) is None,
            "our reply under another post is taken for one under this",
        )

    def test_read_back_that_cannot_list_raises(self, world: World) -> None:
        """When the listing fails, `find_reply` raises: None would mean "not there" and lead to a duplicate."""
        _needs_read_back(world)
        post = _post_to_answer(world)
        for kind in ("500", "reset", "429", "half"):
            world.break_calls(kind)
            error_of(world, lambda c: c.find_reply(reference_to(post), "forse", _since()))
            world.heal()

    def test_doubtful_write_is_ambiguous(self, world: World) -> None:
        """A write that broke is AmbiguousError, is never repeated by itself, and read-back tells the truth."""
        _needs_network(world)
        for kind, is_done in (
            ("commit_then_reset", True),
            ("commit_then_500", True),
            ("commit_then_hang", True),
            ("half", True),
            ("reset", False),
            ("500", False),
        ):
            post, text = _post_to_answer(world), f"Risposta dubbia {kind}"
            since = _since()
            world.break_calls(kind, writes=True)
            error = error_of(world, lambda c, p=post, t=text: c.reply(reference_to(p), t))
            world.heal()
            expect(isinstance(error, AmbiguousError), f"{kind} gives {type(error).__name__}, not AmbiguousError")
            expect(
                len(world.answers(post.external_id)) == int(is_done),
                f"after {kind} {len(world.answers(post.external_id))} replies stand: the client repeats writes",
            )
            if world.connector().capabilities.can_read_back:
                found = world.connector().find_reply(reference_to(post), text, since)
                expect((found is not None) == is_done, f"read-back after {kind} says {found}")

    def test_refused_write_is_not_in_doubt(self, world: World) -> None:
        """429 and 401 on a write happened before anything was done: wait, or ask a person."""
        _needs_network(world)
        post = _post_to_answer(world)
        for kind, wanted in (("429", RateLimitedError), ("401", AuthError)):
            world.break_calls(kind, writes=True)
            error = error_of(world, lambda c: c.reply(reference_to(post), "Rifiutata"))
            world.heal()
            expect(isinstance(error, wanted), f"{kind} on a write gives {type(error).__name__}")
        expect(not world.answers(post.external_id), "a refused reply stands")

    def test_reply_to_a_deleted_post_is_permanent(self, world: World) -> None:
        """An answer to what is gone fails for good, and only itself."""
        post = _post_to_answer(world)
        world.delete(post.external_id)
        error = error_of(world, lambda c: c.reply(reference_to(post), "Troppo tardi"))
        expect(isinstance(error, PermanentError), f"a deleted parent gives {type(error).__name__}")

    def test_refusal_to_reply_gives_reason_and_link(self, world: World) -> None:
        """Where we may not answer, `can_reply` says why and where to, and `reply` refuses before the network."""
        skip_unless(not world.connector().capabilities.can_reply, "this source can reply")
        post = find_post(world, world.say("qui non si risponde"))
        permission = world.connector().can_reply(reference_to(post))
        expect(not permission.allowed and permission.reason, "no reason why we may not reply")
        expect(permission.permalink == post.url, "no permalink to answer by hand")
        error = error_of(world, lambda c: c.reply(reference_to(post), "Ciao"))
        expect(isinstance(error, PermanentError), f"reply gives {type(error).__name__}, not PermanentError")

    def test_refresh_follows_edits_and_deletions(self, world: World) -> None:
        """`refresh` tells what changed and what is gone, and judges only what it can."""
        skip_unless(world.connector().capabilities.can_refresh, "no refresh")
        kept, edited, deleted = (world.say(f"per ora così {number}") for number in range(3))
        world.edit(edited, "adesso diverso")
        world.delete(deleted)
        states = {s.external_id: s for s in world.connector().refresh([kept, edited, deleted])}
        expect(kept in states and not states[kept].is_deleted, "a standing post is said to be deleted")
        expect(deleted in states and states[deleted].is_deleted, "a deletion is not seen")
        text = states[edited].text if edited in states else None
        expect(text is not None and "adesso diverso" in text, f"an edit is not seen: {text!r}")

    def test_refresh_that_fails_deletes_nothing(self, world: World) -> None:
        """A failing network is an error, never a sign that posts are gone."""
        skip_unless(world.connector().capabilities.can_refresh, "no refresh")
        _needs_network(world, replies=False)
        said = world.say("sono ancora qui")
        for kind in ("500", "reset", "half"):
            world.break_calls(kind)
            error: ConnectorError = error_of(world, lambda c: c.refresh([said]))
            expect(error, "no error")
            world.heal()


def _since() -> datetime:
    return datetime.now(UTC) - LONG_AGO


def _post_to_answer(world: World) -> FetchedPost:
    connector: Connector = world.connector()
    skip_unless(connector.capabilities.can_reply, "this source cannot reply")
    post = find_post(world, world.say("aiuto, non funziona niente"))
    permission = connector.can_reply(reference_to(post))
    expect(permission.allowed, f"the network can reply, but not to this: {permission.reason}")
    return post


def _needs_read_back(world: World) -> None:
    capabilities = world.connector().capabilities
    skip_unless(capabilities.can_reply and capabilities.can_read_back, "no read-back")


def _needs_network(world: World, *, replies: bool = True) -> None:
    skip_unless(world.has_network, "no network here")
    skip_unless(world.connector().capabilities.can_reply or not replies, "this source cannot reply")

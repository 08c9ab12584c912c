"""What a plug-in author gives the contract suite: a network, real or counterfeit, that obeys orders."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from unittest import SkipTest

from connectors.base import Connector, FetchedPost, Page, PostRef

MANY_PAGES = 60  # a walk longer than this never ends


class ContractError(AssertionError):
    """The connector breaks the contract; the message says which promise and how."""


def expect(condition: object, message: str) -> None:
    """Raise ContractError unless the condition holds."""
    if not condition:
        raise ContractError(message)


def skip_unless(condition: object, reason: str) -> None:
    """Skip a check the network cannot be put to."""
    if not condition:
        raise SkipTest(reason)


class World(ABC):
    """A network in a test: somebody speaks, things break, and one source of ours listens.

    The defaults suit a network that has everything; set a flag to False, with a reason in a comment, where the
    network has not. `page_size` is the limit the suite fetches with: small, but no less than the network allows.
    `longest_seconds` is how long a call to a hanging server may take.
    """

    page_size: int = 5
    longest_seconds: float = 8.0
    has_sign_in: bool = True
    has_replies: bool = True  # what the source finds may answer something else
    overlaps: bool = False  # a poll reads recent posts again on purpose; the store's unique key sorts them out
    has_network: bool = True  # it can hang, break off, answer 500

    @abstractmethod
    def connector(self) -> Connector:
        """Give a NEW connector with the source's settings, each time."""

    @abstractmethod
    def say(self, text: str, *, parent_id: str | None = None) -> str:
        """Let somebody else say something the source must find; gives its external id."""

    @abstractmethod
    def request_count(self) -> int:
        """How many requests have reached the network."""

    @abstractmethod
    def break_calls(self, kind: str, *, writes: bool = False) -> None:
        """Break every reading (or writing) call until `heal`.

        kind: an HTTP status ("401", "429" with Retry-After 7, "500") · reset · hang · half (the answer breaks
        off) · commit_then_reset · commit_then_500 · commit_then_hang (writes only: done, then failed).
        """

    @abstractmethod
    def heal(self) -> None:
        """Lift what `break_calls` did."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Give the secret words of the settings."""
        return ()

    def answers(self, external_id: str) -> list[str]:
        """Give the texts of our own replies that stand under a post, as the network keeps them."""
        raise SkipTest(f"no replies here ({external_id})")

    def edit(self, external_id: str, text: str) -> None:
        """Change a post."""
        raise SkipTest(f"posts cannot be edited here ({external_id}, {len(text)} characters)")

    def delete(self, external_id: str) -> None:
        """Delete a post."""
        raise SkipTest(f"posts cannot be deleted here ({external_id})")

    def spoil(self) -> None:
        """Add something to the network that the connector cannot read as a post."""
        raise SkipTest("nothing unreadable can be put here")


def reference_to(post: FetchedPost) -> PostRef:
    """Give the reference the inbox would keep of a post."""
    return PostRef(
        external_id=post.external_id,
        instance=post.instance,
        url=post.url,
        parent_id=post.parent_id,
        thread_id=post.thread_id,
        author_handle=post.author.handle,
        mentions_us=post.mentions_us,
    )


def walk(world: World, cursor: str | None) -> Iterator[Page]:
    """Fetch until the network has no more, each page by a new connector, as after a restart each time."""
    for _ in range(MANY_PAGES):
        page = world.connector().fetch(cursor, world.page_size)
        yield page
        cursor = page.cursor
        if not page.more:
            return
    raise ContractError(f"`more` is still True after {MANY_PAGES} pages: the cursor does not move")


def read_all(world: World, cursor: str | None) -> tuple[list[FetchedPost], str | None]:
    """Give everything from a cursor on, and the cursor at the end."""
    posts: list[FetchedPost] = []
    for page in walk(world, cursor):
        posts += page.posts
        cursor = page.cursor
    return posts, cursor


def find_post(world: World, external_id: str, cursor: str | None = None) -> FetchedPost:
    """Fetch until a post turns up."""
    posts, _ = read_all(world, cursor)
    found = [post for post in posts if post.external_id == external_id]
    expect(found, f"the post {external_id} is not found by fetch; found: {[p.external_id for p in posts]}")
    return found[0]

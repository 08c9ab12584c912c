"""Which posts belong together, and by which id their thread is known: pure arithmetic on ids, no database.

A post is tied to its parent and to the thread its network names; whatever is tied, directly or not, is one
thread. The order in which ties become known plays no part, so neither does the order in which posts arrive.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Ties:
    """A union-find over external ids."""

    _above: dict[str, str] = field(default_factory=dict)

    def find(self, node: str) -> str:
        """Give the id that stands for all ids tied to this one."""
        top = self._above.setdefault(node, node)
        while top != self._above[top]:
            top = self._above[top]
        while node != top:  # shorten the way for the next time
            self._above[node], node = top, self._above[node]
        return top

    def tie(self, one: str, other: str) -> None:
        """Make two ids belong together."""
        self._above[self.find(other)] = self.find(one)


@dataclass(frozen=True, slots=True)
class Tied:
    """A post as the ties see it. `thread_key` is the network's thread id, else the parent, else the post itself."""

    external_id: str
    parent_id: str | None
    thread_key: str

    @property
    def named_thread(self) -> str | None:
        """The thread id the network itself gave, if it did."""
        return None if self.thread_key in {self.external_id, self.parent_id} else self.thread_key


def tie_posts(posts: Iterable[Tied]) -> Ties:
    """Tie each post to its parent and its thread."""
    ties = Ties()
    for post in posts:
        ties.find(post.external_id)
        if post.thread_key != post.external_id:
            ties.tie(post.thread_key, post.external_id)
        if post.parent_id is not None and post.parent_id != post.thread_key:
            ties.tie(post.parent_id, post.external_id)
    return ties


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What is known of ids that may name a thread.

    `has_parent`: stored posts, and whether they have a parent; ids not in it are not stored. `is_parent`: ids
    that some stored post names as its parent. `existing`: keys of conversations in this thread, oldest first.
    """

    has_parent: Mapping[str, bool]
    is_parent: Collection[str]
    existing: tuple[str, ...]


def choose_key(posts: Collection[Tied], facts: KeyFacts) -> str:
    """Give the id by which a thread is known from now on.

    An id that no stored post carries and none names as its parent can only be found again as the thread's key,
    so it goes first. Then: the thread named by a network, a stored root, a key in use, a missing parent.
    """
    named = {post.named_thread for post in posts}
    existing = {key: age for age, key in enumerate(facts.existing)}
    candidates = {
        node
        for post in posts
        for node in (post.external_id, post.parent_id, post.thread_key)
        if node is not None and not facts.has_parent.get(node, False)
    }
    candidates |= {key for key in existing if not facts.has_parent.get(key, False)}

    def rank(key: str) -> tuple[int, int, str]:
        age = existing.get(key, len(existing))
        if key not in facts.has_parent and key not in facts.is_parent:
            return 0, age, key
        if key in named:
            return 1, age, key
        if key in facts.has_parent:
            return 2, age, key
        return (3 if key in existing else 4), age, key

    if candidates:
        return min(candidates, key=rank)
    # Posts that answer each other in a ring: any id will do, as long as it stays.
    return facts.existing[0] if facts.existing else min(post.external_id for post in posts)

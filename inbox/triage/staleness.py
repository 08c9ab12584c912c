"""The guard against acting on an old picture: what changed since a version, told in words a screen can show."""

from sqlalchemy.orm import Session

from inbox.errors import Change, StaleVersionError
from inbox.store.queries import routing
from inbox.store.tables import Conversation


def refuse_stale(session: Session, conversation: Conversation, *, expected: int, user_id: int | None) -> None:
    """Raise StaleVersionError when others moved the conversation since `expected`; one's own steps do not count.

    The row must be locked. Each move of the version is either an audited step, which says its version, or new
    posts; so moves without an audited step are the latest posts.
    """
    moves = conversation.version - expected
    if moves == 0:
        return
    events = [
        found
        for found in routing.latest_events(session, conversation.id, limit=max(1, min(moves, 50)))
        if int(found.event.after.get("version", 0)) > expected
    ]
    others = [found for found in events if user_id is None or found.event.user_id != user_id]
    changes = [
        Change(
            kind=found.event.action, at=found.event.at, who=found.user_name, text=_words_of(session, found.event.after)
        )
        for found in others
    ]
    silent_moves = moves - len(events)
    if moves < 0 or (silent_moves <= 0 and not changes):
        if moves < 0:  # a version from the future: a restored database, or a forged form
            raise StaleVersionError(expected=expected, actual=conversation.version)
        return
    if silent_moves > 0:
        for post, author in routing.latest_posts(session, conversation.id, limit=min(silent_moves, 5)):
            kind = "reply" if post.is_own else "post"
            changes.append(Change(kind=kind, at=post.fetched_at, who=author.handle, text=post.text))
    changes.sort(key=lambda change: change.at)
    raise StaleVersionError(expected=expected, actual=conversation.version, changes=changes)


def _words_of(session: Session, after: dict[str, object]) -> str:
    reply_id = after.get("reply")
    return routing.reply_text(session, reply_id) if isinstance(reply_id, int) else ""

"""What the three at Borbotto's desk did with their conversations: settled, put off, noted, labelled, answered."""

from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from random import Random

from sqlalchemy.orm import Session

from ascolto.demo.brand import SLUG
from ascolto.demo.calendar import ROME
from ascolto.demo.history import SEED
from ascolto.wiring import House
from config.settings import Publishing
from inbox.replies.outbox import queue_reply
from inbox.replies.publish import publish_reply
from inbox.store.queries.brands import find_brand, list_brands
from inbox.store.queries.overview import OpenConversation, list_open
from inbox.store.queries.standings import latest_inbound
from inbox.store.queries.users import list_colleagues
from inbox.store.tables import Conversation, User
from inbox.store.types import ConversationState
from inbox.triage import conversations

SETTLED_AFTER = timedelta(days=2)
_NOTES = {
    "it": (
        "Sentita al telefono: gentile, vuole solo sapere quando arriva il pezzo. Richiamo domani.",
        "Attenzione, ha già scritto due volte su un altro canale. Rispondiamo una volta sola, bene.",
        "Ho chiesto al magazzino: il pacco è fermo a Bologna. Aspetto conferma prima di scrivere.",
        "Ottimo spunto, lo porto alla riunione di giovedì.",
    ),
    "en": (
        "Spoke to the workshop: it's the pump seal, part leaves tomorrow.",
        "Long-time customer and a loud one, worth a call rather than a reply.",
        "Lovely idea, adding it to Thursday's list.",
    ),
}
_LABELS = (("spedizioni", ("pacco", "corriere", "ordine", "order", "courier", "parcel")),
           ("app", (" app", "aggiornamento", "update")),
           ("lotto K7", ("k7", "valvola", "valve")),
           ("ricambi", ("guarnizione", "filtro", "gasket", "seal", "filter")))  # fmt: skip
_ANSWERS = {
    "it": "Ciao! Ce ne occupiamo subito: ti scrive Marco in privato entro un'ora. Grazie della pazienza. — Giulia",
    "en": "Hello! On it: Ellen will write to you in private within the hour. Thanks for your patience. — Giulia",
}
Tell = Callable[[str, int, int], None]


def work_the_desk(house: House, *, now: datetime, tell: Tell) -> None:
    """Settle what is old, and leave the last two days as a desk looks on a busy morning."""
    random = Random(SEED)
    with house.store.read() as session:
        brand = find_brand(session, SLUG)
        if brand is None:
            raise LookupError(SLUG)
        people = list_colleagues(session)
        waiting = list_open(session, brand.id)
        rivals = [
            item for other in list_brands(session) if other.id != brand.id for item in list_open(session, other.id)
        ]
    old = [item for item in waiting if item.last_activity_at < now - SETTLED_AFTER]
    fresh = [item for item in waiting if item.last_activity_at >= now - SETTLED_AFTER]
    for start in range(0, len(old), 100):
        _settle(house, old[start : start + 100], people, random, now)
        tell("desk", min(start + 100, len(old)), len(old))
    _settle(house, rivals, people, random, now)  # heard and compared, nobody's work
    _work_on_fresh(house, fresh, people, random, now)
    _answer_some(house, fresh, people, now)


def _settle(
    house: House, batch: Sequence[OpenConversation], people: Sequence[User], random: Random, now: datetime
) -> None:
    with house.store.write() as session:
        for item in batch:
            person = random.choice([user for user in people if user.language == item.language] or list(people))
            moment = min(item.last_activity_at + timedelta(minutes=random.randint(5, 240)), now)
            conversations.mark_read(session, item.id)
            if "http" in item.preview or "🔥" in item.preview or ".example" in item.preview:
                conversations.set_spam(session, item.id, is_spam=True, by_user_id=person.id, now=moment)
            else:
                conversations.resolve(session, item.id, by_user_id=person.id, now=moment)


def _work_on_fresh(
    house: House, fresh: Sequence[OpenConversation], people: Sequence[User], random: Random, now: datetime
) -> None:
    tomorrow = datetime.combine(now.astimezone(ROME).date() + timedelta(days=1), time(9), tzinfo=ROME)
    with house.store.write() as session:
        for index, item in enumerate(fresh):
            person = random.choice(people)
            lowered = item.preview.lower()
            for label, signs in _LABELS:
                if any(sign in lowered for sign in signs) and random.random() < 0.7:
                    conversations.add_label(session, item.id, label=label, by_user_id=person.id, now=now)
            if random.random() < 0.55:
                conversations.mark_read(session, item.id)
            if index % 7 == 3:
                text = random.choice(_NOTES.get(item.language, _NOTES["en"]))
                conversations.add_note(session, item.id, text=text, by_user_id=person.id, now=now)
            if index % 13 == 5:
                conversations.snooze(session, item.id, until=tomorrow, by_user_id=person.id, now=now)
            elif item.reply_count and index % 3 == 0:
                conversations.resolve(session, item.id, by_user_id=person.id, now=now)
            elif item.reply_count:
                conversations.set_pending(session, item.id, by_user_id=person.id, now=now)


def _answer_some(house: House, fresh: Sequence[OpenConversation], people: Sequence[User], now: datetime) -> None:
    """Send three answers through the outbox, really: they stand in the town's threads."""
    sent = 0
    for item in fresh:
        if sent == 3 or item.reply_count:
            continue
        with house.store.write() as session:
            reply_id = _queue(session, item, people[0], now)
        if reply_id is not None:
            publish_reply(
                house.store, reply_id, connector_of=house.connector_of, publishing=Publishing.LIVE, clock=house.clock
            )
            sent += 1


def _queue(session: Session, item: OpenConversation, person: User, now: datetime) -> int | None:
    conversation = session.get_one(Conversation, item.id)
    latest = latest_inbound(session, [conversation.id]).get(conversation.id)
    is_answerable = latest is not None and latest.network in {"facebook", "mastodon"}
    if latest is None or not is_answerable or conversation.state is not ConversationState.OPEN:
        return None
    reply = queue_reply(
        session, conversation_id=item.id, post_id=latest.post_id, text=_ANSWERS.get(item.language, _ANSWERS["en"]),
        user_id=person.id, expected_version=conversation.version, undo_seconds=0, now=now,
    )  # fmt: skip
    return reply.id

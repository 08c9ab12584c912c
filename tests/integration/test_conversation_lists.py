"""Lists of conversations: order, keyset paging, filters, counts, number of statements."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from inbox.errors import InvalidError, NotFoundError
from inbox.store.engine import Store
from inbox.store.queries.conversations import (
    AssigneeFilter,
    ConversationFilters,
    SlaFilter,
    Sort,
    count_views,
    get_conversation_view,
    list_conversations,
)
from inbox.store.search_index import index_posts
from inbox.store.tables import Brand, Contact, ConversationLabel, Label, Note, Reply
from inbox.store.types import ConversationState, ReplyState
from tests.conftest import FakeClock
from tests.triage_factory import (
    make_brand,
    make_case,
    make_conversation,
    make_identity,
    make_post,
    make_user,
    tag_post,
)

ALL_STATES = tuple(ConversationState)


def count_statements(store: Store) -> list[str]:
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    sa.event.listen(store.engine, "before_cursor_execute", note)
    return seen


def fill(store: Store, clock: FakeClock, count: int = 23) -> list[int]:
    with store.write() as session:
        brand = make_brand(session, now=clock())
        ids = []
        for number in range(count):
            due = clock() + timedelta(minutes=number % 5 * 10 - 10) if number % 3 else None
            conversation = make_conversation(
                session,
                brand,
                now=clock() - timedelta(minutes=number % 7),
                key=f"t{number}",
                sla_due_at=due,
                priority=number % 4 * 10,
                state=ConversationState.OPEN if number % 2 else ConversationState.PENDING,
            )
            ids.append(conversation.id)
        return ids


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("states", [(ConversationState.OPEN,), (), ALL_STATES])
def test_paging_visits_every_conversation_once_in_order(
    store: Store, clock: FakeClock, sort: Sort, states: tuple[ConversationState, ...]
) -> None:
    ids = fill(store, clock)
    wanted = ids if len(states) != 1 else ids[1::2]
    filters = ConversationFilters(states=states, sort=sort)
    with store.read() as session:
        whole = [row.conversation for row in list_conversations(session, filters, now=clock(), limit=200).rows]
        paged, after = [], None
        while True:
            page = list_conversations(session, filters, now=clock(), after=after, limit=4)
            paged += [row.conversation.id for row in page.rows]
            after = page.after
            if after is None:
                break
    assert sorted(paged) == sorted(wanted)
    assert paged == [conversation.id for conversation in whole]
    if sort is Sort.SLA:
        dues = [conversation.sla_due_at for conversation in whole]
        timed = [due for due in dues if due]
        assert timed == sorted(timed)
        assert all(due is None for due in dues[len(timed) :])
    elif sort is Sort.RISK:
        assert [c.priority for c in whole] == sorted((c.priority for c in whole), reverse=True)
    else:
        times = [conversation.last_activity_at for conversation in whole]
        assert times == sorted(times, reverse=sort is Sort.NEWEST)


def test_a_list_takes_three_statements(store: Store, clock: FakeClock) -> None:
    fill(store, clock)
    seen = count_statements(store)
    with store.read() as session:
        list_conversations(session, ConversationFilters(states=()), now=clock())
    assert len([one for one in seen if one.lstrip().upper().startswith("SELECT")]) == 3


@pytest.mark.parametrize("sort", list(Sort))
def test_the_open_list_walks_an_index(sqlite_store: Store, clock: FakeClock, sort: Sort) -> None:
    fill(sqlite_store, clock)
    seen: list[tuple[str, object]] = []

    def note(_c: object, _cursor: object, statement: str, values: object, *_rest: object) -> None:
        seen.append((statement, values))

    sa.event.listen(sqlite_store.engine, "before_cursor_execute", note)
    with sqlite_store.read() as session:
        list_conversations(session, ConversationFilters(sort=sort), now=clock())
        statement, values = next(one for one in seen if one[0].startswith("SELECT"))
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert not [row for row in plan if str(row[3]).startswith("SCAN conversation")], plan


@pytest.mark.parametrize(
    "cursor", ["x", "!!!", "W10", "bnVsbA", "WyJzbGEiLDAsIm5vIiwxXQ", "WyJyaXNrIiwwLDEsMV0", "é" * 9]
)
def test_a_foreign_cursor_is_refused(store: Store, clock: FakeClock, cursor: str) -> None:
    with store.read() as session, pytest.raises(InvalidError):
        list_conversations(session, ConversationFilters(), now=clock(), after=cursor)


def test_filters_narrow_the_list(store: Store, clock: FakeClock) -> None:
    now = clock()
    with store.write() as session:
        brand = make_brand(session, now=now)
        giulia = make_user(session, now=now)
        contact = Contact(brand_id=brand.id, name="Anna", is_vip=True, created_at=now)
        session.add(contact)
        session.flush()
        anna = make_identity(session, brand, now=now, handle="anna", contact_id=contact.id)
        rich = make_conversation(
            session, brand, now=now, key="a", author_id=anna.id, assignee_id=giulia.id, sentiment="negative",
            sentiment_confidence=0.9, sentiment_unsure=False, intent="complaint", intents=["complaint", "question"],
            language="it", audience=5000, sla_due_at=now - timedelta(minutes=1),
        )  # fmt: skip
        said = make_post(session, brand, anna, now=now, external_id="a", text="Pacco perduto", conversation_id=rich.id)
        index_posts(session, [said.id])
        make_conversation(session, brand, now=now, key="b", network="x", sla_due_at=now + timedelta(hours=2))
        make_conversation(session, brand, now=now, key="s", is_spam=True)
        make_conversation(session, brand, now=now, key="m", is_muted=True)
        label = Label(brand_id=brand.id, name="spedizioni")
        session.add(label)
        session.flush()
        session.add(ConversationLabel(conversation_id=rich.id, label_id=label.id))
    with store.read() as session:

        def keys(**values: object) -> str:
            filters = ConversationFilters(**values)  # type: ignore[arg-type] - parametrised by name
            page = list_conversations(session, filters, now=now)
            return "".join(sorted(row.conversation.thread_key for row in page.rows))

        assert keys() == "ab"
        assert keys(is_spam=True) == "s"
        assert keys(is_muted=True) == "m"
        assert keys(brand_id=brand.id) == "ab"
        assert keys(brand_id=brand.id + 1) == ""
        assert keys(networks=("x",)) == "b"
        assert keys(assignee=giulia.id) == "a"
        assert keys(assignee=AssigneeFilter.NONE) == "b"
        assert keys(sentiments=("negative",)) == "a"
        assert keys(intents=("question",)) == "a"
        assert keys(intents=("praise",)) == ""
        assert keys(languages=("it",)) == "a"
        assert keys(label_ids=(label.id,)) == "a"
        assert keys(is_unsure=True) == "b"
        assert keys(confidence_below=0.95) == "a"
        assert keys(confidence_below=0.5) == ""
        assert keys(audience_min=100) == "a"
        assert keys(sla=SlaFilter.LATE) == "a"
        assert keys(sla=SlaFilter.AT_RISK) == "a"
        assert keys(is_vip=True) == "a"
        assert keys(is_vip=False) == "b"
        assert keys(text="pacco") == "a"
        assert keys(text="pacco", brand_id=brand.id) == "a"
        assert keys(text="biscotti") == ""
        assert keys(since=now + timedelta(seconds=1)) == ""
        assert keys(until=now - timedelta(seconds=1)) == ""
        row = list_conversations(session, ConversationFilters(assignee=giulia.id), now=now).rows[0]
        assert (row.is_vip, row.assignee_name, row.labels[0].name) == (True, "Giulia", "spedizioni")


@pytest.mark.parametrize(
    ("narrowed", "keys"),
    [
        ({"emotions": ("anger", "fear")}, ["angry"]),
        ({"emotions": ("joy",)}, []),
        ({"urgency_min": 1}, ["angry", "calm"]),
        ({"urgency_min": 2}, ["angry"]),
        ({"urgency_min": 3}, []),
        ({"is_toxic": True}, ["angry"]),
        ({"is_toxic": False}, ["calm", "untagged"]),
    ],
)
def test_feelings_and_haste_narrow_the_list(
    store: Store, clock: FakeClock, narrowed: dict[str, object], keys: list[str]
) -> None:
    now = clock()
    with store.write() as session:
        brand = make_brand(session, now=now)
        make_conversation(session, brand, now=now, key="angry", emotion="anger", urgency=2, is_toxic=True)
        make_conversation(session, brand, now=now, key="calm", emotion="none", urgency=1)
        make_conversation(session, brand, now=now, key="untagged")
    with store.read() as session:
        page = list_conversations(session, ConversationFilters(**narrowed), now=now)  # type: ignore[arg-type] - by name
    assert sorted(row.conversation.thread_key for row in page.rows) == keys


def test_resolved_work_is_bounded_to_thirty_days_unless_asked(store: Store, clock: FakeClock) -> None:
    now = clock()
    with store.write() as session:
        brand = make_brand(session, now=now)
        for key, days in (("old", 40), ("new", 2)):
            make_conversation(session, brand, now=now - timedelta(days=days), key=key, state=ConversationState.RESOLVED)
    resolved = (ConversationState.RESOLVED,)
    with store.read() as session:
        recent = list_conversations(session, ConversationFilters(states=resolved), now=now)
        asked = list_conversations(
            session, ConversationFilters(states=resolved, since=now - timedelta(days=90)), now=now
        )
    assert [row.conversation.thread_key for row in recent.rows] == ["new"]
    assert len(asked.rows) == 2


def test_counts_tell_the_fixed_views_apart(store: Store, clock: FakeClock) -> None:
    now = clock()
    with store.write() as session:
        brand = make_brand(session, now=now)
        giulia = make_user(session, now=now)
        make_conversation(session, brand, now=now, key="1", assignee_id=giulia.id, sla_due_at=now)
        make_conversation(session, brand, now=now, key="2")
        make_conversation(session, brand, now=now, key="3", state=ConversationState.SNOOZED)
        make_conversation(session, brand, now=now, key="4", state=ConversationState.PENDING)
        make_conversation(session, brand, now=now, key="5", is_spam=True)
        conversation, post = make_case(session, now=now, key="6", brand=brand)
        session.add(
            Reply(
                brand_id=brand.id, conversation_id=conversation.id, post_id=post.id, text="!",
                state=ReplyState.UNKNOWN, created_at=now,
            )
        )  # fmt: skip
    with store.read() as session:
        counts = count_views(session, giulia.id, now=now)
        problems = list_conversations(session, ConversationFilters(has_problem=True), now=now)
    assert (counts.mine, counts.unassigned, counts.sla_at_risk, counts.all_open) == (1, 2, 1, 3)
    assert (counts.pending, counts.snoozed, counts.problems, counts.spam) == (1, 1, 1, 1)
    assert problems.rows[0].reply_state is ReplyState.UNKNOWN


def test_a_view_shows_the_whole_conversation_in_nine_statements(store: Store, clock: FakeClock) -> None:
    now = clock()
    with store.write() as session:
        conversation, post = make_case(session, now=now)
        tag_post(session, post, now=now)
        giulia = make_user(session, now=now)
        session.add(Note(conversation_id=conversation.id, user_id=giulia.id, text="chiamata", created_at=now))
    seen = count_statements(store)
    with store.read() as session:
        view = get_conversation_view(session, conversation.id)
    assert len([one for one in seen if one.lstrip().upper().startswith("SELECT")]) <= 9
    assert view.posts[0].tags is not None
    assert view.posts[0].author.handle == "anna-t1"
    assert view.notes[0].user_name == "Giulia"
    assert view.hidden_posts == 0


def test_a_long_thread_keeps_its_root_and_newest_posts(store: Store, clock: FakeClock) -> None:
    now = clock()
    with store.write() as session:
        conversation, _post = make_case(session, now=now)
        brand_id = conversation.brand_id
        for number in range(8):
            author = make_identity(session, make_stub(brand_id), now=now, handle=f"p{number}")
            make_post(
                session, make_stub(brand_id), author, now=now + timedelta(minutes=number),
                external_id=f"p{number}", thread_key="t1", conversation_id=conversation.id,
            )  # fmt: skip
        conversation.post_count = 9
    with store.read() as session:
        view = get_conversation_view(session, conversation.id, max_posts=4)
    assert [one.post.external_id for one in view.posts] == ["t1", "p5", "p6", "p7"]
    assert view.hidden_posts == 5


def make_stub(brand_id: int) -> Brand:
    return Brand(id=brand_id)


def test_a_missing_conversation_is_not_found(store: Store) -> None:
    with store.read() as session, pytest.raises(NotFoundError):
        get_conversation_view(session, 42)

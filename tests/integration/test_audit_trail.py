"""The audit trail on both databases: one unbroken line, whoever writes, and no change unnoticed."""

import contextlib
import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from inbox import audit
from inbox.store.engine import Store
from inbox.store.queries.audit import audit_events
from inbox.store.tables import AuditEvent

NOW = datetime(2026, 11, 10, 9, tzinfo=UTC)


def note(session: Session, number: int) -> None:
    audit.record(session, now=NOW, action="note.added", entity="note", entity_id=number, after={"n": number, "à": 0.5})


def count(store: Store) -> int:
    with store.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(AuditEvent)) or 0


def test_chain_holds_across_transactions(store: Store) -> None:
    for number in range(3):
        with store.write() as session:
            note(session, number)
            note(session, number + 10)
    with store.read() as session:
        report = audit.verify(session)
        assert [event.entity_id for event in audit_events(session)] == [0, 10, 1, 11, 2, 12]
    assert report.is_intact
    assert report.events == 6


def test_empty_chain_is_intact(store: Store) -> None:
    with store.read() as session:
        assert audit.verify(session).is_intact


def test_nothing_is_written_when_the_transaction_fails(store: Store) -> None:
    with contextlib.suppress(ZeroDivisionError), store.write() as session:
        note(session, 1)
        raise ZeroDivisionError
    assert count(store) == 0


def test_a_savepoint_rolled_back_takes_its_events_along(store: Store) -> None:
    with store.write() as session:
        note(session, 1)
        with contextlib.suppress(ZeroDivisionError), session.begin_nested():
            note(session, 2)
            with session.begin_nested():
                note(session, 3)
            raise ZeroDivisionError
        with session.begin_nested():
            note(session, 4)
    with store.read() as session:
        assert [event.entity_id for event in audit_events(session)] == [1, 4]
        assert audit.verify(session).is_intact


def test_events_can_be_written_at_once(store: Store) -> None:
    with store.write() as session:
        note(session, 1)
        assert audit.write_pending(session) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(AuditEvent)) == 1
        note(session, 2)
    assert count(store) == 2


@pytest.mark.parametrize(
    ("tampering", "broken_at"),
    [
        ("UPDATE audit_event SET action = 'note.removed' WHERE id = 2", 2),
        ("UPDATE audit_event SET after = '{}' WHERE id = 2", 2),
        ("UPDATE audit_event SET user_id = 7 WHERE id = 3", 3),
        ("DELETE FROM audit_event WHERE id = 2", 3),
        ("DELETE FROM audit_event WHERE id = 1", 2),
    ],
)
def test_tampering_is_found_where_it_was_done(store: Store, tampering: str, broken_at: int) -> None:
    with store.write() as session:
        for number in range(4):
            note(session, number)
    with store.engine.begin() as connection:
        connection.exec_driver_sql(tampering)
    with store.read() as session:
        report = audit.verify(session)
    assert report.broken_at == broken_at
    assert report.reason


def test_concurrent_writers_leave_one_line(store: Store) -> None:
    errors: list[Exception] = []

    def write(worker: int) -> None:
        for number in range(5):
            try:
                with store.write() as session:
                    note(session, worker * 100 + number)
            except Exception as error:  # noqa: BLE001 - collected for the assertion
                errors.append(error)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with store.read() as session:
        report = audit.verify(session)
    assert report.is_intact
    assert report.events == 30


def test_recording_before_other_rows_cannot_deadlock(postgres_store: Store) -> None:
    """Two transactions that record first and touch the same row later wait in turn, and both end."""
    with postgres_store.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO system_value (key, value, changed_at) VALUES ('a', '0', now()), ('b', '0', now())"
        )
    first_holds_a, second_recorded = threading.Event(), threading.Event()
    errors: list[Exception] = []

    def first() -> None:
        try:
            with postgres_store.write() as session:
                session.execute(sa.text("UPDATE system_value SET value = '1' WHERE key = 'a'"))
                first_holds_a.set()
                assert second_recorded.wait(10)
                note(session, 1)
        except Exception as error:  # noqa: BLE001 - as above
            errors.append(error)

    def second() -> None:
        try:
            assert first_holds_a.wait(10)
            with postgres_store.write() as session:
                note(session, 2)
                session.flush()
                second_recorded.set()
                session.execute(sa.text("UPDATE system_value SET value = '2' WHERE key = 'a'"))
        except Exception as error:  # noqa: BLE001 - as above
            errors.append(error)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert errors == []
    assert count(postgres_store) == 2

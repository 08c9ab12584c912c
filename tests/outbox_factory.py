"""A scripted network and a desk at which tests queue and publish answers."""

from dataclasses import replace
from datetime import datetime, timedelta

from config.settings import Publishing
from connectors.base import Capabilities, Connector, PostRef, Receipt
from connectors.errors import ConnectorError
from connectors.fake import FakeConfig, FakeConnector
from connectors.transport import Transport
from inbox.replies.outbox import Patience, publish_reply, queue_reply
from inbox.store.engine import Store
from inbox.store.queries import replies
from inbox.store.tables import Conversation, Reply, Source
from inbox.store.types import AttemptOutcome, ReplyState, SlaState
from tests.conftest import FakeClock
from tests.triage_factory import make_case, make_user


class ScriptedNetwork:
    """A network whose calls end as told. What stands is in `standing`; `outcomes` are used up one by a call.

    An outcome is an error to raise before anything stands, ("committed", error) to raise after, None to take it.
    """

    def __init__(self) -> None:
        self.standing: list[tuple[str, str]] = []
        self.outcomes: list[ConnectorError | tuple[str, Exception] | None] = []
        self.look_errors: list[ConnectorError] = []
        self.calls = 0
        self.looks = 0
        self.can_read_back = True
        self.is_hidden = False

    def __call__(self, _source: Source) -> Connector:
        return ScriptedConnector(self)


class ScriptedConnector(FakeConnector):
    """The network's client."""

    def __init__(self, network: ScriptedNetwork) -> None:
        super().__init__(FakeConfig(world="none"), transport=Transport())
        self.scripted = network

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, can_read_back=self.scripted.can_read_back)

    def reply(self, post: PostRef, text: str) -> Receipt:
        self.scripted.calls += 1
        outcome = self.scripted.outcomes.pop(0) if self.scripted.outcomes else None
        if isinstance(outcome, ConnectorError):
            raise outcome
        self.scripted.standing.append((post.external_id, text))
        if outcome is not None:
            raise outcome[1]
        return Receipt(external_id=f"r{len(self.scripted.standing)}", url="https://fake.example/r")

    def find_reply(self, post: PostRef, text: str, since: datetime) -> Receipt | None:  # noqa: ARG002 - the contract's signature
        self.scripted.looks += 1
        if self.scripted.look_errors:
            raise self.scripted.look_errors.pop(0)
        if self.scripted.is_hidden or (post.external_id, text) not in self.scripted.standing:
            return None
        return Receipt(external_id=f"r{self.scripted.standing.index((post.external_id, text)) + 1}")


class Desk:
    """A conversation, an agent and a network, with the steps tests take."""

    def __init__(self, store: Store, clock: FakeClock, network: ScriptedNetwork) -> None:
        self.store, self.clock, self.network = store, clock, network
        self.patience = Patience(lag=timedelta(seconds=15))
        with store.write() as session:
            conversation, post = make_case(session, now=clock())
            conversation.sla_state = SlaState.ACTIVE
            conversation.sla_due_at = clock() + timedelta(hours=1)
            self.conversation_id, self.post_id = conversation.id, post.id
            self.user_id = make_user(session, now=clock()).id
            self.other_id = make_user(session, now=clock(), name="Marco").id

    def queue(self, text: str = "Ci dispiace!", **values: object) -> int:
        with self.store.write() as session:
            conversation = session.get_one(Conversation, self.conversation_id)
            given = {
                "conversation_id": self.conversation_id,
                "post_id": self.post_id,
                "text": text,
                "user_id": self.user_id,
                "expected_version": conversation.version,
                "undo_seconds": 10,
                "now": self.clock(),
                **values,
            }
            return queue_reply(session, **given).id  # type: ignore[arg-type] - given by name

    def queue_and_wait(self, **values: object) -> int:
        reply_id = self.queue(**values)
        self.clock.advance(timedelta(seconds=10))
        return reply_id

    def publish(self, reply_id: int, publishing: Publishing = Publishing.LIVE) -> ReplyState:
        return publish_reply(
            self.store,
            reply_id,
            connector_of=self.network,
            publishing=publishing,
            clock=self.clock,
            patience=self.patience,
        )

    def reply(self, reply_id: int) -> Reply:
        with self.store.read() as session:
            return session.get_one(Reply, reply_id)

    def outcomes(self, reply_id: int) -> list[AttemptOutcome]:
        with self.store.read() as session:
            return [attempt.outcome for attempt in replies.list_attempts(session, reply_id)]

"""Commands about our answers: what waits, what failed, and what nobody knows the fate of."""

from typing import TYPE_CHECKING, Annotated

import typer

from ascolto.cli.choosing import choose_acting_user
from ascolto.cli.exits import CliError, ExitCode
from ascolto.cli.opening import open_house
from ascolto.cli.output import JsonFlag, progress, say, write_json, write_table

if TYPE_CHECKING:
    from inbox.store.types import ReplyState

group = typer.Typer(help="Our answers.", no_args_is_help=True)
By = Annotated[
    str | None, typer.Option("--by", help="E-mail of the person who decides; the only administrator if left out.")
]


@group.command("list")
def list_answers(
    state: Annotated[
        list[str] | None, typer.Option("--state", help="Only this state, such as failed or unknown; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many, newest first.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """List our answers with their state and, where one failed, why."""
    from inbox.store.queries.replies import list_replies

    states = [_state(name) for name in state or ()]
    with open_house() as house, house.store.read() as session:
        rows = [
            {
                "id": reply.id,
                "state": reply.state.value,
                "network": conversation.network,
                "conversation_id": conversation.id,
                "text": reply.text,
                "by": name,
                "attempts": reply.attempts,
                "reason": reply.reason,
                "is_retryable": reply.is_retryable,
                "created_at": reply.created_at,
                "sent_at": reply.sent_at,
                "external_id": reply.external_id,
                "url": reply.url,
            }
            for reply, conversation, name in list_replies(session, states=states, limit=limit)
        ]
    if as_json:
        write_json(rows)
    else:
        write_table(
            ("id", "state", "network", "by", "attempts", "text", "reason"),
            (
                (r["id"], r["state"], r["network"], r["by"], r["attempts"], _short(str(r["text"])), r["reason"])
                for r in rows
            ),
        )


@group.command("retry")
def retry(reply_id: Annotated[int, typer.Argument(help="Number of the answer.")], by: By = None) -> None:
    """Queue a failed answer again; it is read back at the network before it is sent."""
    from inbox.replies.outbox import retry_reply

    with open_house() as house, house.store.write() as session:
        user = choose_acting_user(session, by)
        retry_reply(session, reply_id, user_id=user.id, now=house.clock())
    say(f"Answer {reply_id} is queued again.")


@group.command("resolve")
def resolve(
    reply_id: Annotated[int, typer.Argument(help="Number of the answer.")],
    sent: Annotated[bool | None, typer.Option("--sent/--not-sent", help="Whether it stands at the network.")] = None,
    external_id: Annotated[
        str | None, typer.Option("--external-id", help="Its id at the network, if it stands.")
    ] = None,
    by: By = None,
) -> None:
    """Settle an answer of unknown fate, after looking at the network."""
    if sent is None:
        raise CliError("Look at the network first, then say --sent or --not-sent.", code=ExitCode.USAGE)
    from inbox.replies.outbox import resolve_unknown

    with open_house() as house, house.store.write(durable=True) as session:
        user = choose_acting_user(session, by)
        resolve_unknown(session, reply_id, was_sent=sent, user_id=user.id, now=house.clock(), external_id=external_id)
    say(f"Answer {reply_id} is settled: {'it stands' if sent else 'it was not sent'}.")


@group.command("reconcile")
def reconcile(
    resume: Annotated[
        bool, typer.Option("--resume", help="Let publishing go on when no answer of unknown fate is left.")
    ] = False,
    by: By = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare every unfinished answer with the network, as after a restore; then publishing may go on."""
    from inbox.replies.reconcile import reconcile as reconcile_answers
    from inbox.replies.reconcile import resume_publishing

    with open_house() as house:
        with progress("Reading back at the networks"):
            report = reconcile_answers(house.store, connector_of=house.connector_of, clock=house.clock)
        resumed = resume and not (report.unknown or report.unreachable)
        if resumed:
            with house.store.write(durable=True) as session:
                resume_publishing(session, now=house.clock(), user_id=choose_acting_user(session, by).id)
    if as_json:
        write_json(
            {
                "found": report.found,
                "absent": report.absent,
                "unknown": report.unknown,
                "unreachable": report.unreachable,
                "resumed": resumed,
            }
        )
    else:
        say(
            f"{len(report.found)} stand at the network, {len(report.absent)} wait to be sent, "
            f"{len(report.unknown)} are of unknown fate, {len(report.unreachable)} could not be looked for."
        )
    if report.unknown:
        raise CliError(
            f"Of unknown fate: {', '.join(map(str, report.unknown))}.",
            cure="Look at the network, then: ascolto reply resolve NUMBER --sent or --not-sent.",
        )
    if report.unreachable:
        raise CliError(
            "Some networks cannot be reached just now.", code=ExitCode.NETWORK, cure="Run reconcile again later."
        )
    say("Publishing goes on." if resumed else "Publishing is left as it was; --resume lets it go on.")


def _state(name: str) -> "ReplyState":
    from inbox.store.types import ReplyState

    try:
        return ReplyState(name)
    except ValueError as error:
        known = ", ".join(state.value for state in ReplyState)
        raise CliError(f'There is no state "{name}". States: {known}.', code=ExitCode.USAGE) from error


def _short(text: str, length: int = 60) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"

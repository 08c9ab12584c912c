"""Commands that keep an installation healthy: doctor, backup, restore, keys, the audit trail."""

from pathlib import Path
from typing import Annotated

import typer

from ascolto.cli.exits import CliError, ExitCode
from ascolto.cli.opening import check_ready, open_house, open_settings, start_logs
from ascolto.cli.output import JsonFlag, answer, progress, say, write_json

secrets_group = typer.Typer(help="Keys of the encrypted credentials.", no_args_is_help=True)
audit_group = typer.Typer(help="The audit trail.", no_args_is_help=True)
_MARKS = {"ok": "ok  ", "warn": "look", "fail": "FAIL", "skip": "-   "}


def add_to(app: typer.Typer) -> None:
    """Add the commands that stand alone."""
    app.command("doctor")(doctor)
    app.command("backup")(backup)
    app.command("restore")(restore_backup)


def doctor(as_json: JsonFlag = False) -> None:
    """Say what is wrong with this installation, in words, with the cure. Ends with 1 when something is."""
    from ascolto.doctor import State, examine

    findings = examine()
    is_ill = any(finding.state is State.FAIL for finding in findings)
    if as_json:
        write_json(
            {
                "is_healthy": not is_ill,
                "checks": [
                    {"name": f.name, "state": f.state.value, "words": f.words, "cure": f.cure} for f in findings
                ],
            }
        )
    else:
        for finding in findings:
            answer(f"{_MARKS[finding.state.value]}  {finding.name}: {finding.words}")
            if finding.cure:
                answer(f"      → {finding.cure}")
    if is_ill:
        raise typer.Exit(int(ExitCode.FAILED))


def backup(
    target: Annotated[
        Path | None, typer.Argument(help="File or folder; the folder backups in the data folder if left out.")
    ] = None,
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Put the secret key in too; keep such a file very safe.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write a backup while everything runs: one file, checked."""
    from inbox.store.backup import back_up

    with open_house() as house:
        place = target
        if place is None:
            place = house.settings.data_dir / "backups"
            place.mkdir(parents=True, exist_ok=True)
        with progress("Copying the database"):
            report = back_up(house.store, house.settings, house.vault, place, with_key=with_key, now=house.clock())
    if as_json:
        write_json({"path": str(report.path), "bytes": report.size_bytes, **report.manifest.model_dump(mode="json")})
        return
    answer(str(report.path))
    rows = report.manifest.rows
    say(f"{report.size_bytes:,} bytes, {rows['post']:,} posts, {rows['reply']:,} answers.")
    if not with_key:
        say("The secret key is not in it: keep secret.key (or ASCOLTO_SECRET_KEYS) somewhere else, safe.")


def restore_backup(
    source: Annotated[Path, typer.Argument(help="The backup's file.", exists=True, dir_okay=False)],
    as_json: JsonFlag = False,
) -> None:
    """Load a backup into an empty place. Publishing stays paused until the answers are reconciled."""
    from connectors.base import utc_now
    from inbox.store.backup import restore
    from inbox.store.engine import Store

    settings = open_settings()
    start_logs(settings)
    store = Store(settings.resolved_database_url)
    try:
        with progress("Loading the database"):
            report = restore(store, settings, source, now=utc_now())
        check_ready(store)
    finally:
        store.dispose()
    if as_json:
        write_json(
            {
                "rows": report.rows,
                "fits_key": report.fits_key,
                "backup_of": report.manifest.created_at,
                "publishing": "paused",
            }
        )
    else:
        moment = f"{report.manifest.created_at:%Y-%m-%d %H:%M} UTC"
        say(f"Restored: {report.rows['post']:,} posts, {report.rows['reply']:,} answers, as of {moment}.")
        say("Publishing is paused. Next: ascolto reply reconcile --resume")
    if not report.fits_key:
        say(
            "The key here does not open the sources' credentials: put back the secret.key of this backup "
            f"(fingerprint {report.manifest.key_fingerprints[0]}), or enter the credentials again."
        )


@secrets_group.command("rotate")
def rotate(
    drop_old: Annotated[bool, typer.Option("--drop-old", help="Forget the old keys once nothing needs them.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make a new key and encrypt every credential with it."""
    from ascolto.key_rotation import rotate_keys

    with open_house() as house:
        report = rotate_keys(house.store, house.settings, now=house.clock(), drop_old=drop_old)
    if as_json:
        write_json({"fingerprint": report.fingerprint, "encrypted": report.encrypted, "keys": report.keys})
    else:
        say(f"{report.encrypted} credentials are encrypted with key {report.fingerprint}; {report.keys} keys are kept.")
        if not drop_old and report.keys > 1:
            say("Restart what runs, then drop the old keys with: ascolto secrets rotate --drop-old")


@audit_group.command("verify")
def verify_trail(
    head: Annotated[
        str | None, typer.Option("--head", help="A digest noted earlier, which must still be in the chain.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Recompute the chain of the audit trail. Ends with 1 where it is broken."""
    from inbox import audit
    from inbox.store.queries.audit import has_digest

    with open_house() as house, house.store.read() as session:
        report = audit.verify(session)
        is_known = head is None or has_digest(session, head)
    if as_json:
        write_json(
            {
                "is_intact": report.is_intact and is_known,
                "events": report.events,
                "head": report.head,
                "broken_at": report.broken_at,
                "reason": report.reason,
            }
        )
    elif report.is_intact:
        say(f"{report.events:,} events, unbroken.")
        answer(report.head)
    if not report.is_intact:
        raise CliError(f"The chain breaks at event {report.broken_at}: {report.reason}.")
    if not is_known:
        raise CliError("The digest given is not in the chain: events were removed from its end.")

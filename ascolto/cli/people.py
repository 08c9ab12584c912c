"""Commands about the people who work here."""

import sys
from typing import Annotated, Literal

import typer

from ascolto.cli.choosing import choose_user
from ascolto.cli.exits import CliError, ExitCode
from ascolto.cli.opening import open_house
from ascolto.cli.output import JsonFlag, answer, say, write_json, write_table

group = typer.Typer(help="People who work here.", no_args_is_help=True)
RoleName = Literal["agent", "approver", "manager", "admin", "read_only"]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Generate = Annotated[bool, typer.Option("--generate", help="Make a password and write it to standard output.")]


@group.command("add")
def add(
    email: Annotated[str, typer.Argument(help="E-mail, with which the person signs in.")],
    name: Annotated[
        str, typer.Option("--name", help="Name as colleagues see it; the e-mail's first part if left out.")
    ] = "",
    role: Annotated[RoleName, typer.Option("--role", help="What the person may do.")] = "agent",
    language: Annotated[Literal["it", "en"], typer.Option("--language", help="Language of the screens.")] = "en",
    password_stdin: PasswordStdin = False,
    generate: Generate = False,
    as_json: JsonFlag = False,
) -> None:
    """Add a person. Asks for the password unless told where it comes from."""
    from inbox.people.users import create_user
    from inbox.store.types import Role

    with open_house() as house:
        password = read_password(from_stdin=password_stdin, generate=generate)
        with house.store.write() as session:
            user = create_user(
                session,
                email=email,
                name=name or email.split("@", maxsplit=1)[0],
                password=password,
                role=Role(role),
                language=language,
                now=house.clock(),
            )
            user_id, address = user.id, user.email
    if as_json:
        write_json({"id": user_id, "email": address, "role": role, "password": password if generate else None})
        return
    say(f"{address} is added as {role}.")
    if generate:
        answer(password)


@group.command("passwd")
def passwd(
    email: Annotated[str, typer.Argument(help="E-mail of the person.")],
    password_stdin: PasswordStdin = False,
    generate: Generate = False,
) -> None:
    """Set a person's password and end all their sign-ins."""
    from inbox.people.users import set_password

    with open_house() as house:
        with house.store.read() as session:
            user_id = choose_user(session, email).id
        password = read_password(from_stdin=password_stdin, generate=generate)
        with house.store.write() as session:
            set_password(session, user_id, password, now=house.clock())
    say("The password is changed; all sign-ins have ended.")
    if generate:
        answer(password)


@group.command("list")
def list_people(as_json: JsonFlag = False) -> None:
    """List everybody."""
    from inbox.store.queries.people import list_users

    with open_house() as house, house.store.read() as session:
        rows = [
            {
                "id": user.id,
                "email": user.email,
                "name": user.name,
                "role": user.role.value,
                "language": user.language,
                "is_active": user.is_active,
            }
            for user in list_users(session)
        ]
    if as_json:
        write_json(rows)
    else:
        write_table(
            ("e-mail", "name", "role", "language", "active"),
            ((r["email"], r["name"], r["role"], r["language"], "yes" if r["is_active"] else "no") for r in rows),
        )


def read_password(*, from_stdin: bool, generate: bool) -> str:
    """Get a new password: made up, from standard input, or asked for twice without showing it."""
    if from_stdin and generate:
        raise CliError("Choose one of --password-stdin and --generate.", code=ExitCode.USAGE)
    if generate:
        import secrets

        return secrets.token_urlsafe(15)
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise CliError(
            "There is nobody to ask for a password.",
            code=ExitCode.USAGE,
            cure="Add --password-stdin or --generate.",
        )
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))

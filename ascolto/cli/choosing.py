"""Finds what a command names: a brand, a source, a person; CliError in words when there is none."""

from typing import TYPE_CHECKING

from ascolto.cli.exits import CliError, ExitCode

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from inbox.store.tables import Brand, Source, User


def choose_brand(session: "Session", slug: str) -> "Brand":
    """Give the brand of this slug."""
    from inbox.store.queries.brands import find_brand, list_brands

    brand = find_brand(session, slug)
    if brand is None:
        known = ", ".join(brand.slug for brand in list_brands(session)) or "none yet"
        raise CliError(
            f'There is no brand "{slug}". Brands here: {known}.',
            code=ExitCode.NOT_FOUND,
            cure="Add one with `ascolto init --brand FILE`." if known == "none yet" else "",
        )
    return brand


def choose_source(session: "Session", name: str, *, brand: str | None = None) -> "Source":
    """Give the source of this name or number; `brand` decides between sources of one name."""
    from inbox.store.queries.sources import list_sources

    brand_id = None if brand is None else choose_brand(session, brand).id
    known = list_sources(session, brand_id)
    found = [source for source in known if source.name == name or str(source.id) == name]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = ", ".join(str(source.id) for source in found)
        raise CliError(
            f'"{name}" names several sources: {numbers}.',
            code=ExitCode.USAGE,
            cure="Give the number, or --brand.",
        )
    raise CliError(
        f'There is no source "{name}". Sources here: {", ".join(source.name for source in known) or "none yet"}.',
        code=ExitCode.NOT_FOUND,
    )


def choose_user(session: "Session", email: str) -> "User":
    """Give the person with this e-mail."""
    from inbox.people.users import normal_email
    from inbox.store.queries.sign_ins import user_by_email

    user = user_by_email(session, normal_email(email))
    if user is None:
        raise CliError(f"Nobody here has the e-mail {email}.", code=ExitCode.NOT_FOUND)
    return user


def choose_acting_user(session: "Session", email: str | None) -> "User":
    """Give the person in whose name a command acts: the one named, or the only administrator."""
    if email is not None:
        return choose_user(session, email)
    from inbox.store.queries.people import active_admins

    admins = active_admins(session)
    if len(admins) == 1:
        return admins[0]
    raise CliError(
        "Say in whose name: the audit trail needs a person.",
        code=ExitCode.USAGE,
        cure="Add --by EMAIL." if admins else "Add an administrator first: ascolto user add EMAIL --role admin.",
    )

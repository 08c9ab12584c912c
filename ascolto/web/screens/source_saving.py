"""Checks a source's settings with its network and stores them. The network is asked before anything is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import ValidationError

from ascolto.web.config_form import errors_in_words, read_fields, secret_names
from ascolto.web.i18n import N_, Words
from ascolto.wiring import House
from connectors.base import Account, Connector, ConnectorConfig
from connectors.errors import ConnectorError
from connectors.text import clean_text
from inbox import audit
from inbox.errors import NotFoundError
from inbox.listening.source_settings import stored_settings, update_source
from inbox.listening.sources import create_source
from inbox.store.queries.brands import get_brand
from inbox.store.queries.sources import list_sources
from inbox.store.tables import Source

MAX_FIELDS = 120
MAX_VALUE = 20_000
MIN_POLL, MAX_POLL = 5, 86_400
MICROS = 1_000_000
MAX_NAME = 120


async def read_form(request: Request) -> dict[str, str]:
    """Give the texts of a form: cleaned, shortened, files and repeats left out."""
    form = await request.form(max_fields=MAX_FIELDS, max_files=0)
    return {name: clean_text(value)[:MAX_VALUE] for name, value in form.items() if isinstance(value, str)}


FormValues = Annotated[dict[str, str], Depends(read_form)]


@dataclass(frozen=True, slots=True)
class SourceForm:
    """A source's form as it was typed. `settings` are the connector's own; secrets only on their way in."""

    network: str
    name: str = ""
    brand_id: str = ""
    poll_seconds: str = "120"
    budget: str = ""  # US dollars a month
    can_publish: bool = True
    next: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict, repr=False)
    errors: Mapping[str, str] = field(default_factory=dict)
    source_id: int = 0

    @staticmethod
    def read(network: str, form: Mapping[str, str]) -> "SourceForm":
        """Read what came from the browser."""
        return SourceForm(
            network=network,
            name=" ".join(form.get("source_name", "").split())[:MAX_NAME],
            brand_id=form.get("brand_id", ""),
            poll_seconds=form.get("poll_seconds", "").strip() or "120",
            budget=form.get("budget", "").strip(),
            can_publish="can_publish" in form,
            next="setup" if form.get("next") == "setup" else "",
            typed=form,
        )

    @staticmethod
    def of_source(source: Source) -> "SourceForm":
        """Give the form of a stored source."""
        budget = source.monthly_budget_micros
        return SourceForm(
            network=source.network,
            name=source.name,
            brand_id=str(source.brand_id),
            poll_seconds=str(source.poll_seconds),
            budget="" if budget is None else f"{budget / MICROS:g}",
            can_publish=source.can_publish,
            settings=source.config,
        )

    @property
    def budget_micros(self) -> int | None:
        """The budget in millionths, None without one. InvalidOperation when it is no number."""
        return int(Decimal(self.budget.replace(",", ".")) * MICROS) if self.budget else None


def class_of(house: House, network: str) -> type[ConnectorConfig]:
    """Give the settings' class of a network; NotFoundError for one we do not know."""
    if network not in house.registry.names():
        raise NotFoundError(N_("This network is not known here."))
    return house.registry.get(network).config_class


def stored_secret_names(house: House, source: Source) -> frozenset[str]:
    """Give the names of the secrets a source has; their values stay in the vault."""
    return frozenset(house.vault.decrypt(source.secrets)) if source.secrets else frozenset()


def check_source(house: House, source: Source) -> Account:
    """Ask the network who we are there. Raises what the connector raises."""
    return house.connector_of(source).check()


def create_from_form(house: House, form: SourceForm, *, words: Words, user_id: int) -> SourceForm:
    """Check and store a new source; gives the form with its errors, or with the new source's id."""
    settings = read_fields(class_of(house, form.network), form.typed)
    checked, connector, account = _check(house, form, settings, words)
    if connector is None or account is None:
        return checked
    now = house.clock()
    with house.store.write() as session:
        brand = get_brand(session, int(form.brand_id))
        if brand is None:
            return replace(checked, errors={"brand_id": words.gettext(N_("Choose a brand."))})
        name = form.name or _name_of(connector, account)
        if any(source.name.casefold() == name.casefold() for source in list_sources(session, brand.id)):
            message = words.gettext(N_("This brand has a source of this name already."))
            return replace(checked, name=name, errors={"source_name": message})
        source = create_source(
            session, house.vault, brand_id=brand.id, connector=connector, name=name, account=account,
            poll_seconds=int(form.poll_seconds), now=now,
            can_publish=_publishes(form, connector, is_rival=brand.competitor_of is not None),
            monthly_budget_micros=form.budget_micros, user_id=user_id,
        )  # fmt: skip
        return replace(checked, source_id=source.id)


def update_from_form(house: House, source: Source, form: SourceForm, *, words: Words, user_id: int) -> SourceForm:
    """Check and store changed settings; secrets left empty stay as they are."""
    kept = stored_settings(source, house.vault)
    config_class = class_of(house, source.network)
    typed = read_fields(config_class, form.typed)
    secrets = secret_names(config_class)
    settings = {name: value for name, value in kept.items() if name in secrets or name in {"kind", "query"}} | typed
    checked, connector, account = _check(house, replace(form, brand_id=str(source.brand_id)), settings, words)
    if connector is None or account is None:
        return checked
    with house.store.write() as session:
        stored = update_source(session, house.vault, source.id, connector=connector, account=account, now=house.clock())
        stored.name = form.name or stored.name
        stored.poll_seconds = int(form.poll_seconds)
        stored.monthly_budget_micros = form.budget_micros
        stored.can_publish = form.can_publish and connector.capabilities.can_reply
        _note(house, session, stored, "source.changed", user_id)
    return replace(checked, source_id=source.id)


def _check(
    house: House, form: SourceForm, settings: dict[str, Any], words: Words
) -> tuple[SourceForm, Connector | None, Account | None]:
    """Look at everything that needs no network first, then ask the network."""
    shown = {name: value for name, value in settings.items() if name not in secret_names(class_of(house, form.network))}
    form = replace(form, settings=shown)
    errors = own_errors(form, words)
    connector = None
    try:
        connector = house.registry.create(form.network, settings, transport=house.transport, clock=house.clock)
    except ValidationError as error:
        errors |= errors_in_words(error, words)
    if errors or connector is None:
        return replace(form, errors=errors), None, None
    try:
        return form, connector, connector.check()
    except ConnectorError as error:
        return replace(form, errors={"": words.tell(error.message)}), None, None


def own_errors(form: SourceForm, words: Words) -> dict[str, str]:
    """Look at what every source has: its brand, its rhythm and its budget."""
    errors: dict[str, str] = {}
    if not (form.brand_id.isascii() and form.brand_id.isdigit()):
        errors["brand_id"] = words.gettext(N_("Choose a brand."))
    is_number = form.poll_seconds.isascii() and form.poll_seconds.isdigit() and len(form.poll_seconds) < MAX_FIELDS
    if not is_number or not MIN_POLL <= int(form.poll_seconds[:9]) <= MAX_POLL:
        errors["poll_seconds"] = words.gettext(N_("Write seconds, from 5 to 86400 (a day)."))
    try:
        is_amount = 0 <= (form.budget_micros or 0) < 10**15
    except (InvalidOperation, ValueError, OverflowError):
        is_amount = False
    if not is_amount:
        errors["budget"] = words.gettext(N_("Write an amount in dollars such as 25, or nothing."))
    return errors


def _publishes(form: SourceForm, connector: Connector, *, is_rival: bool) -> bool:
    """Answers go out only for our own brands, and only where the network takes them."""
    return form.can_publish and connector.capabilities.can_reply and not is_rival


def _name_of(connector: Connector, account: Account) -> str:
    who = account.handle or account.display_name
    return f"{connector.title} @{account.handle}" if account.handle else f"{connector.title} {who}".strip()


def _note(house: House, session: Any, source: Source, action: str, user_id: int) -> None:
    audit.record(
        session, now=house.clock(), action=action, entity="source", entity_id=source.id, user_id=user_id,
        after={"network": source.network, "poll_seconds": source.poll_seconds, "can_publish": source.can_publish},
    )  # fmt: skip

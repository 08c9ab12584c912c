"""Stores a listening query, once its network has agreed."""

from dataclasses import replace

from ascolto.web.i18n import N_, Words
from ascolto.web.screens.query_form import QueryForm
from ascolto.web.screens.source_saving import SourceForm, own_errors
from ascolto.wiring import House
from connectors.base import Account, Connector
from connectors.errors import ConnectorError
from inbox import audit
from inbox.listening.source_settings import update_source
from inbox.listening.sources import create_source
from inbox.store.queries.brands import get_brand
from inbox.store.queries.sources import list_sources
from inbox.store.tables import Source


def keep_query(
    house: House, form: QueryForm, connector: Connector, *, words: Words, user_id: int, source: Source | None = None
) -> QueryForm:
    """Ask the network, then store the query as a source of its own; gives the form, with errors if it was not."""
    brand_id = str(source.brand_id) if source else form.brand_id
    rhythm = SourceForm(
        network=connector.network, brand_id=brand_id, poll_seconds=form.poll_seconds, budget=form.budget
    )
    errors = own_errors(rhythm, words)
    if not form.name:
        errors["query_name"] = words.gettext(N_("Please give the query a name."))
    if errors:
        return replace(form, errors=errors)
    try:
        account = connector.check()
    except ConnectorError as error:
        return replace(form, errors={"": words.tell(error.message)})
    return _store(house, form, connector, account, rhythm=rhythm, words=words, user_id=user_id, source=source)


def _store(
    house: House,
    form: QueryForm,
    connector: Connector,
    account: Account,
    *,
    rhythm: SourceForm,
    words: Words,
    user_id: int,
    source: Source | None,
) -> QueryForm:
    now = house.clock()
    with house.store.write() as session:
        brand = get_brand(session, int(rhythm.brand_id))
        if brand is None:
            return replace(form, errors={"brand_id": words.gettext(N_("Choose a brand."))})
        taken = {
            other.name.casefold() for other in list_sources(session, brand.id) if not source or other.id != source.id
        }
        if form.name.casefold() in taken:
            message = words.gettext(N_("This brand has a source of this name already."))
            return replace(form, errors={"query_name": message})
        if source is None:
            kept = create_source(
                session, house.vault, brand_id=brand.id, connector=connector, name=form.name, account=account,
                poll_seconds=int(rhythm.poll_seconds), can_publish=False, now=now,
                user_id=user_id,
            )  # fmt: skip
        else:
            kept = update_source(session, house.vault, source.id, connector=connector, account=account, now=now)
            kept.name, kept.poll_seconds = form.name, int(rhythm.poll_seconds)
        kept.monthly_budget_micros = rhythm.budget_micros
        session.flush()
        audit.record(
            session, now=now, action="query.changed" if source else "query.created", entity="source",
            entity_id=kept.id, user_id=user_id, after={"query": form.query_data},
        )  # fmt: skip
    return form

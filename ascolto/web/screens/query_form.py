"""A listening query as a form: words in, a query with its connector out, a preview of what it would bring."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from markupsafe import Markup, escape
from pydantic import ValidationError
from sqlalchemy.orm import Session

from ascolto.web.i18n import LANGUAGES, N_, Words
from ascolto.wiring import House
from connectors.base import Connector, FetchedPost, SourceKind
from connectors.errors import ConnectorError
from connectors.query import ListeningQuery
from inbox.listening.source_settings import stored_settings
from inbox.listening.sources import QueryPreview, preview_query
from inbox.store.queries.sources import list_sources
from inbox.store.tables import Brand, Source

TERMS = ("required", "any_of", "phrases", "excluded", "own_handles")
MAX_TERMS, MAX_TERM = 60, 120
PREVIEW_POSTS = 20
_SEPARATORS = re.compile(r"[\n,;]+")


@dataclass(frozen=True, slots=True)
class QueryForm:
    """What was typed. `terms` maps each kind of word to its text, one a line."""

    connection: str = ""  # id of the source whose account is used
    brand_id: str = ""
    name: str = ""
    terms: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(TERMS, ""))
    language: str = ""
    poll_seconds: str = "120"
    budget: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def read(form: Mapping[str, str]) -> "QueryForm":
        """Read what came from the browser."""
        return QueryForm(
            connection=form.get("connection", ""),
            brand_id=form.get("brand_id", ""),
            name=" ".join(form.get("query_name", "").split())[:MAX_TERM],
            terms={name: form.get(name, "") for name in TERMS},
            language=form.get("language", "") if form.get("language") in LANGUAGES else "",
            poll_seconds=form.get("poll_seconds", "").strip() or "120",
            budget=form.get("budget", "").strip(),
        )

    @property
    def query_data(self) -> dict[str, Any]:
        """The query as its model takes it."""
        lists = {name: split_terms(text) for name, text in self.terms.items()}
        return {**lists, "language": self.language or None}


@dataclass(frozen=True, slots=True)
class Example:
    """A post of the preview, its matching words marked."""

    post: FetchedPost
    text: Markup


@dataclass(frozen=True, slots=True)
class ShownPreview:
    """What the query would bring: examples, doubtful ones apart, and what it would cost."""

    fitting: tuple[Example, ...]
    doubtful: tuple[Example, ...]
    per_hour: float | None
    cost_micros_month: int | None

    @property
    def per_day(self) -> float | None:
        """Posts a day at this pace."""
        return None if self.per_hour is None else self.per_hour * (timedelta(days=1) / timedelta(hours=1))


def split_terms(text: str) -> tuple[str, ...]:
    """Give the words of a text field, one a line or with commas."""
    parts = (" ".join(part.split())[:MAX_TERM] for part in _SEPARATORS.split(text))
    return tuple(dict.fromkeys(part for part in parts if part))[:MAX_TERMS]


def searchable_sources(house: House, session: Session) -> list[Source]:
    """Give the connected sources whose network can be searched; each lends its account to queries."""
    found: list[Source] = []
    seen: set[tuple[str, str]] = set()
    for source in list_sources(session):
        key = (source.network, source.account_handle or source.instance or source.name)
        if source.network not in house.registry.names() or key in seen:
            continue
        try:
            can_search = house.connector_of(source).capabilities.can_search
        except (ConnectorError, ValidationError, ValueError):
            continue  # its settings no longer fit: told on the sources page
        if can_search:
            seen.add(key)
            found.append(source)
    return found


def build_connector(house: House, source: Source, form: QueryForm, words: Words) -> tuple[QueryForm, Connector | None]:
    """Give the connector of the query, with the account of a connected source; or the form with its errors."""
    try:
        query = ListeningQuery.model_validate(form.query_data)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        field_name = str(first["loc"][0]) if first["loc"] else "required"
        message = words.gettext(N_("Write at least one required word, one alternative or one exact phrase."))
        return replace(form, errors={field_name: message}), None
    settings = {**stored_settings(source, house.vault), "kind": SourceKind.QUERY.value, "query": query.model_dump()}
    try:
        return form, house.registry.create(source.network, settings, transport=house.transport, clock=house.clock)
    except ValidationError as error:
        return replace(form, errors={"": str(error.errors(include_input=False)[0]["msg"])}), None


def look_ahead(house: House, source: Source, form: QueryForm, words: Words) -> tuple[QueryForm, ShownPreview | None]:
    """Ask the network what the query brings now; nothing is stored."""
    checked, connector = build_connector(house, source, form, words)
    if connector is None:
        return checked, None
    try:
        preview = preview_query(connector, limit=PREVIEW_POSTS)
    except ConnectorError as error:
        return replace(form, errors={"": words.tell(error.message)}), None
    return checked, _show(preview, ListeningQuery.model_validate(form.query_data))


def _show(preview: QueryPreview, query: ListeningQuery) -> ShownPreview:
    doubtful = {post.external_id for post in preview.doubtful}
    terms = (*query.required, *query.any_of, *query.phrases)
    examples = [Example(post, mark_terms(post.text[:600], terms)) for post in preview.posts]
    return ShownPreview(
        fitting=tuple(example for example in examples if example.post.external_id not in doubtful),
        doubtful=tuple(Example(post, mark_terms(post.text[:600], terms)) for post in preview.doubtful),
        per_hour=preview.per_hour,
        cost_micros_month=preview.cost_micros_month,
    )


def mark_terms(text: str, terms: Iterable[str]) -> Markup:
    """Give a text with the words that were searched for marked; everything else is escaped."""
    words = sorted((re.escape(term) for term in terms if term), key=len, reverse=True)
    if not words:
        return escape(text)
    parts = re.split(rf"((?<!\w)(?:{'|'.join(words)})(?!\w))", text, flags=re.IGNORECASE)
    return Markup("").join(
        Markup("<mark>{}</mark>").format(part) if index % 2 else escape(part) for index, part in enumerate(parts)
    )


def handles_of(brand: Brand | None, network: str) -> str:
    """Give our own accounts on a network, one a line: left out of a query unless somebody takes them out."""
    known = brand.own_handles.get(network, []) if brand else []
    return "\n".join(str(handle) for handle in known)


def form_of(source: Source) -> QueryForm:
    """Give the form of a stored listening query."""
    query = source.config.get("query") or {}
    budget = source.monthly_budget_micros
    return QueryForm(
        connection=str(source.id),
        brand_id=str(source.brand_id),
        name=source.name,
        terms={name: "\n".join(query.get(name) or ()) for name in TERMS},
        language=query.get("language") or "",
        poll_seconds=str(source.poll_seconds),
        budget="" if budget is None else f"{budget / 1_000_000:g}",
    )

"""Turns a template and its facts into an answer, in the reader's language and theme."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel.core import Locale
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ascolto.web import i18n
from ascolto.web.assets import asset_url
from ascolto.web.formatting import FALLBACK_ZONE, Formats
from ascolto.web.installation import Installation, read_installation
from ascolto.web.networks import network_title
from ascolto.wiring import House
from config.settings import Publishing
from inbox.store.tables import User

FOLDER = Path(__file__).with_name("templates")
THEMES = ("auto", "light", "dark")
HUES = 12


@dataclass(frozen=True, slots=True)
class NavItem:
    """A line of the navigation. A screen module offers it as `NAV`; `roles` empty means everybody sees it."""

    key: str
    path: str
    label: str  # a msgid
    icon: str
    order: int
    roles: tuple[str, ...] = ()
    go_key: str = ""  # the letter after "g" that goes there


@lru_cache(maxsize=len(i18n.LANGUAGES))
def environment(language: str) -> Environment:
    """Give the template environment of a language; undefined names raise, escaping is always on."""
    words = i18n.words_of(language)
    env = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    install: Callable[..., None] = env.install_gettext_callables  # type: ignore[attr-defined] # the extension adds it
    install(words.gettext, words.ngettext, newstyle=True, pgettext=words.pgettext, npgettext=words.npgettext)
    env.globals.update(
        asset_url=asset_url,
        tell=words.tell,
        icon=icon,
        network_icon=network_icon,
        network_title=network_title,
        initials=initials,
        hue_class=hue_class,
        language_names=i18n.LANGUAGE_NAMES,
    )
    env.filters["language_name"] = lambda code: name_language(code, language)
    return env


def language_of(request: Request) -> str:
    """Give the language of whoever asks."""
    user: User | None = getattr(request.state, "user", None)
    return i18n.choose_language(
        user=user.language if user else None,
        cookie=request.cookies.get("lang"),
        accept=request.headers.get("accept-language"),
    )


def theme_of(request: Request) -> str:
    """Give the theme of whoever asks: "auto", "light" or "dark"."""
    user: User | None = getattr(request.state, "user", None)
    wish = user.theme if user else request.cookies.get("theme", "auto")
    return wish if wish in THEMES else "auto"


def words_for(request: Request) -> i18n.Words:
    """Give the words of whoever asks, for messages made in Python."""
    return i18n.words_of(language_of(request))


def formats_for(request: Request) -> Formats:
    """Give the formats of whoever asks."""
    return Formats(language_of(request), _installation(request).zone)


def render(
    request: Request,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HTMLResponse:
    """Answer with a template. The context adds to what every page knows (see `_common`)."""
    language = language_of(request)
    common = _common(request, language)
    text = environment(language).get_template(template).render({**common, **(context or {})})
    return HTMLResponse(text, status_code=status, headers=headers)


def is_fragment(request: Request) -> bool:
    """Whether htmx asks for a piece of a page rather than the browser for a page."""
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-request-type") != "full"


def _common(request: Request, language: str) -> dict[str, Any]:
    house: House = request.app.state.house
    user: User | None = getattr(request.state, "user", None)
    installation = _installation(request)
    return {
        "request": request,
        "path": request.url.path,
        "lang": language,
        "theme": theme_of(request),
        "user": user,
        "now": house.clock(),
        "fmt": Formats(language, installation.zone),
        "nav": _nav_for(request, user),
        "is_rail": request.cookies.get("rail") == "1",
        "is_dry_run": house.settings.publishing is Publishing.DRY_RUN,
        "installation": installation,
        "has_shortcuts": bool(user and user.has_shortcuts),
        "request_id": getattr(request.state, "request_id", ""),
    }


def _nav_for(request: Request, user: User | None) -> list[NavItem]:
    items: list[NavItem] = request.app.state.nav
    return [item for item in items if user and (not item.roles or user.role in item.roles)]


def _installation(request: Request) -> Installation:
    house: House = request.app.state.house
    kept: tuple[datetime, Installation] | None = getattr(request.app.state, "installation", None)
    now = house.clock()
    if kept is None or not kept[1].is_fresh(kept[0], now):
        with house.store.read() as session:
            kept = (now, read_installation(session, FALLBACK_ZONE))
        request.app.state.installation = kept
    return kept[1]


@lru_cache(maxsize=2048)
def icon(name: str, label: str = "", css: str = "") -> Markup:
    """Draw an icon from the sprite; with a label it is an image with that name, else decoration."""
    role = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="icon {}" {}><use href="{}#{}"></use></svg>').format(
        css, role, asset_url("icons.svg"), name
    )


@lru_cache(maxsize=256)
def network_icon(network: str, label: str | None = None) -> Markup:
    """Draw a network's own sign in its own colour, named for those who do not see it."""
    known = network if f'id="net-{network}"' in _sprite() and network.isidentifier() else "unknown"
    return icon(f"net-{known}", network_title(network) if label is None else label, css=f"net net-{known}")


@lru_cache(maxsize=1)
def _sprite() -> str:
    from ascolto.web.assets import load_assets

    return load_assets()["icons.svg"].plain.decode()


def initials(name: str) -> str:
    """Give up to two letters that stand for a name; "?" when it has none."""
    letters = [word[0] for word in name.replace("@", " ").split() if word[0].isalnum()]
    return "".join(letters[:1] + letters[1:][-1:]).upper() or "?"


def hue_class(key: str | int) -> str:
    """Give one of twelve colour classes, always the same for the same key. Numbers are hues in degrees."""
    hue = key // (360 // HUES) if isinstance(key, int) else sum(key.encode("utf-8", "replace"))
    return f"hue-{hue % HUES}"


def name_language(code: str | None, language: str) -> str:
    """Give a language's name in the reader's language; "" when unknown."""
    if not code or code == "und":
        return ""
    name = Locale(language).languages.get(code)
    return str(escape(name)) if name else code

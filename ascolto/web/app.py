"""Builds the web application: security around it, screens in it, live events beside it."""

import importlib
import pkgutil
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType, ModuleType
from typing import Any

import structlog
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from ascolto.web import assets, events, health, screens
from ascolto.web.errors import add_error_handlers
from ascolto.web.security import SecurityMiddleware
from ascolto.web.signing_in import is_https
from ascolto.web.templating import NavItem
from ascolto.wiring import House

log = structlog.get_logger(__name__)

COMPRESS_OVER_BYTES = 800


def create_app(house: House, *, nudge: Callable[[str], None] | None = None) -> FastAPI:
    """Build the application for a house.

    `nudge` starts a background step at once ("publish", "poll", …) where jobs run in this process.
    """
    app = FastAPI(title="Ascolto", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan)
    app.state.house = house
    app.state.nudge = nudge
    modules = _screen_modules()
    app.state.nav = sorted(
        (module.NAV for module in modules if isinstance(getattr(module, "NAV", None), NavItem)),
        key=lambda item: item.order,
    )
    for part in (assets, events, health, *modules):
        app.include_router(part.router)
    add_error_handlers(app)
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESS_OVER_BYTES, compresslevel=6)
    app.add_middleware(SecurityMiddleware, is_https=is_https(house.settings))
    return app


def _screen_modules() -> list[ModuleType]:
    names = sorted(info.name for info in pkgutil.iter_modules(screens.__path__))
    modules = [importlib.import_module(f"{screens.__name__}.{name}") for name in names]
    return [module for module in modules if hasattr(module, "router")]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """End the live streams as soon as the server is told to stop; it would wait for them for ever."""
    house: House = app.state.house
    previous = _chain_signals(house) if threading.current_thread() is threading.main_thread() else {}
    try:
        yield
    finally:
        house.bus.close()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _chain_signals(house: House) -> dict[int, Any]:
    previous: dict[int, Any] = {}
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)
        previous[number] = before

        def stop(
            received: int,
            frame: FrameType | None,
            then: Callable[[int, FrameType | None], Any] | int | None = before,
        ) -> None:
            # Not in the handler itself: the bus takes a lock that the interrupted code may hold.
            threading.Thread(target=house.bus.close, daemon=True).start()
            if callable(then):
                then(received, frame)

        signal.signal(number, stop)
    return previous

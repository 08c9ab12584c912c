"""The live stream: one per visible tab, carrying pokes; the browser fetches what changed by the usual pages."""

import contextlib
import json
from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from ascolto.web.bus import RESYNC, Event, Subscription
from ascolto.web.deps import HouseOf, SignedIn

router = APIRouter()

KEEPALIVE_SECONDS = 15.0
RETRY_MILLISECONDS = 1000


@router.get("/events", include_in_schema=False)
async def stream_events(house: HouseOf, _user: SignedIn) -> StreamingResponse:
    """Stream named events until the browser leaves or the server stops.

    The first event is "resync": whoever connects, or comes back, looks at everything once.
    """
    return StreamingResponse(
        _pokes(house.bus.subscribe()),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _pokes(subscription: Subscription) -> AsyncIterator[str]:
    try:
        yield f"retry: {RETRY_MILLISECONDS}\n"
        yield _wire(Event(RESYNC))
        while True:
            with contextlib.suppress(TimeoutError):
                event = await subscription.next(KEEPALIVE_SECONDS)
                if event is None:
                    return
                yield _wire(event)
                continue
            yield ": still here\n\n"
    finally:
        subscription.close()


def _wire(event: Event) -> str:
    return f"event: {event.topic}\ndata: {json.dumps(dict(event.data))}\n\n"

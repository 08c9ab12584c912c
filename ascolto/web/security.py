"""What every answer carries and every request must show: headers, a strict content policy, same-site writes.

Writes are guarded by Fetch Metadata: browsers say where a request comes from, and pages cannot forge it. There
are no tokens to lose and no state to keep.
"""

import secrets
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger(__name__)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ONE_YEAR_SECONDS = 31_536_000


class SecurityMiddleware:
    """Refuses writes from other sites, and puts the headers and a request id on every answer."""

    def __init__(self, app: ASGIApp, *, is_https: bool) -> None:
        self.app = app
        self.is_https = is_https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Guard one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = secrets.token_hex(6)
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers["X-Request-ID"] = request_id
                headers.setdefault("Cache-Control", "no-store")
                if self.is_https:
                    headers["Strict-Transport-Security"] = f"max-age={ONE_YEAR_SECONDS}"
            await send(message)

        if scope["method"] not in SAFE_METHODS and not is_same_site(Headers(scope=scope)):
            log.warning("request.cross_site_refused", path=scope["path"], request_id=request_id)
            refusal = PlainTextResponse("This request came from another site and was refused.", status_code=403)
            await refusal(scope, receive, send_with_headers)
            return
        await self.app(scope, receive, send_with_headers)


def is_same_site(headers: Headers) -> bool:
    """Whether a write comes from our own pages, by Sec-Fetch-Site, else by Origin against Host.

    On plain http in a local network browsers send no Sec-Fetch headers: there the Origin decides. A request
    with neither is refused.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    if not origin:
        return False
    return urlsplit(origin).netloc == headers.get("host", "")

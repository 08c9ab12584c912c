"""Static files: read once, joined, given a name that changes with their content, and kept compressed.

`static/css/*.css` and `static/js/*.js` are joined in the order of their names, so that a page needs one style
sheet and one script besides the vendored ones. Nothing is fetched from another host.
"""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

FOLDER = Path(__file__).with_name("static")
PREFIX = "/static"
ONE_YEAR = "public, max-age=31536000, immutable"
DIGEST_LENGTH = 12

router = APIRouter()


@dataclass(frozen=True)
class Asset:
    """One served file: its bytes, plain and gzipped, and its type."""

    name: str
    digest: str
    media_type: str
    plain: bytes
    packed: bytes

    @property
    def url(self) -> str:
        """The address under which this very content stays for ever."""
        return f"{PREFIX}/{self.digest}/{self.name}"


@lru_cache(maxsize=1)
def load_assets() -> dict[str, Asset]:
    """Read and join everything; done once per process."""
    assets = [
        _asset("app.css", _joined("css")),
        _asset("app.js", _joined("js")),
    ]
    vendored = FOLDER / "vendor"
    # One file: htmx looks at the page as soon as it has run, and would miss an extension that arrives later.
    htmx = b";\n".join((vendored / name).read_bytes() for name in ("htmx.min.js", "hx-sse.min.js"))
    assets += [
        _asset("htmx.js", htmx),
        _asset("icons.svg", (vendored / "icons.svg").read_bytes()),
        _asset("favicon.svg", (FOLDER / "favicon.svg").read_bytes()),
    ]
    return {asset.name: asset for asset in assets}


def asset_url(name: str) -> str:
    """Give the address of a static file. KeyError when there is none: a template misspelt it."""
    return load_assets()[name].url


@router.get(PREFIX + "/{digest}/{name}", include_in_schema=False)
def read_asset(digest: str, name: str, request: Request) -> Response:
    """Serve a static file; an address of another version is answered with what there is, uncached."""
    asset = load_assets().get(name)
    if asset is None:
        return Response(status_code=404)
    headers = {
        "Cache-Control": ONE_YEAR if digest == asset.digest else "no-store",
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.packed, media_type=asset.media_type, headers=headers)
    return Response(asset.plain, media_type=asset.media_type, headers=headers)


@router.get("/favicon.ico", include_in_schema=False)
def read_favicon() -> Response:
    """Browsers ask for this one whatever the page says."""
    return Response(load_assets()["favicon.svg"].plain, media_type="image/svg+xml")


def _joined(folder: str) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted((FOLDER / folder).glob(f"*.{folder}")))


def _asset(name: str, content: bytes) -> Asset:
    digest = hashlib.sha256(content).hexdigest()[:DIGEST_LENGTH]
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Asset(name, digest, media_type, content, gzip.compress(content, 9, mtime=0))

"""Fetches the assets that others wrote, as `vendor.lock` pins them; `--check` compares what is here, offline.

python -m ascolto.web.vendor           # needs npm; writes the files and their digests into the lock
python -m ascolto.web.vendor --check   # needs nothing; ends with 1 when a file differs from the lock
"""

import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOCK = Path(__file__).with_name("vendor.lock")


class VendorError(Exception):
    """A package is not what the lock says it is."""


def fetch(lock: dict[str, Any]) -> dict[str, str]:
    """Download every package, check it, copy its files and build the sprite; gives path → SHA-256."""
    written: dict[str, str] = {}
    symbols = [_own_symbols((ROOT / lock["own_symbols"]).read_text(encoding="utf-8"))]
    with tempfile.TemporaryDirectory() as folder:
        for package in lock["packages"]:
            files = _download(package, Path(folder))
            for inside, target in package["files"].items():
                written[target] = _write(target, files[f"package/{inside}"])
            prefix = package.get("symbol_prefix", "")
            for name in package.get("symbols", ()):
                svg = files[f"package/icons/{name}.svg"].decode()
                symbols.append(_symbol(f"{prefix}{name}", svg, is_stroke=not prefix))
    sprite = '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"
    written[lock["sprite"]] = _write(lock["sprite"], sprite.encode())
    return written


def check(lock: dict[str, Any]) -> list[str]:
    """Name the files that are missing or differ from the lock."""
    wrong = []
    for target, digest in lock["sha256"].items():
        path = ROOT / target
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(target)
    return wrong


def _download(package: dict[str, Any], folder: Path) -> dict[str, bytes]:
    wanted = f"{package['name']}@{package['version']}"
    packed = subprocess.run(  # noqa: S603 - the arguments come from our own lock file
        ["npm", "pack", wanted, "--json", "--pack-destination", str(folder)],  # noqa: S607 - npm from the path
        check=True,
        capture_output=True,
        text=True,
    )
    archive = folder / json.loads(packed.stdout)[0]["filename"]
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != package["integrity"]:
        raise VendorError(f"{wanted}: integrity is {digest}, the lock says {package['integrity']}")
    keep = {f"package/{inside}" for inside in package["files"]}
    keep |= {f"package/icons/{name}.svg" for name in package.get("symbols", ())}
    with tarfile.open(archive) as tar:
        return {m.name: _member(tar, m) for m in tar.getmembers() if m.name in keep}


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    if file is None:
        raise VendorError(f"{member.name} is no file")
    return file.read()


def _write(target: str, content: bytes) -> str:
    path = ROOT / target
    path.parent.mkdir(parents=True, exist_ok=True)
    # Source maps are not served: a dangling reference would only be a 404 in the developer tools.
    content = re.sub(rb"\n?//# sourceMappingURL=\S+\s*$", b"\n", content)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _symbol(name: str, svg: str, *, is_stroke: bool) -> str:
    inner = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
    if inner is None:
        raise VendorError(f"{name}: not an SVG")
    body = re.sub(r"<title>.*?</title>", "", " ".join(inner[1].split())).replace(" />", "/>").replace("> <", "><")
    paint = (
        'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'
        if is_stroke
        else 'fill="currentColor"'
    )
    return f'<symbol id="{name}" viewBox="0 0 24 24" {paint}>{body.strip()}</symbol>'


def _own_symbols(svg: str) -> str:
    return "\n".join(re.findall(r"<symbol.*?</symbol>", svg, re.DOTALL))


def main() -> int:
    """Fetch, or with --check only compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only, without the network")
    lock = json.loads(LOCK.read_text(encoding="utf-8"))
    if parser.parse_args().check:
        wrong = check(lock)
        for target in wrong:
            sys.stderr.write(f"differs from vendor.lock: {target}\n")
        return 1 if wrong else 0
    lock["sha256"] = fetch(lock)
    text = json.dumps(lock, indent=2, ensure_ascii=False)
    LOCK.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

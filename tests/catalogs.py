"""Which msgids the screens use, taken from templates and code, and whose they are."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.extract import extract, extract_python
from jinja2.ext import babel_extract

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / "ascolto" / "web"


def template_msgids(folder: Path = WEB / "templates") -> Iterator[tuple[str, str]]:
    """Give (file, msgid) of every message in the templates."""
    for path in sorted(folder.rglob("*.html")):
        options = {"trim_blocks": "true", "lstrip_blocks": "true"}
        for _, _, message, _ in babel_extract(
            BytesIO(path.read_bytes()), ("_", "gettext", "ngettext", "pgettext"), [], options
        ):
            if message is not None:  # None: translated from a variable
                yield str(path.relative_to(ROOT)), message[0] if isinstance(message, tuple) else str(message)


def code_msgids(*folders: Path) -> Iterator[tuple[str, str]]:
    """Give (file, msgid) of every marked message in Python code."""
    for folder in folders or (WEB,):
        for path in sorted(folder.rglob("*.py")):
            found = extract(extract_python, BytesIO(path.read_bytes()), keywords={"N_": None, "ngettext": (1, 2)})
            for _, message, _, _ in found:
                yield str(path.relative_to(ROOT)), message[0] if isinstance(message, tuple) else str(message)


def error_msgids() -> Iterator[tuple[str, str]]:
    """Give (file, msgid) of what inbox errors tell a person: the first argument where they are raised."""
    import ast

    names = {"InvalidError", "ConflictError", "NotFoundError", "ForbiddenError"}
    for folder in (ROOT / "inbox", WEB):
        for path in sorted(folder.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in names or not node.args:
                    continue
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield str(path.relative_to(ROOT)), first.value

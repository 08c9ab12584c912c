"""What the rooms behind the screens say in English, as msgids: read from their code.

Connectors, listening and replies know no catalog: they write plain English with its values filled in, and that is
what is stored. The screens recognise it again by its pattern (ascolto/web/told.py), so each text has to stand in the
catalog in the shape that `said_msgids` gives it: an f-string's `{self.title}` becomes `%(title)s`.
"""

import ast
from collections.abc import Iterator
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("connectors", "inbox", "inbox/listening", "inbox/replies", "ascolto/jobs")
# Suites and stand-ins for tests; nobody connects them.
LEFT_OUT = {"contract.py", "contract_reading.py", "contract_writing.py", "contract_world.py", "fake.py", "audit.py"}
# Mistakes of whoever wrote the code, not of whoever uses it; settings' own errors are worded by the form, and the
# inbox's own are msgids with their values apart (tests/catalogs.py).
NOT_SAID = {
    "TypeError",
    "ValueError",
    "RuntimeError",
    "NotFoundError",
    "ConflictError",
    "InvalidError",
    "ForbiddenError",
}
SAID_BY_NAME = {"reason", "truncated", "state_reason", "error", "what", "kind"}
SAID_BY_CALL = {"give_up", "note_unknown", "Refused", "_in_doubt", "gone", "_reject", "_set_aside"}
SAID_BY_RETURN = {"describe", "words_of", "_bound", "_words"}
Scope = ast.Module | ast.FunctionDef


def said_msgids() -> Iterator[tuple[str, str]]:
    """Give (file, msgid) of every text that may reach a screen."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("*.py")):
            if path.name not in LEFT_OUT:
                for msgid in _said_in(ast.parse(path.read_text(encoding="utf-8"))):
                    yield f"{folder}/{path.name}", msgid


def _said_in(module: ast.Module) -> Iterator[str]:
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                for expression in _said_by(node, function):
                    yield from (text for text in _texts(expression, [function, module]) if _is_prose(text))


def _said_by(node: ast.AST, function: ast.FunctionDef) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name.endswith("Error") and name not in NOT_SAID:
            yield from node.args[:1]
        if name in SAID_BY_CALL:
            yield from node.args
        yield from (keyword.value for keyword in node.keywords if keyword.arg in SAID_BY_NAME)
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _assigned(target, node.value, SAID_BY_NAME)
    elif isinstance(node, ast.Return | ast.Yield) and node.value is not None and function.name in SAID_BY_RETURN:
        yield from node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]


def _assigned(target: ast.expr, value: ast.expr, names: set[str]) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, its in zip(target.elts, value.elts, strict=True):
            yield from _assigned(one, its, names)
    elif getattr(target, "id", getattr(target, "attr", "")) in names:
        yield value


def _texts(expression: ast.expr, scopes: list[Scope], seen: frozenset[str] = frozenset()) -> list[str]:  # noqa: PLR0911 - a kind of expression each
    """Give the texts an expression may stand for, with places for what is only known at run time."""
    if isinstance(expression, ast.Constant):
        return [expression.value] if isinstance(expression.value, str) else []
    if isinstance(expression, ast.JoinedStr):
        return [_joined(expression)]
    if isinstance(expression, ast.BinOp):
        left, right = _texts(expression.left, scopes, seen), _texts(expression.right, scopes, seen)
        return ["".join(pair) for pair in product(left, right)]
    if isinstance(expression, ast.BoolOp):
        return [text for one in expression.values for text in _texts(one, scopes, seen)]
    if isinstance(expression, ast.IfExp):
        return [text for one in (expression.body, expression.orelse) for text in _texts(one, scopes, seen)]
    if isinstance(expression, ast.Name) and expression.id not in seen:
        return _meanings(expression.id, scopes, seen | {expression.id})
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name):
        return _answers(expression, expression.func.id, scopes, seen)
    return []


def _answers(call: ast.Call, name: str, scopes: list[Scope], seen: frozenset[str]) -> list[str]:
    """Give what a call may answer: a function of the same module, or `next` with a default."""
    if name == "next":
        return [text for default in call.args[1:] for text in _texts(default, scopes, seen)]
    functions = [node for node in scopes[-1].body if isinstance(node, ast.FunctionDef) and node.name == name]
    return [
        text
        for function in functions
        if name not in seen
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and node.value is not None
        for text in _texts(node.value, [function, scopes[-1]], seen | {name})
    ]


def _joined(expression: ast.JoinedStr) -> str:
    text, names = "", dict[str, str]()
    for part in expression.values:
        if isinstance(part, ast.Constant):
            text += str(part.value)
        elif isinstance(part, ast.FormattedValue):
            source, name = ast.unparse(part.value), _name(part.value)
            while names.setdefault(name, source) != source:  # another value of this name
                name += "_too"
            text += f"%({name})s"
    return text


def _meanings(name: str, scopes: list[Scope], seen: frozenset[str]) -> list[str]:
    """Give what a name was set to, in the function or else at the top of its module."""
    for scope in scopes:
        nodes = ast.walk(scope) if isinstance(scope, ast.FunctionDef) else iter(scope.body)
        found: list[str] = []
        for node in nodes:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    for value in _assigned(target, node.value, {name}):
                        found += _texts(value, scopes, seen)
            elif isinstance(node, ast.AugAssign) and getattr(node.target, "id", "") == name:
                found = [before + after for before in found for after in _texts(node.value, scopes, seen)]
        if found:
            return found
    return []


def _name(value: ast.expr) -> str:  # noqa: PLR0911 - a kind of expression each
    """Name a place after what fills it: `self.title` is "title", `type(error).__name__` "kind"."""
    match value:
        case ast.Attribute(attr="__name__"):
            return "kind"
        case ast.Attribute(attr=attr):
            return attr.lower().strip("_")
        case ast.Name(id=name):
            return name.lower().strip("_")
        case ast.Call(func=ast.Name(id="len")):
            return "count"
        case ast.Call(func=ast.Name(id="str"), args=[inner, *_]):
            return _name(inner)
        case ast.Call(func=ast.Attribute(value=inner)) | ast.Subscript(value=inner):
            return _name(inner)
        case _:
            return "value"


def _is_prose(text: str) -> bool:
    return any(mark in text.strip() for mark in " -")

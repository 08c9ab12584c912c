"""Fills a template's variables. A template is text somebody wrote, never a program we trust.

Besides Jinja2's sandbox, only variables, a few filters and conditions are let through: no loops, no arithmetic,
no attributes, no calls. So a template can neither look around nor take long nor grow without end.
"""

from collections.abc import Mapping
from functools import lru_cache

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_BODY = 64_000
_FILTERS = ("capitalize", "lower", "title", "trim", "upper")
_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.Filter,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
)


class RenderError(Exception):
    """A template cannot be filled; the message says why."""


class UnresolvedVariableError(RenderError):
    """Some variables have no value; `names` are those, in alphabetical order. Such a text must not be sent."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(f"no value is given for: {', '.join(names)}")
        self.names = names


def render(body: str, variables: Mapping[str, str]) -> str:
    """Fill a template's body. Values are text and stay text: what looks like a template in them is not run.

    UnresolvedVariableError when a variable has no value or an empty one; RenderError when the template is wrong.
    """
    given = {name: value for name, value in variables.items() if value.strip()}
    missing = tuple(name for name in variables_of(body) if name not in given)
    if missing:
        raise UnresolvedVariableError(missing)
    try:
        return _environment().from_string(body).render(given).strip()
    except (TemplateError, TypeError, ValueError) as error:
        raise RenderError(f"the template cannot be filled: {error}") from error


def variables_of(body: str) -> tuple[str, ...]:
    """Names of the variables a template needs, in alphabetical order; RenderError when it may not be filled."""
    if len(body) > MAX_BODY:
        raise RenderError(f"the template is longer than {MAX_BODY:,} characters")
    try:
        tree = _environment().parse(body)
        for node in tree.find_all(nodes.Node):
            if not isinstance(node, _ALLOWED):
                raise RenderError(f"line {node.lineno}: {type(node).__name__} is not allowed in a template")
            if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
                raise RenderError(f'line {node.lineno}: there is no filter "{node.name}"; use {", ".join(_FILTERS)}')
        return tuple(sorted(meta.find_undeclared_variables(tree)))
    except TemplateSyntaxError as error:
        raise RenderError(f"line {error.lineno}: {error.message}") from error
    except RecursionError as error:
        raise RenderError("the template is nested too deeply") from error


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    # Plain text for networks, which show it as text: escaping would put &amp; into public answers.
    sandbox = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, loader=None)
    sandbox.globals = {}
    return sandbox

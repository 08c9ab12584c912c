"""Writes the reference pages from the code they describe: `python -m tests.docs_reference`.

docs/configuration.md comes from the settings, docs/cli.md from the commands; test_docs.py compares them.
"""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from pydantic import SecretStr

from ascolto.cli.app import create_app
from ascolto.cli.exits import ExitCode
from config.settings import Settings

DOCS = Path(__file__).resolve().parents[1] / "docs"

CONFIGURATION_HEAD = """\
# Configuration

Every setting has a default: a fresh installation needs none. Settings come from, in this order:

1. environment variables, `ASCOLTO_` and the name in capitals;
2. the file `ascolto.toml` in the folder Ascolto is started from, or the one that `ASCOLTO_CONFIG` or
   `ascolto --config FILE` names ([an example with everything](../config/examples/ascolto.toml));
3. the defaults below.

A name that does not exist is refused, so that a misspelt setting is noticed. Empty variables count as not set.
`ascolto doctor` says what is in use and what is wrong with it. What a brand is called, its hours and holidays are
not settings: they stand in its [brand file](howto/add-a-brand.md).

| setting | environment | default | what it is |
|---|---|---|---|
"""

EXIT_MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.FAILED: "the thing asked for failed or was found wanting; standard error says why",
    ExitCode.USAGE: "the command line, or a file given to it, is wrong",
    ExitCode.CONFIGURATION: "settings are wrong, or the installation is not initialised or not up to date",
    ExitCode.NETWORK: "a network cannot be reached or refuses the credentials",
    ExitCode.NOT_FOUND: "the brand, source, answer, person or file named does not exist",
    ExitCode.CONFLICT: "it exists already, or its state does not allow this",
    ExitCode.BUSY: "somebody else holds it: the port, the database, the data folder",
    ExitCode.STORAGE: "the disk is full, read-only or damaged, or the database cannot be reached",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C",
}

CLI_HEAD = """\
# Command line

`ascolto COMMAND --help` says the same as this page. Data goes to standard output, everything said to people to
standard error, so that a pipe gets data only. `--json` writes one JSON value; progress bars show on terminals only.
A mistake that can be foreseen ends in words with its cure, never in a traceback. Before the command may stand
`--config FILE` (settings instead of ./ascolto.toml), `--verbose` (logs from DEBUG up) and `--version`.

## Exit codes

Scripts can rely on them: they never change their meaning.

| code | meaning |
|---|---|
"""

CLI_EXAMPLES = """
## Examples

```sh
# A first installation with a brand and somebody who can sign in
ascolto init --brand brand.toml --admin you@example.com
ascolto serve

# Listen to a feed, and to an account whose token is in the environment
ascolto source add rss --brand fiordaliso --name Blog --set url=https://example.org/feed.xml
ascolto source add mastodon --brand fiordaliso --name Mastodon --file mastodon.toml --set access_token=env:TOKEN

# Tag a file of posts, and keep those that complain
ascolto tag < posts.jsonl | jq -c 'select(.tags.intents.labels | index("complaint"))'

# Every night
ascolto backup /srv/backups --json
ascolto doctor --json || mail -s "Ascolto" you@example.com < /dev/null
```

`tag` answers every line in its place. A line that cannot be read or tagged comes back with `"error"`; the others
with `"tags"`:

```json
{"text": "Pacco in ritardo", "tags": {
  "language": "it",
  "sentiment": {"label": "negative", "probabilities": {"negative": 0.9, "neutral": 0.08, "positive": 0.02},
                "unsure": false},
  "intents": {"labels": ["complaint"], "probabilities": {"complaint": 0.8}, "unsure": false},
  "entities": [],
  "tagger": "name.version"}}
```

On one line, and with every intent. `label` is always the likeliest; `unsure` says not to trust it; intents are
independent of each other.

## Commands
"""


def configuration_page() -> str:
    """Give docs/configuration.md."""
    rows = []
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{name}` | `ASCOLTO_{name.upper()}` | {_default(field.default)} | {field.description} |")
    return CONFIGURATION_HEAD + "\n".join(rows) + "\n"


def cli_page() -> str:
    """Give docs/cli.md."""
    codes = "".join(f"| {code.value} | {meaning} |\n" for code, meaning in EXIT_MEANINGS.items())
    group: Any = typer.main.get_command(create_app())
    sections = [CLI_HEAD + codes + CLI_EXAMPLES]
    for path, command in commands(group, "ascolto"):
        sections.append(_command_section(path, command))
    return "\n".join(sections)


def commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Give every command with its full name, in the order help shows them."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _command_section(path: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    usage = " ".join([path, *(_argument(p) for p in arguments)])
    lines = [f"### `{usage}`", "", _unwrap(command.help), ""]
    rows = [f"| `{_argument(p)}` | {_cell(p.help)} |" for p in arguments]
    rows += [f"| {', '.join(f'`{o}`' for o in (*p.opts, *p.secondary_opts))} | {_cell(p.help)} |" for p in options]
    if rows:
        lines += ["| option | what it does |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _argument(parameter: Any) -> str:
    name = str(parameter.name).upper()
    return name if parameter.required else f"[{name}]"


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")


def _unwrap(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").split("\n\n"))


def _default(value: object) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Enum):
        value = value.value
    return f"`{value}`" if str(value) else "empty"


def main() -> None:
    """Write both pages."""
    (DOCS / "configuration.md").write_text(configuration_page(), encoding="utf-8")
    (DOCS / "cli.md").write_text(cli_page(), encoding="utf-8")


if __name__ == "__main__":
    main()

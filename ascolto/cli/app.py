"""The command line as a whole: global options, and every group of commands in its place."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from ascolto.cli import (
    exporting,
    importing,
    keeping,
    models,
    people,
    replying,
    retagging,
    running,
    setting_up,
    sources,
    tagging,
)
from ascolto.cli.exits import ExitCode
from ascolto.cli.opening import be_verbose

_EPILOG = "Exit codes: " + ", ".join(f"{code.value} {code.name.lower().replace('_', ' ')}" for code in ExitCode) + "."


def create_app() -> typer.Typer:
    """Put all commands together."""
    app = typer.Typer(
        name="ascolto",
        help="Hear what is said in public about a brand, and answer in public.",
        epilog=_EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_global_options)
    for module in (setting_up, running, importing, tagging, retagging, exporting, keeping):
        module.add_to(app)
    for name, group in (
        ("source", sources.group),
        ("reply", replying.group),
        ("user", people.group),
        ("models", models.group),
        ("db", setting_up.db_group),
        ("secrets", keeping.secrets_group),
        ("audit", keeping.audit_group),
    ):
        app.add_typer(group, name=name)
    return app


def build_command() -> Any:
    """Give the command line ready to be called with arguments."""
    return typer.main.get_command(create_app())


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("ascolto")
        except PackageNotFoundError:
            number = "(not installed)"
        typer.echo(f"ascolto {number}")
        raise typer.Exit


def _global_options(
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Settings file instead of ./ascolto.toml.", exists=True, dir_okay=False),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what happens, from DEBUG up.")] = False,
    version: Annotated[  # noqa: ARG001 - acts through its callback
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    if config is not None:
        os.environ["ASCOLTO_CONFIG"] = str(config.resolve())
    if verbose:
        be_verbose()

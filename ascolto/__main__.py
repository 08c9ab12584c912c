"""Where a process begins: look that the house is ours, then run the command, then end in words."""

import os
import sys

from ascolto.guard import IntruderError, ensure_own_house


def main() -> None:
    """Run the command line; never a traceback for what can be foreseen."""
    try:
        ensure_own_house()
    except IntruderError as error:
        sys.stderr.write(f"ascolto: {error}\n")
        sys.exit(3)  # ExitCode.CONFIGURATION; nothing of the house may be imported here
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; gives its exit code (ascolto/cli/exits.py)."""
    import typer

    from ascolto.cli.app import build_command
    from ascolto.cli.exits import ExitCode

    usage_errors = typer.BadParameter.__mro__[2]  # ClickException: Typer brings its own copy of Click
    try:
        code = build_command().main(args=arguments, prog_name="ascolto", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("\nStopped.\n")
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read us has had enough (`| head`); Python must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)
    except Exception as error:  # noqa: BLE001 - the edge of the process: what is foreseen is told, the rest raised again
        if isinstance(error, usage_errors):
            error.show()  # type: ignore[attr-defined]  # ClickException has it
            return int(ExitCode.USAGE)
        return _explain(error)
    return code if isinstance(code, int) else int(ExitCode.OK)


def _explain(error: Exception) -> int:
    from ascolto.cli.failures import explain
    from ascolto.cli.output import say

    explained = explain(error)
    if explained is None:
        raise error  # a bug: its traceback is what is wanted
    say(f"ascolto: {explained.words}" + (f"\n  {explained.cure}" if explained.cure else ""))
    return int(explained.code)


if __name__ == "__main__":
    main()

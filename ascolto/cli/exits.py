"""How a command ends: the exit codes scripts rely on, and the error that carries one with its words."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command. They never change their meaning; new ones are added at the end."""

    OK = 0  # done
    FAILED = 1  # the thing asked for failed or was found wanting; standard error says why
    USAGE = 2  # the command line is wrong
    CONFIGURATION = 3  # settings are wrong, or the installation is not initialised or not up to date
    NETWORK = 4  # a network cannot be reached or refuses the credentials
    NOT_FOUND = 5  # the brand, source, reply, person or file named does not exist
    CONFLICT = 6  # it exists already, or its state does not allow this
    BUSY = 7  # somebody else holds it: the port, the database, the data folder
    STORAGE = 8  # the disk is full, read-only or damaged, or the database cannot be reached
    INTERRUPTED = 130  # stopped by Ctrl-C


class CliError(Exception):
    """A foreseeable failure: `words` for standard error, `cure` when there is something to do about it."""

    def __init__(self, words: str, *, code: ExitCode = ExitCode.FAILED, cure: str = "") -> None:
        super().__init__(words)
        self.words = words
        self.cure = cure
        self.code = code

"""Checks before a test run that everything it needs is here, and says exactly what is missing."""

import os
import shutil
import sys

from tests.databases import find_binaries

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_BROWSER = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def find_browser() -> str | None:
    """Find a Chromium: the one named by CHROMIUM, one on PATH, or macOS's Chrome."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named if shutil.which(named) else None
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    return found or (MAC_BROWSER if shutil.which(MAC_BROWSER) else None)


def missing() -> list[str]:
    """Say in words what is missing, with the cure; empty when all is here."""
    words = []
    if find_browser() is None:
        words.append(
            "Chromium: install it (Debian: apt-get install chromium fonts-noto-color-emoji; "
            "macOS: brew install --cask chromium) or set CHROMIUM to its path"
        )
    if not os.environ.get("ASCOLTO_TEST_DATABASE_URL") and find_binaries() is None:
        words.append(
            "PostgreSQL: set ASCOLTO_TEST_DATABASE_URL, or install a server "
            "(Debian: apt-get install postgresql; macOS: brew install postgresql)"
        )
    return words


def main() -> int:
    """Print what is missing; exit code 1 if anything is."""
    words = missing()
    for one in words:
        print(f"missing for the tests — {one}", file=sys.stderr)  # noqa: T201 - a command's output
    return 1 if words else 0


if __name__ == "__main__":
    sys.exit(main())

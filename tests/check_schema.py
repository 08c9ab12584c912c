"""Tells whether the migrations give exactly the declared tables, on both databases: `python -m tests.check_schema`."""

import sys
import tempfile
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from inbox.store.engine import Store
from inbox.store.migrate import upgrade
from inbox.store.tables import Base
from tests.databases import postgres_database, postgres_server


def differences(url: str) -> list[str]:
    """Give what autogenerate would change after a full upgrade; empty when all is well."""
    store = Store(url)
    upgrade(store)

    def is_ours(_object: object, name: str | None, kind: str, *_rest: object) -> bool:
        return not (kind == "table" and name is not None and name.startswith(("post_search", "procrastinate_")))

    with store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_object": is_ours, "compare_type": False, "compare_server_default": False},
        )
        found = [str(one) for one in compare_metadata(context, Base.metadata)]
    store.dispose()
    return found


def main() -> int:
    """Check SQLite, then PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        found = differences(f"sqlite:///{Path(folder) / 'check.sqlite3'}")
    with postgres_server() as server, postgres_database(server) as url:
        found += differences(url)
    for one in found:
        print(one, file=sys.stderr)  # noqa: T201 - a command's output
    print("schema: migrations and tables agree" if not found else "schema: they differ")  # noqa: T201 - as above
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

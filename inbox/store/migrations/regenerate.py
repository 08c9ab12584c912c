"""Rewrites the initial migrations from the tables: `python -m inbox.store.migrations.regenerate`.

Only until the first release: afterwards a change of a table is a new revision. Split in three, so that each
file can be read.
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations.ops import CreateIndexOp, CreateTableOp, DropIndexOp, DropTableOp, MigrateOperation

from inbox.store.migrate import MIGRATIONS
from inbox.store.tables import Base

GROUPS = {
    "0001_people_and_sources": [
        "brand",
        "user",
        "team",
        "team_member",
        "sign_in",
        "sign_in_failure",
        "system_value",
        "audit_event",
        "rate_bucket",
        "tombstone",
        "cell",
        "dirty_bucket",
        "contact",
        "identity",
        "source",
        "poll_run",
        "quarantine",
    ],
    "0002_posts": ["conversation", "post", "post_source", "post_tags", "correction"],
    "0003_work": [],  # all the rest
}
SEARCH_AFTER = "0002_posts"


def main() -> None:
    """Write the revisions anew and format them."""
    engine = sa.create_engine("sqlite://")
    named = {table for tables in GROUPS.values() for table in tables}
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"target_metadata": Base.metadata, "render_item": _render_type, "compare_type": False},
        )
        script = produce_migrations(context, Base.metadata)
        assert script.upgrade_ops is not None  # noqa: S101 - for the type checker: always set by Alembic
        assert script.downgrade_ops is not None  # noqa: S101 - as above
        for index in _indexes_on_expressions():
            script.upgrade_ops.ops.append(CreateIndexOp.from_index(index))
            script.downgrade_ops.ops.insert(0, DropIndexOp.from_index(index))
        previous: str | None = None
        for revision, tables in GROUPS.items():
            wanted = set(tables) or {t.name for t in Base.metadata.sorted_tables} - named
            up = _render(script.upgrade_ops, wanted, context)
            down = _render(script.downgrade_ops, wanted, context)
            if revision == SEARCH_AFTER:
                up += "\n    create_search_index(op.get_bind())"
                down = "    drop_search_index(op.get_bind())\n" + down
            _write(MIGRATIONS / "versions" / f"{revision}.py", revision, previous, up, down)
            previous = revision
    versions = str(MIGRATIONS / "versions")
    subprocess.run([sys.executable, "-m", "ruff", "check", "--fix", "-q", versions], check=False, capture_output=True)  # noqa: S603 - our own arguments
    subprocess.run([sys.executable, "-m", "ruff", "format", "-q", versions], check=True)  # noqa: S603 - as above


def _indexes_on_expressions() -> list[sa.Index]:
    """Give the indexes on more than plain columns: SQLite cannot be asked for these, so Alembic leaves them out."""
    return [
        index
        for table in Base.metadata.sorted_tables
        for index in table.indexes
        if any(not isinstance(one, sa.Column) for one in index.expressions)
    ]


def _render(container: Any, tables: Iterable[str], context: MigrationContext) -> str:
    wanted = set(tables)
    kept: list[MigrateOperation] = []
    for op in container.ops:
        nested = getattr(op, "ops", None)
        candidates = nested if nested is not None else [op]
        kept += [one for one in candidates if _table_of(one) in wanted]
    container_copy = type(container)(kept)
    lines = render_python_code(container_copy, **_options(context)).split("\n")
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def _options(context: MigrationContext) -> dict[str, Any]:
    return {"render_as_batch": False, "migration_context": context, "render_item": _render_type}


def _table_of(op: MigrateOperation) -> str:
    if isinstance(op, CreateTableOp | DropTableOp | CreateIndexOp | DropIndexOp):
        return str(op.table_name)
    raise TypeError(f"an initial migration only creates tables and indexes, not {op}")


def _render_type(kind: str, item: object, _context: object) -> str | bool:
    if kind == "type" and type(item).__name__ == "UtcDateTime":
        return "UtcDateTime()"
    return False


def _write(path: Path, revision: str, previous: str | None, up: str, down: str) -> None:
    search = (
        "from inbox.store.search_index import create_search_index, drop_search_index\n"
        if revision == SEARCH_AFTER
        else ""
    )
    path.write_text(
        f'"""The first schema: {revision[5:].replace("_", " ")}."""\n\n'
        "import sqlalchemy as sa\nfrom alembic import op\n\n"
        f"{search}from inbox.store.types import UtcDateTime\n\n"
        f'revision = "{revision}"\ndown_revision = {previous!r}\n\n\n'
        f'def upgrade() -> None:\n    """Create."""\n{up}\n\n\n'
        f'def downgrade() -> None:\n    """Drop."""\n{down}\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()

"""Alembic's entry: runs migrations on the connection it is handed."""

from typing import Any

import sqlalchemy as sa
from alembic import context

from inbox.store.tables import Base


def is_ours(_object: object, name: str | None, type_: str, _reflected: bool, _compare_to: object) -> bool:  # noqa: FBT001 - Alembic's signature
    """Leave out what is not declared as a table: the search index and Procrastinate's tables."""
    return not (type_ == "table" and name is not None and name.startswith(("post_search", "procrastinate_")))


def run(connection: sa.Connection) -> None:
    """Run within the caller's transaction."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        include_object=is_ours,
        compare_type=False,
    )
    context.run_migrations()


handed: Any = context.config.attributes.get("connection")
if handed is None:
    raise RuntimeError("migrations run through inbox.store.migrate.upgrade (ascolto db upgrade)")
run(handed)

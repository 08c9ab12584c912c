"""Ground for the fault tests: one nursery and one town for all rounds of a module."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ascolto.demo.town import Town
from tests.faults.nursery import Nursery
from tests.faults.rounds import Ground, postgres_databases, quick_folder, sqlite_databases


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as found:
        yield found


@pytest.fixture
def make_ground(
    request: pytest.FixtureRequest, town: Town, nursery: Nursery, tmp_path: Path
) -> Iterator[Callable[[str, str], Ground]]:
    """Give ground on "sqlite" or "postgres", against a network of the town."""

    def make(engine: str, network: str = "x") -> Ground:
        databases: Callable[[], Any]
        if engine == "sqlite":
            databases = partial(sqlite_databases, request.getfixturevalue("sqlite_template"), quick)
        else:
            server, template = request.getfixturevalue("postgres_url"), request.getfixturevalue("postgres_template")
            databases = stack.enter_context(postgres_databases(server, template))
        return Ground(town=town, nursery=nursery, folder=tmp_path, new_database=databases, network=network)

    with ExitStack() as stack:
        quick = stack.enter_context(quick_folder(tmp_path))
        yield make

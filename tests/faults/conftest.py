"""Ground for the fault tests: one nursery and one town for all rounds of a module."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from ascolto.demo.town import Town
from tests.faults.nursery import Nursery
from tests.faults.rounds import Ground, postgres_databases, sqlite_databases


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as found:
        yield found


@pytest.fixture
def make_ground(
    request: pytest.FixtureRequest, town: Town, nursery: Nursery, tmp_path: Path
) -> Callable[[str, str], Ground]:
    """Give ground on "sqlite" or "postgres", against a network of the town."""

    def make(engine: str, network: str = "x") -> Ground:
        if engine == "sqlite":
            databases = partial(sqlite_databases, request.getfixturevalue("sqlite_template"), tmp_path)
        else:
            databases = partial(
                postgres_databases,
                request.getfixturevalue("postgres_url"),
                request.getfixturevalue("postgres_template"),
            )
        return Ground(town=town, nursery=nursery, folder=tmp_path, new_database=databases, network=network)

    return make

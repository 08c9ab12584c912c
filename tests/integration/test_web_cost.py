"""What a page costs the database: few statements, and never a walk through all conversations."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from ascolto.web.app import create_app
from inbox.people.users import start_sign_in
from inbox.store.engine import Store
from tests.conftest import FakeClock
from tests.web_factory import World, make_house, seed_world

FRAGMENT = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def world(sqlite_store: Store, clock: FakeClock) -> World:
    return seed_world(sqlite_store, clock())


@pytest.fixture
def client(sqlite_store: Store, tmp_path: Path, clock: FakeClock, world: World) -> Iterator[TestClient]:
    app = create_app(make_house(sqlite_store, tmp_path, clock=clock))
    with sqlite_store.write() as session:
        token = start_sign_in(session, world.anna_id, user_agent="t", now=clock())
    with TestClient(app, follow_redirects=False, headers={"Sec-Fetch-Site": "same-origin"}) as opened:
        opened.cookies.set("sid", token)
        yield opened


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/inbox", 8),
        ("/inbox/list", 5),
        ("/inbox/list?view=mine", 5),
        ("/inbox/list?view=risk&sentiment=negative", 5),
        ("/inbox/list?view=resolved&sort=oldest", 5),
        ("/inbox/list?view=problems", 5),
        ("/inbox/counts", 5),
        ("/c/{first}", 13),
        ("/inbox/{first}", 17),
    ],
)
def test_a_page_asks_little_and_walks_through_nothing(
    client: TestClient, sqlite_store: Store, world: World, path: str, most: int
) -> None:
    address = path.format(first=world.conversation_ids[0])
    headers = {} if path in {"/inbox", "/inbox/{first}"} else FRAGMENT
    client.get(address, headers=headers)  # the installation's facts are read now and then
    seen: list[tuple[str, Any]] = []
    sa.event.listen(sqlite_store.engine, "before_cursor_execute", lambda *given: seen.append((given[2], given[3])))
    assert client.get(address, headers=headers).status_code == 200
    asked = [item for item in seen if item[0].lstrip().upper().startswith(("SELECT", "WITH"))]
    assert len(asked) <= most
    with sqlite_store.engine.connect() as connection:
        for statement, values in asked:
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values):
                assert not step[3].startswith(("SCAN conversation", "SCAN post", "SCAN reply")), (statement, step[3])

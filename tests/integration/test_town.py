"""The loopback town: faults at the socket, journal, control over HTTP."""

import threading
import time
from pathlib import Path

import pytest
import requests

from ascolto.demo.town import Fault, Town

HASHTAG = "/mastodon/api/v1/timelines/tag/ascolto"


def get(town: Town, path: str = HASHTAG, *, timeout: float = 60) -> requests.Response:
    return requests.get(town.url + path, timeout=timeout)


def post_status(town: Town, text: str, *, timeout: float = 60, **fields: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {town.mastodon.token_for('acme')}"}
    return requests.post(
        town.url + "/mastodon/api/v1/statuses", data={"status": text, **fields}, headers=headers, timeout=timeout
    )


def test_every_network_stands(town: Town) -> None:
    assert set(requests.get(town.url + "/_town/health", timeout=60).json()["networks"]) == {
        "x",
        "reddit",
        "facebook",
        "mastodon",
        "feeds",
    }
    assert get(town, "/elsewhere/x").status_code == 404


def test_status_faults_answer_and_do_nothing(town: Town) -> None:
    town.faults.add(Fault(kind="429", retry_after=7))
    town.faults.add(Fault(kind="500"))
    first, second, third = get(town), get(town), get(town)
    assert (first.status_code, first.headers["Retry-After"]) == (429, "7")
    assert (second.status_code, third.status_code) == (500, 200)


@pytest.mark.parametrize(("kind", "stands"), [("reset", 0), ("500", 0), ("half", 1), ("commit_then_fail", 1)])
def test_faults_on_writes_commit_or_not_as_they_say(town: Town, kind: str, stands: int) -> None:
    town.faults.add(Fault(kind=kind, method="POST"))
    if kind == "500":
        assert post_status(town, "ciao").status_code == 500
    else:
        with pytest.raises(requests.RequestException):
            post_status(town, "ciao")
    assert len([post for post in town.mastodon.posts.values() if post.text == "ciao"]) == stands


@pytest.mark.parametrize(("then", "error"), [("reset", requests.ConnectionError), ("hang", requests.ReadTimeout)])
def test_commit_then_fail_fails_in_the_way_asked(town: Town, then: str, error: type[Exception]) -> None:
    town.faults.add(Fault(kind="commit_then_fail", then=then, hang_seconds=120))
    with pytest.raises(error):
        post_status(town, "ciao", timeout=2 if then == "hang" else 60)
    deadline = time.monotonic() + 60
    while not town.mastodon.posts and time.monotonic() < deadline:  # a busy town may write after we lost patience
        time.sleep(0.02)
    assert len(town.mastodon.posts) == 1


def test_faults_strike_only_what_their_filters_say(town: Town) -> None:
    town.faults.add(Fault(kind="500", network="mastodon", method="POST", path="/statuses$", skip=1, times=1))
    assert get(town).ok
    assert [post_status(town, str(n)).status_code for n in range(3)] == [200, 500, 200]


def test_chance_is_repeatable(town: Town) -> None:
    town.faults.add(Fault(kind="503", chance=0.5, times=-1))
    other = Town()
    other.start()
    other.faults.add(Fault(kind="503", chance=0.5, times=-1))
    both = [[get(one).status_code for _ in range(20)] for one in (town, other)]
    other.stop()
    assert both[0] == both[1]
    assert set(both[0]) == {200, 503}


def test_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="explode"):
        Fault(kind="explode")


def test_stopping_lets_hanging_requests_go(town: Town) -> None:
    town.faults.add(Fault(kind="hang", hang_seconds=60))

    def hang() -> None:
        with pytest.raises(requests.RequestException):
            get(town)

    hanging = threading.Thread(target=hang, daemon=True)
    hanging.start()
    while not town.requests:
        time.sleep(0.02)
    started = time.perf_counter()
    town.stop()
    assert time.perf_counter() - started < 30  # half of what it would hang


def test_journal_brings_everything_back(tmp_path: Path) -> None:
    town = Town(tmp_path / "town.jsonl")
    town.start()
    root = town.mastodon.add_post("anna", "@acme ciao #ascolto", likes=3)
    gone = town.mastodon.add_post("anna", "via")
    post_status(town, "risposta", in_reply_to_id=town.mastodon.post(root).id)
    town.mastodon.edit_post(root, "@acme ciao a tutti #ascolto")
    town.mastodon.delete_post(gone)
    before = get(town).json()
    town.stop()
    with (tmp_path / "town.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"network": "mastodon", "kind": "po')  # killed while writing
    again = Town(tmp_path / "town.jsonl")
    again.start()
    assert get(again).json() == before
    assert again.mastodon.replies_to(root)[0].text == "risposta"
    assert again.mastodon.post(gone).is_deleted
    new = again.mastodon.add_post("bea", "dopo il riavvio")
    again.stop()
    assert Town(tmp_path / "town.jsonl").mastodon.post(new).text == "dopo il riavvio"


def test_other_processes_use_it_over_http(town: Town) -> None:
    base = town.url + "/_town"
    token = requests.post(base + "/mastodon/accounts", json={"handle": "acme", "followers": 9}, timeout=60).json()[
        "token"
    ]
    said = requests.post(
        base + "/mastodon/posts",
        json={"author": "anna", "text": "@acme ehi", "created_at": "2026-01-02T03:04:05+01:00"},
        timeout=60,
    ).json()["id"]
    requests.post(base + "/mastodon/posts", json={"author": "acme", "text": "sì", "parent_id": said}, timeout=60)
    replies = requests.get(base + "/mastodon/replies", params={"id": said}, timeout=60).json()
    assert [reply["text"] for reply in replies] == ["sì"]
    requests.post(base + "/mastodon/edit", json={"id": said, "text": "@acme oh"}, timeout=60)
    requests.post(base + "/mastodon/options", json={"max_characters": 9}, timeout=60)
    requests.post(base + "/faults", json={"kind": "500", "network": "mastodon"}, timeout=60)
    assert get(town).status_code == 500
    posts = requests.get(base + "/mastodon/posts", timeout=60).json()
    assert (posts[0]["external_id"], posts[0]["text"]) == (said, "@acme oh")
    assert town.mastodon.options["max_characters"] == 9
    assert token == town.mastodon.token_for("acme")
    assert [r["answer"] for r in requests.get(base + "/requests", timeout=60).json()] == ["fault:500"]
    assert requests.post(base + "/mastodon/posts", json={"text": "chi?"}, timeout=60).status_code == 400
    assert requests.post(base + "/atlantis/posts", json={}, timeout=60).status_code == 400


def test_many_at_once_lose_nothing(town: Town) -> None:
    def speak(number: int) -> None:
        for part in range(20):
            post_status(town, f"{number}-{part}")

    threads = [threading.Thread(target=speak, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({post.text for post in town.mastodon.posts.values()}) == 120
    assert len({post.id for post in town.mastodon.posts.values()}) == 120


def test_revoked_token_is_refused(town: Town) -> None:
    assert post_status(town, "uno").ok
    town.mastodon.revoke("acme")
    assert post_status(town, "due").status_code == 401

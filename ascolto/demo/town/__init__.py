"""A loopback town: one local server that speaks the networks' wire formats, for tests and the demo.

`Town().start()` serves on a free port; clients are pointed at `town.url + "/mastodon"`, "/x", "/reddit",
"/facebook" and "/feeds/<name>.xml". Nothing here leaves the machine.
"""

import json
import threading
from pathlib import Path
from typing import Any

from ascolto.demo.town.control import TownControl
from ascolto.demo.town.facebook import FacebookTown
from ascolto.demo.town.faults import Fault, FaultBook
from ascolto.demo.town.feeds import FeedsTown
from ascolto.demo.town.mastodon import MastodonTown
from ascolto.demo.town.reddit import RedditTown
from ascolto.demo.town.server import LoggedRequest, TownServer
from ascolto.demo.town.state import (
    Clock,
    TownAccount,
    TownNetwork,
    TownPost,
    TownRequest,
    TownResponse,
)
from ascolto.demo.town.x import XTown
from connectors.base import utc_now

__all__ = [
    "Fault",
    "LoggedRequest",
    "Town",
    "TownAccount",
    "TownNetwork",
    "TownPost",
    "TownRequest",
    "TownResponse",
]


class Town:
    """The town. With a journal it comes back after a restart as it was."""

    def __init__(self, journal: Path | None = None, *, clock: Clock = utc_now, port: int = 0) -> None:
        self._journal = journal
        self._clock = clock
        self._journal_lock = threading.Lock()
        self._is_replaying = False
        self._port = port
        self.x = XTown(clock=clock, write_journal=self._write)
        self.reddit = RedditTown(clock=clock, write_journal=self._write)
        self.facebook = FacebookTown(clock=clock, write_journal=self._write)
        self.mastodon = MastodonTown(clock=clock, write_journal=self._write)
        self.feeds = FeedsTown(clock=clock, write_journal=self._write)
        everyone: tuple[TownNetwork, ...] = (self.x, self.reddit, self.facebook, self.mastodon, self.feeds)
        self.networks = {network.name: network for network in everyone}
        self._control = TownControl(self.networks)
        self._server: TownServer | None = None
        self._thread: threading.Thread | None = None
        self._book = FaultBook()
        self._replay()

    def add_network(self, network_class: type[TownNetwork]) -> TownNetwork:
        """Let another network settle (a plug-in's, in its tests): it has journal, log, control and faults at once."""
        network = network_class(clock=self._clock, write_journal=self._write)
        self.networks[network.name] = network
        return network

    def start(self) -> None:
        """Open the gates: serve in a thread on a free port (or the port given)."""
        server = TownServer(self.networks, self._control, port=self._port)
        server.faults = self._book
        self._server = self._control.server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="town", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the gates; hanging requests are let go."""
        if self._server is not None:
            self._server.closing.set()
            self._server.shutdown()
            self._server.server_close()
        if self._thread is not None:
            self._thread.join(5)

    @property
    def url(self) -> str:
        """Where the town stands, without a trailing slash."""
        return self._running().url

    @property
    def faults(self) -> FaultBook:
        """The faults in force."""
        return self._book

    @property
    def requests(self) -> list[LoggedRequest]:
        """Every request that came, oldest first."""
        return list(self._running().log)

    def _running(self) -> TownServer:
        if self._server is None:
            raise RuntimeError("the town is not started")
        return self._server

    def _write(self, record: dict[str, Any]) -> None:
        if self._journal is None or self._is_replaying:
            return
        with self._journal_lock, self._journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def _replay(self) -> None:
        """Take back what the journal holds; a last line cut off by a crash is left out."""
        if self._journal is None or not self._journal.exists():
            return
        self._is_replaying = True
        written = self._journal.read_text(encoding="utf-8")
        if written and not written.endswith("\n"):
            with self._journal.open("a", encoding="utf-8") as file:
                file.write("\n")
        for line in written.split("\n"):
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if record["network"] in self.networks:
                self.networks[record["network"]].replay(record["kind"], record["data"])
        self._is_replaying = False

"""Faults on demand: what goes wrong, for which requests, how often."""

import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

KINDS = ("reset", "hang", "half", "commit_then_fail")  # besides any HTTP status as text: "429", "500", "401"


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong.

    kind: an HTTP status ("429", "500", …) answered instead of doing anything · reset: the connection is reset,
    nothing done · hang: no answer, nothing done · half: done, but the answer breaks off · commit_then_fail:
    done, and then fails in the way `then` says (reset, hang or a status).
    The filters are regular expressions searched for; `skip` lets the first so many requests pass, `times` says
    how many then fail (-1: all), `chance` how likely each is.
    """

    kind: str
    network: str = ""
    method: str = ""
    path: str = ""
    times: int = 1
    skip: int = 0
    chance: float = 1.0
    then: str = "reset"
    retry_after: float = 2.0
    hang_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS and not self.kind.isdigit():
            raise ValueError(f"unknown fault {self.kind!r}: an HTTP status or one of {', '.join(KINDS)}")

    def fits(self, network: str, method: str, path: str) -> bool:
        """Whether the filters let this fault strike a request."""
        return (
            (not self.network or self.network == network)
            and (not self.method or re.fullmatch(self.method, method) is not None)
            and (not self.path or re.search(self.path, path) is not None)
        )


class FaultBook:
    """The faults now in force, first fitting first. Thread-safe."""

    def __init__(self, chance: Callable[[], float] | None = None) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._chance = chance or random.Random(7).random

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Lift all faults."""
        with self._lock:
            self._faults.clear()

    def pending(self) -> list[Fault]:
        """Give the faults still to strike."""
        with self._lock:
            return list(self._faults)

    def strike(self, network: str, method: str, path: str) -> Fault | None:
        """Give the fault that hits this request, used up by one, or None."""
        with self._lock:
            for fault in self._faults:
                if not fault.fits(network, method, path):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if self._chance() >= fault.chance:
                    continue
                if fault.times > 0:
                    fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None

"""Refuses to start when another package has taken one of the house's names.

The rooms are plain root packages with common names (`config`, `inbox` …): `pip install config` would put a
stranger in their place, and what fails then is far from the cause. So the shell looks first.
"""

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

# Each room with a module only ours has: it tells a room that was overwritten in place.
ROOMS = {
    "config": "settings.py",
    "connectors": "errors.py",
    "inbox": "audit.py",
    "nlp": "base.py",
    "playbooks": "template.py",
}
DISTRIBUTION = "ascolto"


@dataclass(frozen=True, slots=True)
class Intruder:
    """A room that does not resolve to ours: what stands there, and whose it is where that is known."""

    room: str
    path: str
    owner: str | None

    @property
    def words(self) -> str:
        """What is wrong and the cure, in one sentence each."""
        if self.owner is not None:
            cure = f"Remove it with: {sys.executable} -m pip uninstall {self.owner}, then reinstall Ascolto."
            return f'The package "{self.room}" belongs to "{self.owner}", not to Ascolto ({self.path}). {cure}'
        cure = (
            "Rename or move it, start from another folder, or take its folder out of PYTHONPATH"
            if self.path
            else "Reinstall Ascolto in an environment of its own"
        )
        return f'The package "{self.room}" is not Ascolto\'s ({self.path or "missing"}). {cure}.'


class IntruderError(Exception):
    """A room resolves outside this distribution; the message names intruder and cure."""


def ensure_own_house(house: Path | None = None) -> None:
    """Raise IntruderError when a room is not ours. `house` is the folder that must hold them all."""
    intruders = find_intruders(house)
    if intruders:
        raise IntruderError("\n".join(intruder.words for intruder in intruders))


def find_intruders(house: Path | None = None) -> list[Intruder]:
    """Rooms that do not resolve to the folder this package stands in, or that were overwritten there."""
    root = (house or Path(__file__).parent.parent).resolve()
    intruders = []
    for room, landmark in ROOMS.items():
        found = _resolve(room)
        if found is None or found.parent != root or not (found / landmark).is_file():
            path = "" if found is None else str(found)
            intruders.append(Intruder(room, path, _owner(room, found)))
    return intruders


def foreign_owners() -> dict[str, list[str]]:
    """Installed distributions other than ours that claim a room's name, by room. Reads all their metadata."""
    from importlib.metadata import packages_distributions  # reads every RECORD: not at start

    owners = packages_distributions()
    return {room: foreign for room in ROOMS if (foreign := sorted(set(owners.get(room, ())) - {DISTRIBUTION}))}


def _resolve(room: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(room)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve()
    # A single module (config.py) in the way: name the file itself.
    return Path(os.fspath(spec.origin)).resolve() if spec.origin else None


def _owner(room: str, found: Path | None) -> str | None:
    from importlib.metadata import files, packages_distributions

    claimants = packages_distributions().get(room, [])
    for name in claimants:
        if name == DISTRIBUTION:
            continue
        installed = files(name) or []
        if found is None or any(Path(str(file.locate())).resolve().is_relative_to(found) for file in installed):
            return name
    return None

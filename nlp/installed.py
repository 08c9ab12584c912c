"""The models that are installed: what is in a folder of models, and each one's card."""

import json
from dataclasses import dataclass
from pathlib import Path

from nlp.model_files import MODELS, ModelFileError, open_model

CARD = "card.md"


@dataclass(frozen=True, slots=True)
class Installed:
    """One model: its folder's name, the name on tags, its kind, languages, size, and why it cannot be used."""

    folder: str
    name: str
    kind: str
    languages: tuple[str, ...]
    size_bytes: int
    has_card: bool
    problem: str | None = None


def list_models(folder: Path | None = None, *, is_checked: bool = False) -> list[Installed]:
    """Give the models in a folder (the package's own if left out), by name; `is_checked` compares checksums too."""
    place = folder or MODELS
    return [
        _describe(path, is_checked=is_checked) for path in sorted(place.iterdir()) if (path / "model.json").is_file()
    ]


def read_card(name: str, folder: Path | None = None) -> str | None:
    """Give a model's card by the folder's name or the name on tags; None where there is no such model or card."""
    wanted = name.replace(".", "-")
    for path in sorted((folder or MODELS).iterdir()):
        if path.name == wanted and (path / CARD).is_file():
            return (path / CARD).read_text(encoding="utf-8")
    return None


def _describe(path: Path, *, is_checked: bool) -> Installed:
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    name, kind = path.name.replace("-", "."), ""
    languages: tuple[str, ...] = ()
    problem: str | None = None
    try:
        opened = open_model(path)
        name, kind, languages = opened.name, opened.kind, _languages(path)
        if is_checked:
            opened.check_files()
    except (ModelFileError, OSError, ValueError) as error:
        problem = str(error)
    return Installed(path.name, name, kind, languages, size, (path / CARD).is_file(), problem)


def _languages(path: Path) -> tuple[str, ...]:
    """Languages with heads, as model.json names them: a list, or the keys of what is told of each."""
    found = json.loads((path / "model.json").read_text(encoding="utf-8")).get("languages", ())
    return tuple(str(code) for code in found)

"""Model folders: what model.json tells, and whether the files beside it are the ones it means. Loads no weights."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

MODELS = Path(__file__).parent / "models"
DESCRIPTION = "model.json"
_BLOCK = 1 << 20


class ModelFileError(ValueError):
    """A model file is missing, torn or not ours; the message names the file."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model's folder and what its model.json tells."""

    path: Path
    described: dict[str, object]

    @property
    def name(self) -> str:
        """Name and version as stored with every tag ("encoder.v1")."""
        return str(self.described.get("name") or self.path.name).replace("-", ".")

    @property
    def kind(self) -> str:
        """What the folder holds: "encoder", or "ngrams", which says nothing of it."""
        return str(self.described.get("kind") or "ngrams")

    def section(self, name: str) -> dict[str, object]:
        """An object of model.json; raises ModelFileError where it is something else."""
        found = self.described.get(name)
        if not isinstance(found, dict):
            raise ModelFileError(f'{DESCRIPTION} in {self.path} has no "{name}"')
        return found

    def checked(self, name: str, sha256: object) -> Path:
        """Path of a file of the folder, if it has this checksum; raises ModelFileError naming it otherwise."""
        file = self.path / name
        try:
            with file.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise ModelFileError(f"cannot use the model file {name} in {self.path}: {error}") from error
        if found != sha256:
            raise ModelFileError(f"{name} in {self.path} does not have the checksum in {DESCRIPTION}")
        return file

    def check_files(self) -> None:
        """Whether every file that model.json lists is there and whole; raises ModelFileError naming the first bad."""
        for name, sha256 in self.sums().items():
            self.checked(name, sha256)

    def sums(self) -> dict[str, object]:
        """File name → checksum."""
        if self.kind == "encoder":
            return self.section("files")
        languages = self.section("languages")
        return {
            f"{language}.npz": found.get("sha256") if isinstance(found, dict) else None
            for language, found in languages.items()
        }


def open_model(path: Path) -> ModelFolder:
    """Read a folder's model.json; raises ModelFileError naming it when it is missing or cannot be read."""
    file = path / DESCRIPTION
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"cannot use {file.name} in {path}: {error}") from error
    if not isinstance(described, dict):
        raise ModelFileError(f"cannot use {file.name} in {path}: it is no object")
    return ModelFolder(path, described)

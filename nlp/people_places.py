"""People and places named in texts, by a full spaCy pipeline where the operator has installed one.

None is shipped and none is downloaded: without one, nothing is found and `status` says so. A pipeline is loaded at the
first text in its language, with nothing but what finds names.
"""

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.base import Entity

if TYPE_CHECKING:
    from spacy.language import Language

LANGUAGES = ("it", "en", "fr", "de", "es", "pt")
_PACKAGE = re.compile(r"^([a-z]{2})_(?:core|dep|ent)_[a-z]+_(sm|md|lg|trf)$")
_BEST_FIRST = ("lg", "md", "sm", "trf")  # a transformer finds most and takes a hundred times as long
_KIND_OF = {"PER": "person", "PERSON": "person", "LOC": "place", "GPE": "place", "FAC": "place"}
_UNNEEDED = ("tagger", "morphologizer", "parser", "senter", "lemmatizer", "attribute_ruler", "trainable_lemmatizer")
_MAX_CHARS = 4000
_UNREADABLE = re.compile("[\x00\ud800-\udfff]")
_BATCH = 64


class PeopleAndPlaces:
    """Finds persons and places. `pipelines`: language → name of an installed package, or a folder."""

    def __init__(self, pipelines: Mapping[str, str | Path]) -> None:
        self._sources = dict(pipelines)
        self._loaded: dict[str, Language] = {}
        self._failed: dict[str, str] = {}
        self._lock = threading.Lock()  # a pipeline fills its vocabulary as it reads

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that have a pipeline, so far as is known."""
        return tuple(language for language in self._sources if language not in self._failed)

    @property
    def status(self) -> str:
        """One line for the health page: which pipelines are there, and what is wrong with one."""
        if not self._sources:
            return "no spaCy pipeline is installed: persons and places are not looked for"
        there = [f"{language}: {Path(self._sources[language]).name}" for language in self.languages]
        return "; ".join([*there, *(f"{language}: {reason}" for language, reason in self._failed.items())])

    def find_all(self, texts: Sequence[str], languages: Sequence[str]) -> list[tuple[Entity, ...]]:
        """Persons and places of each text, in order, offsets in characters; () where its language has no pipeline."""
        found: list[tuple[Entity, ...]] = [()] * len(texts)
        for language in self.languages:
            rows = [row for row, code in enumerate(languages) if code == language]
            if rows:
                for row, entities in zip(rows, self._read(language, [texts[row] for row in rows]), strict=True):
                    found[row] = entities
        return found

    def _read(self, language: str, texts: Sequence[str]) -> list[tuple[Entity, ...]]:
        with self._lock:
            pipeline = self._pipeline(language)
            if pipeline is None:
                return [()] * len(texts)
            readable = [_UNREADABLE.sub(" ", text[:_MAX_CHARS]) for text in texts]
            return [
                tuple(
                    Entity(_KIND_OF[span.label_], span.text, span.text, span.start_char, span.end_char)
                    for span in doc.ents
                    if span.label_ in _KIND_OF and span.text.strip()
                )
                for doc in pipeline.pipe(readable, batch_size=_BATCH)
            ]

    def _pipeline(self, language: str) -> "Language | None":
        if language not in self._loaded and language not in self._failed:
            import spacy

            try:
                self._loaded[language] = spacy.load(self._sources[language], exclude=list(_UNNEEDED))
            except (OSError, ValueError, ImportError, KeyError) as error:
                # The texts go on without names; the health page says why.
                self._failed[language] = f"{Path(self._sources[language]).name} cannot be loaded ({error})"
        return self._loaded.get(language)


def installed_pipelines() -> PeopleAndPlaces:
    """Give the full spaCy pipelines installed here, the largest of each language; nothing is loaded yet."""
    return PeopleAndPlaces(_best(point.name for point in entry_points(group="spacy_models")))


def _best(packages: Iterable[str]) -> dict[str, str]:
    found: dict[str, dict[str, str]] = {}
    for package in packages:
        match = _PACKAGE.match(package)
        if match and match[1] in LANGUAGES:
            found.setdefault(match[1], {})[match[2]] = package
    return {
        language: next(sizes[size] for size in _BEST_FIRST if size in sizes)
        for language, sizes in sorted(found.items(), key=lambda item: LANGUAGES.index(item[0]))
    }

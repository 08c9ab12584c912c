"""Texts in, Tags out: language, sentiment, intents and entities in one call.

    from nlp.entities import BrandTerms
    from nlp.pipeline import load_tagger

    tagger = load_tagger(terms=BrandTerms(brands={"Lumea": ["Lumea Telecom"]}))
    tags = tagger.tag(["Lumea, due giorni senza internet. Grazie eh"])

Nothing is stored here and nothing is downloaded. A text that cannot be tagged is noted in `errors`, the rest go on.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from nlp.base import INTENTS, SENTIMENTS, Entity, Tagger, Tags, undecided
from nlp.entities import BrandTerms, EntityFinder
from nlp.features import tokenise
from nlp.intent import IntentHead
from nlp.language import detect_languages
from nlp.ngrams import ModelFileError, NgramModel, load_ngrams
from nlp.sentiment import SentimentHead

MODELS = Path(__file__).parent / "models"
DEFAULT_MODEL = "ngrams-v1"
_OUTPUTS = (*(f"sentiment:{label}" for label in SENTIMENTS), *(f"intent:{label}" for label in INTENTS))
_CHARACTERS_KEPT = 20_000
_UNENCODABLE = re.compile("[\x00\ud800-\udfff]")  # a blank for each keeps the offsets


class SentimentTag(TypedDict):
    """A single-label task as it goes out: the likeliest label, all probabilities, and whether to trust it."""

    label: str
    probabilities: dict[str, float]
    unsure: bool


class IntentsTag(TypedDict):
    """The multi-label task as it goes out: labels chosen, independent probabilities."""

    labels: list[str]
    probabilities: dict[str, float]
    unsure: bool


class EntityTag(TypedDict):
    """A term found, offsets in characters."""

    kind: str
    name: str
    text: str
    start: int
    end: int


class TagsJson(TypedDict):
    """The `tags` object of one text, as `ascolto tag` writes it and as it is stored."""

    language: str
    sentiment: SentimentTag
    intents: IntentsTag
    entities: list[EntityTag]
    tagger: str


@dataclass(frozen=True, slots=True)
class _Heads:
    model: NgramModel
    sentiment: SentimentHead
    intents: IntentHead


class EmbeddedTagger:
    """The tagger in the package: n-gram heads per language, brand terms by spaCy. Safe to call from several threads."""

    def __init__(self, *, name: str, heads: dict[str, _Heads], terms: BrandTerms) -> None:
        self._name = name
        self._heads = heads
        self._finder = EntityFinder(terms)

    @property
    def name(self) -> str:
        """Name and version, as stored with every tag."""
        return self._name

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that have heads of their own; any other is answered, but always unsure."""
        return tuple(self._heads)

    def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:
        """Tag a batch; a row depends on its own text alone, never on the batch."""
        if languages is not None and len(languages) != len(texts):
            raise ValueError(f"{len(texts)} texts but {len(languages)} language hints")
        errors: dict[int, str] = {}
        usable = [_usable(text, position, errors) for position, text in enumerate(texts)]
        codes, confidence = detect_languages(usable, languages)
        sentiment = np.zeros((len(texts), len(SENTIMENTS)), dtype=np.float32)
        intents = np.zeros((len(texts), len(INTENTS)), dtype=np.float32)
        sentiment_unsure = np.ones(len(texts), dtype=np.bool_)
        intents_unsure = np.ones(len(texts), dtype=np.bool_)
        labels: list[tuple[str, ...]] = [()] * len(texts)
        for code, rows in _rows_by_heads(codes, self._heads).items():
            heads = self._heads[code]
            scores = heads.model.scores([tokenise(usable[row]) for row in rows])
            sentiment[rows] = heads.sentiment.probabilities(scores[:, : len(SENTIMENTS)])
            intents[rows] = heads.intents.probabilities(scores[:, len(SENTIMENTS) :], sentiment[rows])
            native = np.array([codes[row] == code and row not in errors for row in rows])
            sentiment_unsure[rows] = heads.sentiment.unsure(sentiment[rows]) | ~native
            intents_unsure[rows] = heads.intents.unsure(intents[rows]) | ~native
            for row, chosen in zip(rows, heads.intents.choose(intents[rows]), strict=True):
                labels[row] = chosen
        return Tags(
            languages=codes,
            language_confidence=confidence,
            sentiment=sentiment,
            sentiment_unsure=sentiment_unsure,
            intents=intents,
            intents_unsure=intents_unsure,
            intent_labels=tuple(labels),
            **undecided(len(texts)),
            entities=self._find_entities(usable, codes, errors),
            tagger=self._name,
            errors=errors,
        )

    def _find_entities(
        self, texts: Sequence[str], codes: Sequence[str], errors: dict[int, str]
    ) -> tuple[tuple[Entity, ...], ...]:
        found: list[tuple[Entity, ...]] = []
        for position, (text, code) in enumerate(zip(texts, codes, strict=True)):
            try:
                found.append(self._finder.find(text, code))
            except (ValueError, KeyError, IndexError) as error:
                errors.setdefault(position, f"entities: {error}")
                found.append(())
        return tuple(found)


def load_tagger(*, terms: BrandTerms | None = None, model: str = DEFAULT_MODEL, folder: Path | None = None) -> Tagger:
    """Load the tagger of the package (or another `model` in `folder`); raises ModelFileError naming a bad file."""
    path = (folder or MODELS) / model
    heads = {
        language: _load_heads(path / f"{language}.npz", language, described)
        for language, described in _read_description(path).items()
    }
    return EmbeddedTagger(name=model.replace("-", "."), heads=heads, terms=terms or BrandTerms())


_Entry = dict[str, list[float] | float]


class _Described(TypedDict):
    """What model.json tells of one language."""

    sha256: str
    sentiment: _Entry
    intents: _Entry


def _read_description(path: Path) -> dict[str, _Described]:
    """Read what model.json tells of every language."""
    file = path / "model.json"
    try:
        described: dict[str, _Described] = json.loads(file.read_text(encoding="utf-8"))["languages"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"cannot use {file.name} in {path}: {error}") from error
    return described


def _load_heads(file: Path, language: str, described: _Described) -> _Heads:
    """Load one language's weights, if they are the ones described, and its calibration."""
    model = load_ngrams(file, language)
    try:
        if hashlib.sha256(file.read_bytes()).hexdigest() != described["sha256"]:
            raise ModelFileError(f"{file.name} in {file.parent} does not have the checksum in model.json")
        if model.outputs != _OUTPUTS:
            raise ModelFileError(f"{file.name} in {file.parent} has other labels than this version")
        return _Heads(
            model=model,
            sentiment=_sentiment_head(described["sentiment"]),
            intents=_intent_head(described["intents"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"model.json in {file.parent} is incomplete for {language}: {error!r}") from error


def _sentiment_head(entry: _Entry) -> SentimentHead:
    biases = _numbers(entry["biases"], len(SENTIMENTS))
    return SentimentHead(
        temperature=_number(entry["temperature"]),
        biases=(biases[0], biases[1], biases[2]),
        threshold=_number(entry["threshold"]),
    )


def _intent_head(entry: _Entry) -> IntentHead:
    count = len(INTENTS)
    return IntentHead(
        slopes=_numbers(entry["slopes"], count),
        offsets=_numbers(entry["offsets"], count),
        leans=_pairs(entry["leans"], count),
        thresholds=_numbers(entry["thresholds"], count),
        floor=_number(entry["floor"]),
    )


def _number(value: list[float] | float) -> float:
    if isinstance(value, list):
        raise TypeError("a number is a list")
    return float(value)


def _numbers(value: list[float] | float, count: int) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != count:
        raise TypeError(f"expected {count} numbers")
    return tuple(float(number) for number in value)


def _pairs(value: object, count: int) -> tuple[tuple[float, float], ...]:
    if not isinstance(value, list) or len(value) != count:
        raise TypeError(f"expected {count} pairs")
    return tuple((float(negative), float(positive)) for negative, positive in value)


def _usable(text: object, position: int, errors: dict[int, str]) -> str:
    """Give a text that every later step can take, and note why where there is nothing to tag."""
    if not isinstance(text, str):
        errors[position] = f"text is {type(text).__name__}, not a string"
        return ""
    clean = _UNENCODABLE.sub(" ", text[:_CHARACTERS_KEPT])
    if not clean.strip():
        errors[position] = "text is empty"
    return clean


def _rows_by_heads(codes: Sequence[str], heads: dict[str, _Heads]) -> dict[str, NDArray[np.intp]]:
    """Rows by the heads that read them; a language without heads goes to the first, and is marked unsure."""
    fallback = next(iter(heads))
    rows: dict[str, list[int]] = {}
    for row, code in enumerate(codes):
        rows.setdefault(code if code in heads else fallback, []).append(row)
    return {code: np.array(found, dtype=np.intp) for code, found in rows.items()}


def tags_to_json(tags: Tags, position: int) -> TagsJson:
    """Give one text's tags as the JSON object the command line writes and the store keeps."""
    sentiment = tags.sentiment[position]
    return TagsJson(
        language=tags.languages[position],
        sentiment=SentimentTag(
            label=SENTIMENTS[int(sentiment.argmax())],
            probabilities=_by_label(SENTIMENTS, sentiment),
            unsure=bool(tags.sentiment_unsure[position]),
        ),
        intents=IntentsTag(
            labels=list(tags.intent_labels[position]),
            probabilities=_by_label(INTENTS, tags.intents[position]),
            unsure=bool(tags.intents_unsure[position]),
        ),
        entities=[
            EntityTag(kind=found.kind, name=found.name, text=found.text, start=found.start, end=found.end)
            for found in tags.entities[position]
        ],
        tagger=tags.tagger,
    )


def _by_label(labels: Sequence[str], row: NDArray[np.float32]) -> dict[str, float]:
    return {label: round(float(value), 6) for label, value in zip(labels, row, strict=True)}


__all__ = ["DEFAULT_MODEL", "EmbeddedTagger", "TagsJson", "load_tagger", "tags_to_json"]

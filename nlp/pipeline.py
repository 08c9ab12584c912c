"""Texts in, Tags out: language, sentiment, emotion, intents, toxicity, urgency and entities in one call.

    from nlp.entities import BrandTerms
    from nlp.pipeline import load_tagger

    tagger = load_tagger(terms=BrandTerms(brands={"Lumea": ["Lumea Telecom"]}))
    tags = tagger.tag(["Lumea, due giorni senza internet. Grazie eh"])

Nothing is stored here and nothing is downloaded. A text that cannot be tagged is noted in `errors`, the rest go on. A
model that cannot be used is noted in `health()`, and the tier below it answers.
"""

import logging
import re
import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nlp.answers import Answers
from nlp.base import Entity, Tagger, Tags
from nlp.calibration import Calibration
from nlp.cascade import Budget, least_sure
from nlp.encoder import EncoderError
from nlp.entities import BrandTerms, EntityFinder
from nlp.heads import Scores
from nlp.language import detect_languages
from nlp.model_files import MODELS, ModelFileError, open_model
from nlp.tags_json import TagsJson, tags_to_json
from nlp.tiers import EncoderTier, NgramTier, Tier

TIER_1 = "encoder-v1"
TIER_0 = "ngrams-v1"
DEFAULT_MODEL = TIER_1
_FOREIGN = "en"  # heads for texts in a language without heads of its own, where the model has English
_CHARACTERS_KEPT = 20_000
_UNENCODABLE = re.compile("[\x00\ud800-\udfff]")  # a blank for each keeps the offsets

log = logging.getLogger(__name__)


class Rules(Protocol):
    """What a brand forces or forbids; see nlp/rulesets.py."""

    def apply(self, texts: Sequence[str], tags: Tags) -> Tags:
        """Give the tags as the rules want them."""


@dataclass(frozen=True, slots=True)
class Health:
    """What answers now: the best tier in use, and why it is not the one that was asked for."""

    tier: str
    degraded: str | None = None


@runtime_checkable
class Reporting(Protocol):
    """A tagger that tells what answers and what does not."""

    def health(self) -> Health:
        """What answers now."""


@dataclass(frozen=True, slots=True)
class RawScores:
    """Scores before calibration: task → (n, labels) float32, and the heads' language of each text."""

    languages: tuple[str, ...]
    scores: Scores
    tagger: str


class EmbeddedTagger:
    """The tagger in the package: a cheap tier that always answers, and a dear one above it. Safe to use from threads.

    Without a budget the dear tier reads every text and a row depends on its own text alone. With one, which texts
    it reads depends on the batch and on the time; what a tier answers never does.
    """

    def __init__(
        self,
        *,
        cheap: Tier,
        dear: Tier | None = None,
        terms: BrandTerms,
        budget: Budget,
        rules: Rules | None = None,
        degraded: str | None = None,
    ) -> None:
        self._cheap = cheap
        self._dear = dear
        self._finder = EntityFinder(terms)
        self._budget = budget
        self._rules = rules
        self._degraded = degraded

    @property
    def name(self) -> str:
        """Name and version of the best tier in use, as stored with every tag."""
        return (self._dear or self._cheap).name

    @property
    def stand_in(self) -> str | None:
        """The name under which the cheap tier answers for the dear one; None while the dear one reads every text."""
        return None if self._dear is None or self._budget.is_unlimited else self._cheap.name

    @property
    def calibration(self) -> Calibration:
        """How the best tier's scores are read."""
        return (self._dear or self._cheap).calibration

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that have heads of their own; any other is answered, but always unsure."""
        return tuple(self.calibration.languages)

    def unhurried(self) -> "EmbeddedTagger":
        """The same without a budget, for texts that can wait: every one is read by the best tier."""
        twin = copy(self)
        twin._budget = Budget(clock=self._budget.clock)  # noqa: SLF001 - of its own class
        return twin

    def health(self) -> Health:
        """What answers now. A model that is loaded at the first text may turn out unusable only then."""
        return Health(self.name, self._degraded)

    def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:
        """Tag a batch."""
        errors: dict[int, str] = {}
        usable, codes, confidence = _prepare(texts, languages, errors)
        answers = Answers(len(usable))
        known = self.languages
        learnt = np.array([code in known for code in codes], dtype=np.bool_)
        tagger, stand_ins = self._answer(usable, _head_languages(codes, known), learnt, answers)
        sure = learnt.copy()
        sure[list(errors)] = False
        answers.distrust(~sure)
        tags = answers.to_tags(
            languages=codes,
            confidence=confidence,
            entities=self._find_entities(usable, codes, errors),
            tagger=tagger,
            stand_ins=stand_ins,
            strange=frozenset(np.flatnonzero(~learnt).tolist()),
            errors=errors,
        )
        return self._rules.apply(usable, tags) if self._rules is not None else tags

    def raw(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> RawScores:
        """Scores of the best tier before calibration, to fit another to. Raises what the tier raises."""
        usable, codes, _ = _prepare(texts, languages, {})
        tier = self._dear or self._cheap
        heads = _head_languages(codes, tuple(tier.calibration.languages))
        return RawScores(tuple(heads), tier.scores(usable, heads) if usable else {}, tier.name)

    def _answer(
        self, texts: Sequence[str], heads: Sequence[str], learnt: NDArray[np.bool_], answers: Answers
    ) -> tuple[str, dict[int, str]]:
        """Fill in the answers; gives the name of the best tier, and of the other where that one answered."""
        every = np.arange(len(texts))
        dear = self._dear
        if dear is None:
            self._fill(self._cheap, every, texts, heads, answers)
            return self._cheap.name, {}
        read = every
        if not self._budget.is_unlimited:
            self._timed("cheap", self._cheap, every, texts, heads, answers)
            quota = self._budget.quota(len(texts))
            read = np.sort(least_sure(answers.probabilities, learnt)[:quota])
        try:
            self._timed("dear", dear, read, texts, heads, answers)
        except (ModelFileError, EncoderError) as error:
            self._fall_back(error)
            if self._budget.is_unlimited:
                self._fill(self._cheap, every, texts, heads, answers)
            read = every[:0]
        else:
            self._degraded = None if len(read) else self._degraded
        if self._dear is None:
            return self._cheap.name, {}
        return dear.name, dict.fromkeys(np.setdiff1d(every, read).tolist(), self._cheap.name)

    def _fall_back(self, error: ModelFileError | EncoderError) -> None:
        """Note why the dear tier did not answer; one whose files cannot be used is not asked again."""
        words = f"{self.name} is not in use: {error}"
        if words != self._degraded:
            log.warning("tagger.degraded %s", words)
        self._degraded = words
        if isinstance(error, ModelFileError):
            self._dear = None

    def _timed(
        self,
        kind: str,
        tier: Tier,
        rows: NDArray[np.intp],
        texts: Sequence[str],
        heads: Sequence[str],
        answers: Answers,
    ) -> None:
        begin = self._budget.clock()
        self._fill(tier, rows, texts, heads, answers)
        self._budget.note(kind, count=len(rows), seconds=self._budget.clock() - begin)

    def _fill(
        self, tier: Tier, rows: NDArray[np.intp], texts: Sequence[str], heads: Sequence[str], answers: Answers
    ) -> None:
        if len(rows):
            chosen = [heads[row] for row in rows]
            answers.fill(rows, tier.scores([texts[row] for row in rows], chosen), chosen, tier.calibration)

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


def load_tagger(
    *,
    terms: BrandTerms | None = None,
    model: str = DEFAULT_MODEL,
    folder: Path | None = None,
    throughput: float | None = None,
    share: float | None = None,
    rules: Rules | None = None,
    strict: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> EmbeddedTagger:
    """Load the tagger of the package, or another `model` in `folder`. Weights are read at the first text.

    throughput: posts a second to keep up with, share: the most the dear tier may read of a batch (nlp/cascade.py).
    A model that cannot be used is replaced by the tier below, and health() says so; only with `strict`, which reads
    all weights at once, does it raise ModelFileError naming the file. Without any usable tier it always raises.
    """
    chosen, degraded = None, None
    budget = Budget(posts_per_second=throughput, share=share, clock=clock)
    try:
        chosen = _open_tier((folder or MODELS) / model, folder)
        if strict:
            chosen.load()
    except ModelFileError as error:
        if strict:
            raise
        degraded = f"{model.replace('-', '.')} is not in use: {error}"
        log.warning("tagger.degraded %s", degraded)
    dear = chosen if isinstance(chosen, EncoderTier) else None
    cheap = dear.below if dear else chosen or NgramTier(open_model(MODELS / TIER_0))
    return EmbeddedTagger(
        cheap=cheap,
        dear=None if share == 0 else dear,
        terms=terms or BrandTerms(),
        budget=budget,
        rules=rules,
        degraded=degraded,
    )


def unhurried(tagger: Tagger) -> Tagger:
    """Give a tagger that may take its time, where it has one to give."""
    make: Callable[[], Tagger] | None = getattr(tagger, "unhurried", None)
    return make() if make is not None else tagger


def check_model(model: str = DEFAULT_MODEL, folder: Path | None = None) -> Health:
    """Whether a model's files are whole, without loading it: some 50 ms."""
    try:
        opened = open_model((folder or MODELS) / model)
        opened.check_files()
    except ModelFileError as error:
        return Health(TIER_0.replace("-", "."), f"{model.replace('-', '.')} is not in use: {error}")
    return Health(opened.name)


def _open_tier(path: Path, folder: Path | None) -> NgramTier | EncoderTier:
    opened = open_model(path)
    if opened.kind == "ngrams":
        return NgramTier(opened)
    if opened.kind != "encoder":
        raise ModelFileError(f'model.json in {path}: no such kind of model: "{opened.kind}"')
    below = str(opened.described.get("stack") or TIER_0)
    own = (folder or MODELS) / below
    return EncoderTier(opened, below=NgramTier(open_model(own if own.is_dir() else MODELS / below)))


def _prepare(
    texts: Sequence[str], hints: Sequence[str | None] | None, errors: dict[int, str]
) -> tuple[list[str], tuple[str, ...], NDArray[np.float32]]:
    """Texts that every later step can take, their languages and how sure those are."""
    if hints is not None and len(hints) != len(texts):
        raise ValueError(f"{len(texts)} texts but {len(hints)} language hints")
    usable = [_usable(text, position, errors) for position, text in enumerate(texts)]
    return usable, *detect_languages(usable, hints)


def _usable(text: object, position: int, errors: dict[int, str]) -> str:
    """Give a text that every later step can take, and note why where there is nothing to tag."""
    if not isinstance(text, str):
        errors[position] = f"text is {type(text).__name__}, not a string"
        return ""
    clean = _UNENCODABLE.sub(" ", text[:_CHARACTERS_KEPT])
    if not clean.strip():
        errors[position] = "text is empty"
    return clean


def _head_languages(codes: Sequence[str], known: Sequence[str]) -> list[str]:
    """The language whose heads read each text."""
    foreign = _FOREIGN if _FOREIGN in known else known[0]
    return [code if code in known else foreign for code in codes]


__all__ = [
    "DEFAULT_MODEL",
    "MODELS",
    "EmbeddedTagger",
    "Health",
    "RawScores",
    "Reporting",
    "Rules",
    "TagsJson",
    "check_model",
    "load_tagger",
    "tags_to_json",
    "unhurried",
]

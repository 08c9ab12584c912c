"""Rulesets: a brand's own words that force or forbid a label, whatever the machine believes.

    rules = Rulesets.of([Rule("bomba is praise", ("bomba",), forces=("intents:praise",), language="it")])
    tags = rules.apply(texts, tagger.tag(texts))

The first rule of the list wins where two disagree. What a rule decided is told by name in `Tags.rules`: such a row's
probabilities are no longer the machine's alone, and a forced label stands at BY_RULE, never at certainty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nlp.base import INTENTS, UNDETERMINED, Tagger, Tags
from nlp.entities import is_near
from nlp.rules import ALONE, LABELS, Rule, RuleError, check_rules, index_words
from nlp.terms import Hit, Reading, TermIndex

BY_RULE = 0.95  # probability of a label that a rule forced; its opposite where a rule forbade toxicity
MAX_INTENTS = 3
_SURE_WITHOUT = 0.6  # where the likeliest label was forbidden, the next must have this much to be trusted
_CLEAR_LANGUAGE = 0.7  # a language less sure than that keeps no rule out: short posts are hard to place
_LIKELY = 0.5  # an intent that stands in for those forbidden


class Rulesets:
    """The rules of any number of brands. `by_brand`: brand → its rules in order; None: rules for every brand."""

    def __init__(self, by_brand: Mapping[int | None, Sequence[Rule]]) -> None:
        self._by_brand = {brand: tuple(rules) for brand, rules in by_brand.items() if rules}

    @staticmethod
    def of(rules: Sequence[Rule]) -> "Rulesets":
        """Give rules that hold for every text, whosever it is."""
        return Rulesets({None: rules})

    def __bool__(self) -> bool:
        return bool(self._by_brand)

    def apply(self, texts: Sequence[str], tags: Tags, brands: Sequence[int] | None = None) -> Tags:
        """Give tags as the rules want them. `brands`: whose each text is; without, only rules for every brand hold.

        `tags` themselves are left as they are. Texts that have no tags (`tags.errors`) stay so.
        """
        if brands is not None and len(brands) != len(texts):
            raise ValueError(f"{len(texts)} texts but {len(brands)} brands")
        wanted: dict[int, list[Rule]] = {}
        for row, text in enumerate(texts):
            rules = self._rules_of(None if brands is None else brands[row])
            if rules and row not in tags.errors:
                is_clear = float(tags.language_confidence[row]) >= _CLEAR_LANGUAGE
                found = matching_rules(rules, text, tags.languages[row] if is_clear else UNDETERMINED)
                if found:
                    wanted[row] = found
        return _decide(tags, wanted) if wanted else tags

    def _rules_of(self, brand: int | None) -> tuple[Rule, ...]:
        own = self._by_brand.get(brand, ()) if brand is not None else ()
        return (*own, *self._by_brand.get(None, ()))


class RuledTagger:
    """A tagger that hears a brand's rules: what `explain`, a test of a text and the command line ask."""

    def __init__(self, tagger: Tagger, rules: Rulesets, brand: int | None = None) -> None:
        self._tagger, self._rules, self._brand = tagger, rules, brand

    @property
    def name(self) -> str:
        """The tagger's own: rules are told post by post."""
        return self._tagger.name

    def tag(self, texts: Sequence[str], languages: Sequence[str | None] | None = None) -> Tags:
        """Tag, then apply the rules."""
        tags = self._tagger.tag(texts, languages)
        return self._rules.apply(texts, tags, None if self._brand is None else [self._brand] * len(texts))


def matching_rules(rules: tuple[Rule, ...], text: str, language: str) -> list[Rule]:
    """Give the rules whose term stands in a text, in order; a text of undetermined language may be in any."""
    reading = Reading(text)
    index = _index(rules)
    hits = index.find(reading)
    if not hits:
        return []
    by_rule: dict[int, list[Hit]] = {}
    for hit in hits:
        by_rule.setdefault(hit.key, []).append(hit)
    return [
        rules[key]
        for key in sorted(by_rule)
        if rules[key].language in {None, language} or language == UNDETERMINED
        if any(_fits(rules[key], hit, reading) for hit in by_rule[key])
    ]


def _fits(rule: Rule, hit: Hit, reading: Reading) -> bool:
    def stands_near(words: tuple[str, ...]) -> bool:
        return any(is_near(reading, hit, word) for word in index_words(words).find(reading))

    return (not rule.context or stands_near(rule.context)) and not (rule.not_with and stands_near(rule.not_with))


@lru_cache(maxsize=256)
def _index(rules: tuple[Rule, ...]) -> TermIndex:
    return TermIndex(
        [(key, term) for key, rule in enumerate(rules) for term in rule.terms if term.strip()], is_name=False
    )


@dataclass(slots=True)
class _Verdict:
    """What the rules of one text want, task by task, each label decided by the first rule that speaks of it."""

    forced: dict[str, list[str]]
    forbidden: dict[str, list[str]]
    names: list[str]


def _judge(rules: Sequence[Rule]) -> _Verdict:
    verdict = _Verdict({}, {}, [])
    settled: set[str] = set()
    for rule in rules:
        speaks = False
        for labels, kept in ((rule.forces, verdict.forced), (rule.forbids, verdict.forbidden)):
            for label in labels:
                task, _, name = label.partition(":")
                is_taken = label in settled or (
                    kept is verdict.forced and _excludes(verdict.forced.get(task), task, name)
                )
                if not is_taken:
                    kept.setdefault(task, []).append(name)
                    settled.add(label)
                    speaks = True
        if speaks:
            verdict.names.append(rule.name)
    return verdict


def _excludes(forced: Sequence[str] | None, task: str, name: str) -> bool:
    """Whether labels forced before leave no room for another one."""
    if not forced:
        return False
    if task == "intents":
        return name in ALONE or forced[0] in ALONE or len(forced) >= MAX_INTENTS
    return True


def _decide(tags: Tags, wanted: Mapping[int, Sequence[Rule]]) -> Tags:
    shares = {task: getattr(tags, task).copy() for task in ("sentiment", "emotion", "urgency")}
    unsure = {task: getattr(tags, f"{task}_unsure").copy() for task in LABELS}
    intents, toxicity = tags.intents.copy(), tags.toxicity.copy()
    labels = list(tags.intent_labels)
    names = dict(tags.rules)
    for row, rules in wanted.items():
        verdict = _judge(rules)
        names[row] = (*names.get(row, ()), *verdict.names)
        for task, values in shares.items():
            if task in verdict.forced or task in verdict.forbidden:
                unsure[task][row] = _share_out(values[row], LABELS[task], verdict, task, is_unsure=unsure[task][row])
        if "intents" in verdict.forced or "intents" in verdict.forbidden:
            labels[row] = _choose_intents(intents[row], labels[row], verdict)
            unsure["intents"][row] &= "intents" not in verdict.forced
        if "toxicity" in verdict.forced:
            toxicity[row], unsure["toxicity"][row] = max(toxicity[row], BY_RULE), False
        elif "toxicity" in verdict.forbidden:
            toxicity[row], unsure["toxicity"][row] = min(toxicity[row], 1 - BY_RULE), False
    return replace(
        tags,
        **shares,
        intents=intents,
        toxicity=toxicity,
        intent_labels=tuple(labels),
        **{f"{task}_unsure": flags for task, flags in unsure.items()},
        rules=names,
    )


def _share_out(
    row: NDArray[np.float32], labels: Sequence[str], verdict: _Verdict, task: str, *, is_unsure: bool
) -> bool:
    """Change one row of a single-label task in place; gives whether it is unsure now."""
    before = int(row.argmax())
    out = [labels.index(name) for name in verdict.forbidden.get(task, ())][: len(labels) - 1]
    forced = verdict.forced.get(task)
    if forced:
        chosen = labels.index(forced[0])
        likely = max(float(row[chosen]), BY_RULE)
        _fill(row, [place for place in range(len(labels)) if place != chosen and place not in out], 1.0 - likely)
        row[out] = 0.0
        row[chosen] = 1.0 - (row.sum() - row[chosen])
        return False
    _fill(row, [place for place in range(len(labels)) if place not in out], 1.0)
    row[out] = 0.0
    return is_unsure or (before in out and float(row.max()) < _SURE_WITHOUT)


def _fill(row: NDArray[np.float32], places: Sequence[int], total: float) -> None:
    """Share a probability among these places as it was shared before, evenly where nothing was."""
    if not places:
        return
    known = float(row[list(places)].sum())
    row[list(places)] = row[list(places)] * (total / known) if known > 0 else total / len(places)


def _choose_intents(row: NDArray[np.float32], chosen: Sequence[str], verdict: _Verdict) -> tuple[str, ...]:
    forced = verdict.forced.get("intents", [])
    forbidden = verdict.forbidden.get("intents", [])
    for name in forced:
        row[INTENTS.index(name)] = max(float(row[INTENTS.index(name)]), BY_RULE)
    for name in forbidden:
        row[INTENTS.index(name)] = 0.0
    if forced and forced[0] in ALONE:
        return (forced[0],)
    kept = [name for name in chosen if name not in forbidden and name not in forced]
    if forced:
        kept = [*forced, *(name for name in kept if name not in ALONE)]
    return tuple(kept[:MAX_INTENTS]) or (_stand_in(row, forbidden),)


def _stand_in(row: NDArray[np.float32], forbidden: Sequence[str]) -> str:
    """The likeliest intent left where all that were chosen are forbidden; "other" where none is likely."""
    left = [name for name in INTENTS if name not in forbidden]
    best = max(left, key=lambda name: float(row[INTENTS.index(name)]), default="other")
    return best if "other" not in left or row[INTENTS.index(best)] >= _LIKELY else "other"


__all__ = ["BY_RULE", "LABELS", "Rule", "RuleError", "RuledTagger", "Rulesets", "check_rules", "matching_rules"]

"""Rules on tags tried out before they are trusted: on one text, and on what was heard in the last days."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from inbox.store.queries.posts import text_to_tag
from inbox.store.queries.tag_rules import TaggedText, list_texts_since
from nlp.base import EMOTIONS, SENTIMENTS, UNDETERMINED, URGENCIES, Tagger, Tags
from nlp.rules import Rule
from nlp.rulesets import Rulesets, matching_rules

MAX_READ = 20_000  # posts looked through for the words of the rules
MAX_TRIED = 200  # posts tagged anew to see what would change
DRY_RUN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Trial:
    """One text before and after the rules, and the rules that decided, in order."""

    text: str
    before: Tags
    after: Tags
    rules: tuple[str, ...]

    @property
    def changes(self) -> tuple[str, ...]:
        """The tasks whose label is another one now."""
        return tuple(task for task, label in labels_of(self.after).items() if labels_of(self.before)[task] != label)


@dataclass(frozen=True, slots=True)
class DryRun:
    """What the rules would have changed among the posts of the last days."""

    posts: int  # looked through
    matching: int  # hold a word of an active rule
    tried: int  # of those, tagged anew: the newest
    changed: int
    examples: tuple[tuple[TaggedText, Trial], ...]
    is_truncated: bool  # there were more posts than were looked through


def try_text(tagger: Tagger, rules: Sequence[Rule], text: str, language: str | None = None) -> Trial:
    """Tag a text without and with the rules."""
    before = tagger.tag([text], [language])
    after = Rulesets.of(rules).apply([text], before)
    return Trial(text, before, after, tuple(after.rules.get(0, ())))


def candidates_for(session: Session, brand_id: int, *, now: datetime) -> list[TaggedText]:
    """Give the posts a dry run looks through, the newest first."""
    return list_texts_since(session, brand_id, now - DRY_RUN, MAX_READ + 1)


def dry_run(
    tagger: Tagger,
    rules: Sequence[Rule],
    posts: Sequence[TaggedText],
    *,
    without: Sequence[Rule] = (),
    examples: int = 5,
) -> DryRun:
    """Tell what these rules would change against those of them that would hold anyway (`without` the new ones).

    Tags at most MAX_TRIED posts anew, so it takes a moment: not within a transaction.
    """
    looked = posts[:MAX_READ]
    texts = [text_to_tag(post.title, post.text) for post in looked]
    new = tuple(rule for rule in rules if rule not in without)
    holding = [row for row, text in enumerate(texts) if new and matching_rules(new, text, UNDETERMINED)]
    tried = holding[:MAX_TRIED]
    trials: list[tuple[TaggedText, Trial]] = []
    if tried:
        read = [texts[row] for row in tried]
        tags = tagger.tag(read, [looked[row].language_hint for row in tried])
        before, after = Rulesets.of(without).apply(read, tags), Rulesets.of(rules).apply(read, tags)
        for place, row in enumerate(tried):
            names = tuple(after.rules.get(place, ()))
            trial = Trial(texts[row], _one(before, place), _one(after, place), names)
            if trial.changes:
                trials.append((looked[row], trial))
    return DryRun(
        posts=len(looked),
        matching=len(holding),
        tried=len(tried),
        changed=len(trials),
        examples=tuple(trials[:examples]),
        is_truncated=len(posts) > MAX_READ,
    )


def labels_of(tags: Tags, row: int = 0) -> dict[str, tuple[str, ...]]:
    """Give the labels of one text by task; toxicity is ("toxic",) or ()."""
    return {
        "sentiment": (SENTIMENTS[int(tags.sentiment[row].argmax())],),
        "intents": tuple(sorted(tags.intent_labels[row])),
        "emotion": (EMOTIONS[int(tags.emotion[row].argmax())],),
        "toxicity": ("toxic",) if float(tags.toxicity[row]) > 0.5 else (),  # noqa: PLR2004 - likelier than not
        "urgency": (URGENCIES[int(tags.urgency[row].argmax())],),
    }


def _one(tags: Tags, row: int) -> Tags:
    """One row of a batch's tags as tags of its own."""
    return replace(
        tags,
        languages=tags.languages[row : row + 1],
        language_confidence=tags.language_confidence[row : row + 1],
        sentiment=tags.sentiment[row : row + 1],
        sentiment_unsure=tags.sentiment_unsure[row : row + 1],
        intents=tags.intents[row : row + 1],
        intents_unsure=tags.intents_unsure[row : row + 1],
        intent_labels=tags.intent_labels[row : row + 1],
        emotion=tags.emotion[row : row + 1],
        emotion_unsure=tags.emotion_unsure[row : row + 1],
        toxicity=tags.toxicity[row : row + 1],
        toxicity_unsure=tags.toxicity_unsure[row : row + 1],
        urgency=tags.urgency[row : row + 1],
        urgency_unsure=tags.urgency_unsure[row : row + 1],
        entities=tags.entities[row : row + 1],
        errors={0: tags.errors[row]} if row in tags.errors else {},
        rules={0: tags.rules[row]} if row in tags.rules else {},
    )

"""A brand's rules over the machine's tags: what is forced, what is forbidden, and which rules are refused."""

import numpy as np
import pytest

from nlp.base import INTENTS, SENTIMENTS, Tagger, Tags
from nlp.pipeline import load_tagger
from nlp.rulesets import BY_RULE, LABELS, Rule, RuledTagger, RuleError, Rulesets, check_rules
from nlp.why import explain

PRAISE = Rule("bomba is praise", ("bomba",), forces=("sentiment:positive", "intents:praise"), language="it")
NO_CRISIS = Rule("fire is a flavour", ("fuoco", "fire"), forbids=("intents:crisis_signal", "sentiment:negative"))


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return load_tagger()


def _sentiment(tags: Tags, row: int = 0) -> str:
    return SENTIMENTS[int(tags.sentiment[row].argmax())]


@pytest.mark.parametrize(
    ("text", "language", "applies"),
    [
        ("questa macchina è una bomba", "it", True),
        ("queste cialde sono bombe", "it", True),
        ("BOMBA!!!", "it", True),
        ("#bomba", "it", True),
        ("ho comprato le bomboniere", "it", False),
        ("the new coffee machine is a bomba for all of us", "en", False),
    ],
)
def test_a_term_forces_a_label_in_its_language(tagger: Tagger, text: str, language: str, applies: bool) -> None:  # noqa: FBT001 - a parametrised truth
    before = tagger.tag([text], [language])
    after = Rulesets.of([PRAISE]).apply([text], before)
    assert dict(after.rules) == ({0: (PRAISE.name,)} if applies else {})
    assert (after is before) is not applies
    if applies:
        assert _sentiment(after) == "positive"
        assert after.intent_labels[0][0] == "praise"
        assert not after.sentiment_unsure[0]


def test_probabilities_stay_honest(tagger: Tagger) -> None:
    text = "questa macchina è una bomba, vergogna"
    before = tagger.tag([text], ["it"])
    kept = before.sentiment.copy()
    after = Rulesets.of([PRAISE]).apply([text], before)
    assert after.sentiment[0].sum() == pytest.approx(1.0, abs=1e-6)
    assert after.sentiment[0, 2] == pytest.approx(max(BY_RULE, kept[0, 2]), abs=1e-6)
    assert after.intents[0, INTENTS.index("praise")] == pytest.approx(
        max(BY_RULE, before.intents[0, INTENTS.index("praise")])
    )
    ratio = kept[0, 0] / kept[0, 1]
    assert after.sentiment[0, 0] / after.sentiment[0, 1] == pytest.approx(ratio, rel=1e-3)
    np.testing.assert_array_equal(before.sentiment, kept)  # what was given is left alone
    np.testing.assert_array_equal(after.emotion, before.emotion)


def test_a_forbidden_label_leaves_its_share_to_the_others(tagger: Tagger) -> None:
    text = "The fire sauce is terrible, worst ever, never again"
    before = tagger.tag([text], ["en"])
    after = Rulesets.of([NO_CRISIS]).apply([text], before)
    assert _sentiment(before) == "negative"
    assert after.sentiment[0, 0] == 0
    assert after.sentiment[0].sum() == pytest.approx(1.0, abs=1e-6)
    assert after.intents[0, INTENTS.index("crisis_signal")] == 0
    assert "crisis_signal" not in after.intent_labels[0]
    assert after.intent_labels[0]
    assert after.rules == {0: (NO_CRISIS.name,)}


@pytest.mark.parametrize("intent", INTENTS)
def test_every_intent_can_be_forced_and_forbidden(tagger: Tagger, intent: str) -> None:
    text = "il pacco del corriere parola"
    tags = tagger.tag([text], ["it"])
    forced = Rulesets.of([Rule("f", ("pacco",), forces=(f"intents:{intent}",))]).apply([text], tags)
    assert forced.intent_labels[0][0] == intent
    assert 1 <= len(forced.intent_labels[0]) <= 3
    assert len(forced.intent_labels[0]) == 1 or not {"spam", "other"} & set(forced.intent_labels[0])
    free = Rulesets.of([Rule("n", ("pacco",), forbids=(f"intents:{intent}",))]).apply([text], tags)
    assert intent not in free.intent_labels[0]
    assert free.intent_labels[0]


@pytest.mark.parametrize("task", LABELS)
def test_every_task_can_be_ruled(tagger: Tagger, task: str) -> None:
    for label in LABELS[task]:
        text = "il pacco del corriere"
        tags = tagger.tag([text], ["it"])
        tags = Rulesets.of([Rule("f", ("pacco",), forces=(f"{task}:{label}",))]).apply([text], tags)
        values = getattr(tags, task)[0]
        assert (values if task == "toxicity" else values[LABELS[task].index(label)]) >= BY_RULE - 1e-6
        assert not getattr(tags, f"{task}_unsure")[0]


def test_the_first_rule_wins_where_two_disagree(tagger: Tagger) -> None:
    text = "una bomba di truffa"
    scam = Rule("truffa is negative", ("truffa",), forces=("sentiment:negative",))
    tags = tagger.tag([text], ["it"])
    assert _sentiment(Rulesets.of([PRAISE, scam]).apply([text], tags)) == "positive"
    other = Rulesets.of([scam, PRAISE]).apply([text], tags)
    assert _sentiment(other) == "negative"
    assert other.rules[0] == (scam.name, PRAISE.name)  # its word on the intent still counts
    assert other.intent_labels[0][0] == "praise"
    overruled = Rule("silent", ("bomba",), forces=("sentiment:neutral",))
    assert Rulesets.of([scam, overruled]).apply([text], tags).rules[0] == (scam.name,)


def test_context_words_keep_a_rule_from_homonyms(tagger: Tagger) -> None:
    rule = Rule("bomba", ("bomba",), forces=("intents:praise",), not_with=("allarme", "polizia"))
    near = Rule("fredda", ("fredda",), forces=("intents:complaint",), context=("pizza", "pizze"))
    texts = ["allarme bomba in negozio", "una bomba", "la pizza è fredda", "che giornata fredda"]
    tags = Rulesets.of([rule, near]).apply(texts, tagger.tag(texts, ["it"] * 4))
    assert dict(tags.rules) == {1: ("bomba",), 2: ("fredda",)}


def test_each_brand_has_its_own_rules(tagger: Tagger) -> None:
    texts = ["è una bomba"] * 3
    rules = Rulesets({1: [PRAISE], 2: [Rule("bomba is bad", ("bomba",), forces=("sentiment:negative",))]})
    tags = rules.apply(texts, tagger.tag(texts, ["it"] * 3), [1, 2, 3])
    assert [_sentiment(tags, row) for row in (0, 1)] == ["positive", "negative"]
    assert set(tags.rules) == {0, 1}
    assert rules.apply(texts, tagger.tag(texts, ["it"] * 3)).rules == {}
    with pytest.raises(ValueError, match="3 texts but 1 brands"):
        rules.apply(texts, tags, [1])


def test_untagged_and_hostile_texts_stay_as_they_are(tagger: Tagger) -> None:
    texts = ["", "bomba", "\x00\ud800", "x" * 100_000, None]
    tags = tagger.tag(texts)  # type: ignore[arg-type]  # what a broken caller sends
    ruled = Rulesets.of([PRAISE, NO_CRISIS]).apply(texts, tags)  # type: ignore[arg-type]  # as above
    assert set(ruled.rules) == {1}
    assert ruled.errors == tags.errors


def test_a_ruled_tagger_explains_by_the_rules_term(tagger: Tagger) -> None:
    ruled = RuledTagger(tagger, Rulesets.of([PRAISE]))
    reasons = explain(ruled, "il corriere è una bomba", language="it", task="sentiment", label="positive")
    assert "bomba" in reasons[0].text
    assert ruled.name == tagger.name


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([Rule("x", ("a",), ("sentiment:positive",), ("sentiment:positive",))], "forces and forbids"),
        ([Rule("", ("a",), ("sentiment:positive",))], "name"),
        ([Rule("x", (" ",), ("sentiment:positive",))], "no word"),
        ([Rule("x", ("a",))], "neither forces nor forbids"),
        ([Rule("x", ("a",), ("sentiment:joy",))], "no label"),
        ([Rule("x", ("a",), ("mood:joy",))], "no label"),
        ([Rule("x", ("*",), ("sentiment:positive",))], "everywhere"),
        ([Rule("x", ("ab",), ("sentiment:positive",), context=("a*",))], "everywhere"),
        ([Rule("x", ("a",), ("sentiment:positive", "sentiment:negative"))], "cannot have both"),
        ([Rule("x", ("a",), ("intents:spam", "intents:praise"))], "cannot have both"),
        ([Rule("x", ("a",), forbids=tuple(f"sentiment:{name}" for name in SENTIMENTS))], "leave one"),
        ([PRAISE, PRAISE], "two rules|Two rules"),
        ([PRAISE, Rule("y", ("Bomba ",), forbids=("sentiment:positive",))], "forbids it"),
        ([PRAISE, Rule("y", ("bomba",), forces=("sentiment:negative",))], "change one"),
    ],
)
def test_rules_that_cannot_hold_are_refused_in_words(rules: list[Rule], words: str) -> None:
    with pytest.raises(RuleError, match=words):
        check_rules(rules)


def test_rules_for_other_languages_or_contexts_do_not_clash() -> None:
    check_rules(
        [
            PRAISE,
            Rule("en", ("bomba",), forces=("sentiment:negative",), language="en"),
            Rule("alarm", ("bomba",), forces=("intents:crisis_signal",), context=("allarme",)),
        ]
    )

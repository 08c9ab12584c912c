"""Terms as people write them: plurals, hashtags, accounts, slips; homonyms; nothing inside other words."""

import time

import pytest

from nlp.entities import BrandTerms, EntityFinder, Term
from nlp.inflection import inflections, plurals, slips
from nlp.people_places import PeopleAndPlaces, installed_pipelines
from nlp.terms import Reading, TermIndex

NAMES = (
    Term("brand", "Borbotto", ("@borbotto_it", "Borbotto Caffè")),
    Term("brand", "Ben & Jerry's"),
    Term("product", "Uno", context=("macchina", "macchinetta", "cialda", "Borbotto", "machine", "coffee")),
    Term("product", "Nonna", ("Nonna K7",), not_with=("mia nonna", "di mia", "my grandma")),
    Term("product", "Luce Serena"),
    Term("product", "capsula Bora"),
    Term("competitor", "Tramontana", ("tramontana caffè",), context=("caffè", "coffee", "capsul*")),
    Term("competitor", "Vaporina"),
    Term("competitor", "TIM"),
    Term("competitor", "7-Eleven"),
    Term("competitor", "❤️‍🔥"),
    Term("competitor", "无印良品"),
)


@pytest.fixture(scope="module")
def finder() -> EntityFinder:
    return EntityFinder(BrandTerms(terms=NAMES))


def _found(finder: EntityFinder, text: str, language: str = "it") -> list[tuple[str, str]]:
    entities = finder.find(text, language)
    assert all(text[entity.start : entity.end] == entity.text for entity in entities)
    return [(entity.name, entity.text) for entity in entities]


@pytest.mark.parametrize(
    ("text", "name", "written"),
    [
        ("BORBOTTO non risponde", "Borbotto", "BORBOTTO"),
        ("due Borbotti guasti", "Borbotto", "Borbotti"),
        ("all'assistenza dell’Borbotto", "Borbotto", "Borbotto"),
        ("Borbotto's support is great", "Borbotto", "Borbotto"),
        ("two Borbottos on my desk", "Borbotto", "Borbottos"),
        ("ho preso il borboto ieri", "Borbotto", "borboto"),
        ("ho preso il borbbotto ieri", "Borbotto", "borbbotto"),
        ("ho preso il bobrotto ieri", "Borbotto", "bobrotto"),
        ("#BorbottoCaffè che bontà", "Borbotto", "BorbottoCaffè"),
        ("#BorbottoVergogna", "Borbotto", "Borbotto"),
        ("#boicottaborbotto", "Borbotto", "borbotto"),
        ("#noborbotto", "Borbotto", "borbotto"),
        ("#borbotto_fail", "Borbotto", "borbotto"),
        ("@borbotto che succede?", "Borbotto", "@borbotto"),
        ("@Borbotto_Italia rispondete", "Borbotto", "@Borbotto_Italia"),
        ("@borbotto@mastodon.example ciao", "Borbotto", "@borbotto@mastodon.example"),
        ("(Borbotto)", "Borbotto", "Borbotto"),
        ("B̷o̷r̷b̷o̷t̷t̷o̷ è vivo", "Borbotto", "B̷o̷r̷b̷o̷t̷t̷o̷"),
        ("𝗕𝗼𝗿𝗯𝗼𝘁𝘁𝗼 in grassetto", "Borbotto", "𝗕𝗼𝗿𝗯𝗼𝘁𝘁𝗼"),
        ("Borbotto Caffe\u0300 buono", "Borbotto", "Borbotto Caffe\u0300"),
        ("ben&jerry's or ben and jerrys", "Ben & Jerry's", "ben&jerry's"),
        ("la luce-serena costa", "Luce Serena", "luce-serena"),
        ("LuceSerena costa", "Luce Serena", "LuceSerena"),
        ("le capsule Bora finite", "capsula Bora", "capsule Bora"),
        ("7 Eleven is open", "7-Eleven", "7 Eleven"),
        ("tim down da ore", "TIM", "tim"),
        ("#TIM down", "TIM", "TIM"),
        ("che fuoco ❤️‍🔥 oggi", "❤️‍🔥", "❤️‍🔥"),
        ("我喜欢无印良品的东西", "无印良品", "无印良品"),
    ],
)
def test_a_name_is_found_however_it_is_written(finder: EntityFinder, text: str, name: str, written: str) -> None:
    assert (name, written) in _found(finder, text)


@pytest.mark.parametrize(
    "text",
    [
        "borbotta sempre, mio zio",  # a verb
        "borbottare non serve",
        "il ritmo, il timone, l'ottimo TIMBRO",
        "#timbro #ottimismo #intimo",
        "@timoteo @laura_borbotto",
        "vaporinando",
        "scrivi a info@borbotto.example o vai su https://borbotto.example/borbotto",
        "www.borbotto.example",
        "la luce. Serena è la mia vicina",
        "luce, Serena!",
        "",
        "   ",
        "\x00\ud800",
    ],
)
def test_nothing_is_found_inside_other_words(finder: EntityFinder, text: str) -> None:
    assert _found(finder, text) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("solo uno su dieci arriva", []),
        ("la macchina Uno perde acqua", ["Uno"]),
        ("le macchine Uno perdono acqua", ["Uno"]),
        ("The Uno is the best coffee machine", ["Uno"]),
        ("Uno. " + "parola " * 13 + "macchina", []),
        ("La Nonna fa la schiuma meglio di tutte", ["Nonna"]),
        ("la Nonna di mia cugina compie gli anni", []),
        ("ho comprato la Nonna K7", ["Nonna"]),
        ("oggi tramontana forte", []),
        ("#tramontana e mare mosso", []),
        ("capsule della tramontana", ["Tramontana"]),
        ("@tramontana rispondete", ["Tramontana"]),  # whoever is addressed is meant
        ("Borbotto Uno", ["Borbotto", "Uno"]),
    ],
)
def test_a_common_word_counts_only_near_its_context(finder: EntityFinder, text: str, names: list[str]) -> None:
    assert [name for name, _ in _found(finder, text)] == names


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("la Uno perde acqua", 1),
        ("Dipende, tu che Uno hai?", 1),
        ("My aunt's Uno is from 1998", 1),
        ("uno perde, l'altro no", 0),
        ("Uno perde, l'altro no", 0),
        ("Bene. Uno su dieci perde", 0),
        ("NON NE FUNZIONA UNO", 0),
        ("#Uno", 0),
        ("la Uno e la doppia porzione", 0),  # beside a word that must not be near
    ],
)
def test_a_capital_may_stand_for_context(text: str, count: int) -> None:
    term = Term("product", "Uno", context=("macchina",), not_with=("porzione",), capital_is_enough=True)
    assert len(EntityFinder(BrandTerms(terms=[term])).find(text, "it")) == count


@pytest.mark.parametrize("language", ["it", "en", "fr", "de", "es", "pt", "und", "zh"])
def test_names_are_found_in_every_language(finder: EntityFinder, language: str) -> None:
    assert _found(finder, "Borbotto ?", language) == [("Borbotto", "Borbotto")]


def test_the_longest_name_stands() -> None:
    finder = EntityFinder(BrandTerms(products={"Luce": (), "Luce Serena": (), "Luce Serena Plus": ()}))
    assert _found(finder, "la Luce Serena Plus e la Luce") == [
        ("Luce Serena Plus", "Luce Serena Plus"),
        ("Luce", "Luce"),
    ]


@pytest.mark.parametrize(
    "text", ["x" * 1_000_000, "x." * 100_000, "#" + "ab" * 50_000, "@" * 50_000, "e\u0301" * 50_000, "Borbotto" * 9000]
)
def test_hostile_texts_cost_little(finder: EntityFinder, text: str) -> None:
    started = time.process_time()
    finder.find(text, "it")
    assert time.process_time() - started < 0.1


def test_italian_and_english_inflections() -> None:
    assert {"capsule"} <= plurals("capsula")
    assert {"amiche"} <= plurals("amica")
    assert {"parties"} <= plurals("party")
    assert {"boxes"} <= plurals("box")
    assert plurals("caffe", is_accented=True) == {"caffe", "caffes"}
    assert {"bravo", "brava", "bravi", "brave"} <= inflections("bravo")
    assert {"bravo", "brava", "bravi", "brave"} <= inflections("brave")
    assert {"refund", "refunds"} <= inflections("refunds")
    assert "borbotta" not in slips("borbotto")
    assert slips("tim") == set()


@pytest.mark.parametrize("term", ["*", "* *", "a*", "  * ", "", "* bomba"])
def test_a_term_that_would_be_found_everywhere_is_refused(term: str) -> None:
    with pytest.raises(ValueError, match="everywhere"):
        TermIndex([(0, term)], is_name=False)


@pytest.mark.parametrize(
    ("term", "text", "written"),
    [
        ("brav*", "bravissimi ragazzi", ["bravissimi"]),
        ("*issimo", "un caffè buonissimo, buonissima", ["buonissimo"]),
        ("non * più", "non compro più qui", ["non compro più"]),
        ("una bomba", "è una bomba!!!", ["una bomba"]),
        ("bomba", "bombe bomboniera", ["bombe"]),
        ("🔥", "che roba 🔥🔥", ["🔥", "🔥"]),
        ("sick", "this is sick, sickness", ["sick"]),
        ('"borbotta"', "la moka borbotta, la Borbotto no", ["borbotta"]),
    ],
)
def test_words_with_stars_and_signs(term: str, text: str, written: list[str]) -> None:
    hits = TermIndex([(0, term)], is_name=False).find(Reading(text))
    assert [text[hit.start : hit.end] for hit in hits] == written


def test_people_and_places_come_from_a_pipeline_where_there_is_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    import spacy

    folder = tmp_path_factory.mktemp("spacy") / "it_names"
    pipeline = spacy.blank("it")
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PER", "pattern": "Giulia Rossi"}, {"label": "LOC", "pattern": "Trieste"}])
    ruler.add_patterns([{"label": "ORG", "pattern": "Comune"}, {"label": "LOC", "pattern": "Borbotto"}])
    pipeline.to_disk(folder)
    people = PeopleAndPlaces({"it": folder})
    finder = EntityFinder(BrandTerms(brands=["Borbotto"]), people_and_places=people)
    text = "😡 \ud800 Giulia Rossi del Borbotto di Trieste, in Comune"
    found = finder.find_all([text, text, "nulla"], ["it", "en", "it"])
    assert [(one.kind, one.text) for one in found[0]] == [
        ("person", "Giulia Rossi"),
        ("brand", "Borbotto"),
        ("place", "Trieste"),
    ]
    assert all(text[one.start : one.end] == one.text for one in found[0])
    assert [one.kind for one in found[1]] == ["brand"]
    assert found[2] == ()
    assert people.status == "it: it_names"


def test_without_a_pipeline_there_are_no_people_and_it_is_said() -> None:
    none = PeopleAndPlaces({})
    assert none.find_all(["Giulia Rossi a Trieste"], ["it"]) == [()]
    assert "not looked for" in none.status
    missing = PeopleAndPlaces({"it": "it_core_news_nowhere"})
    assert missing.find_all(["Giulia Rossi a Trieste"], ["it"]) == [()]
    assert "it_core_news_nowhere cannot be loaded" in missing.status
    assert missing.languages == ()
    assert isinstance(installed_pipelines(), PeopleAndPlaces)

"""The language of short, noisy posts, and the honesty not to know."""

import pytest

from nlp.corpus.check import load_corpus
from nlp.language import detect_language, detect_languages


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Grazie mille!", "it"),
        ("ma quando arriva il pacco??", "it"),
        ("NON FUNZIONA NIENTE", "it"),
        ("bravissimi", "it"),
        ("grazie", "it"),
        ("app crashata di nuovo, customer care inesistente", "it"),
        ("Ho fatto il checkout ma il feedback non arriva", "it"),
        ("ciao guys, my order is still missing", "en"),
        ("The gelato here is amazing, bravissimi!", "en"),
        ("thanks guys", "en"),
        ("where is my order", "en"),
        ("WORST SERVICE EVER", "en"),
        ("@telamar https://t.co/abc grazie per la risposta #bravi", "it"),
        ("¿Cuánto cuesta el envío a Madrid?", "es"),
        ("Wann kommt mein Paket endlich an?", "de"),
    ],
)
def test_detect_language_of_short_posts(text: str, code: str) -> None:
    found, confidence = detect_language(text)
    assert found == code
    assert confidence >= 0.5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "😡😡",
        "https://example.org/a?b=c",
        "@someone @other",
        "12345",
        "!!!",
        "مرحبا كيف الحال اليوم",
        "#x",
        "Het pakket is niet aangekomen",
        "Paczka nie dotarła, jestem wściekły",
        "注文がまだ届きません",
        "Lumea",
    ],
)
def test_detect_language_says_und_where_nobody_could_tell(text: str) -> None:
    found, confidence = detect_language(text)
    assert found == "und"
    assert confidence <= 0.5


def test_detect_language_takes_a_hint_only_where_words_leave_it_open() -> None:
    assert detect_language("😡", hint="it-IT")[0] == "it"
    assert detect_language("where is my order, nobody answers", hint="it")[0] == "en"
    assert detect_language("😡", hint="xx")[0] == "und"


def test_detect_languages_on_our_posts() -> None:
    posts = load_corpus()
    codes, _ = detect_languages([post.text for post in posts])
    right = sum(code == post.language for code, post in zip(codes, posts, strict=True))
    assert right / len(posts) >= 0.98

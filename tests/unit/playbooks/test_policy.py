"""What the checks find in an answer, in both languages, and what they leave alone."""

import pytest

from playbooks.policy import ConcernKind, ReplyContext, Severity, check_reply

COMPLAINT = ReplyContext(intents=("complaint",), sentiment="negative", language="it", reply_language="it")


def kinds(text: str, context: ReplyContext = COMPLAINT) -> list[ConcernKind]:
    return [concern.kind for concern in check_reply(text, context)]


@pytest.mark.parametrize(
    "text",
    [
        "Mandaci il tuo numero di telefono e ti chiamiamo.",
        "Ci scriva qui il codice fiscale, per favore",
        "Could you share your order number?",
        "Please post your email address below!",
    ],
)
def test_asking_personal_data_in_public_is_noticed(text: str) -> None:
    assert kinds(text) == [ConcernKind.ASKS_PRIVATE_DATA]


@pytest.mark.parametrize(
    "text",
    [
        "Mandaci in privato il tuo numero di telefono.",
        "Send us your order number in a direct message.",
        "Il numero dei nostri negozi cresce.",
        "We read every address you deliver about.",
    ],
)
def test_asking_in_private_is_fine(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Il suo IBAN IT60 X054 2811 1010 0000 0123 456 risulta errato",
        "Your card 4111 1111 1111 1111 was charged",
        "Signor RSSMRA85T10A562S, buongiorno",
    ],
)
def test_revealing_personal_data_blocks(text: str) -> None:
    (concern,) = check_reply(text, COMPLAINT)
    assert (concern.kind, concern.severity) == (ConcernKind.REVEALS_PRIVATE_DATA, Severity.BLOCK)
    assert text[concern.start : concern.end].strip() in text


@pytest.mark.parametrize("text", ["Scrivi a mario.rossi@example.com", "Chiama il +39 02 1234 5678"])
def test_addresses_and_numbers_are_questioned(text: str) -> None:
    (concern,) = check_reply(text, COMPLAINT)
    assert concern.severity is Severity.WARN


@pytest.mark.parametrize(
    "text", ["Dal 2024-11-10 alle 10:30 siamo aperti", "https://a.b/1234567890123", "Costa 1.200,00 €"]
)
def test_dates_links_and_prices_are_no_numbers_of_people(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize("text", ["Approfitta dello sconto!", "Ora -20% di sconto su tutto", "Buy now #SuperSaldi2026"])
def test_selling_to_who_complains_is_noticed_and_to_others_is_not(text: str) -> None:
    assert ConcernKind.SELLS in kinds(text)
    assert kinds(text, ReplyContext(intents=("praise",), sentiment="positive")) == []


def test_refund_and_price_words_do_not_sell() -> None:
    assert kinds("Ti rimborsiamo il prezzo pagato e ci scusiamo.") == []


@pytest.mark.parametrize("text", ["Ciao {{ nome }}", "Ciao [nome], eccoci", "Ciao {nome}!"])
def test_placeholder_left_over_blocks(text: str) -> None:
    (concern,) = check_reply(text, COMPLAINT)
    assert (concern.kind, concern.severity) == (ConcernKind.UNRESOLVED, Severity.BLOCK)


@pytest.mark.parametrize("text", ["", " \n"])
def test_empty_text_blocks(text: str) -> None:
    assert kinds(text) == [ConcernKind.EMPTY]


def test_same_words_to_somebody_else_are_noticed() -> None:
    words = "ci dispiace molto, stiamo verificando e ti aggiorniamo presto"
    context = ReplyContext(recent_replies=(f"@anna {words}!",))
    assert kinds(f"@ugo {words.upper()}", context) == [ConcernKind.REPEATS]
    assert kinds("@ugo Grazie!", ReplyContext(recent_replies=("@anna grazie!",))) == []


def test_another_language_is_noticed() -> None:
    context = ReplyContext(language="en", reply_language="it")
    assert kinds("Ci dispiace molto", context) == [ConcernKind.OTHER_LANGUAGE]


def test_blocking_concerns_come_first() -> None:
    found = check_reply("Sconto! Carta 4111111111111111", COMPLAINT)
    assert [concern.severity for concern in found] == [Severity.BLOCK, Severity.WARN]


@pytest.mark.parametrize("text", ["1" * 200_000, "a@" * 100_000, "scrivi " * 50_000, "IT60" + "A000" * 50_000])
@pytest.mark.timeout(60)
def test_hostile_text_takes_no_time(text: str) -> None:
    check_reply(text, COMPLAINT)

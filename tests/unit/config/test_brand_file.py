"""The brand file: what it may say, and how a mistake in it is told."""

from pathlib import Path

import pytest

from config.brand import BrandFile, BrandFileError, load_brand_file
from config.brand_rules import LABELS
from inbox.listening.brands import rules_of, terms_of
from nlp.entities import EntityFinder
from nlp.rules import LABELS as NLP_LABELS
from nlp.rules import check_rules

EXAMPLE = Path(__file__).resolve().parents[3] / "config" / "examples" / "brand.toml"


def write(folder: Path, text: str) -> Path:
    path = folder / "brand.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_example_is_valid_and_shows_every_field() -> None:
    file = load_brand_file(EXAMPLE)
    assert file.model_fields_set == set(BrandFile.model_fields)
    assert file.stored_hours["0"] == [["09:00", "13:00"], ["14:00", "18:00"]]
    assert "6" not in file.stored_hours
    assert file.own_handles["x"] == ("fiordaliso", "fiordaliso_aiuto")


def test_two_fields_are_enough(tmp_path: Path) -> None:
    file = load_brand_file(write(tmp_path, 'slug = "a"\nname = "A"\n'))
    assert file.stored_hours == {str(day): [["09:00", "17:00"]] for day in range(5)}
    assert [term.all_forms for term in file.all_terms] == [("A",)]


def test_byte_order_mark_of_an_editor_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "brand.toml"
    path.write_bytes(b'\xef\xbb\xbfslug = "a"\nname = "Caff\xc3\xa8"\n')
    assert load_brand_file(path).name == "Caffè"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('timezone = "Roma"', "no IANA time zone"),
        ('timezone = "../etc/passwd"', "no IANA time zone"),
        ('colour = "red"', "colour: Extra inputs"),
        ('languages = ["fr"]', "languages.0"),
        ("first_response_minutes = 0", "first_response_minutes"),
        ('business_hours = { monday = ["9-17"] }', "no shift"),
        ('business_hours = { monday = ["17:00-09:00"] }', "ends before it starts"),
        ('business_hours = { monday = ["09:00-13:00", "12:00-18:00"] }', "overlap"),
        ('business_hours = { lunedi = ["09:00-13:00"] }', "business_hours.lunedi"),
        ('competitors = [{ slug = "a", name = "B" }]', "used twice"),
        ("holidays = [{ date = 2026-13-40 }]", "no valid TOML"),
        ('rules = [{ name = "R", terms = ["a"], force = ["sentiment:happy"] }]', "no label"),
        ('rules = [{ name = "R", terms = ["a"] }]', "neither forces nor forbids"),
        ('rules = [{ name = "R", terms = [], force = ["toxicity:toxic"] }]', "terms"),
        ('rules = [{ name = "R", terms = ["a"], force = ["urgency:1"], forbid = ["urgency:1"] }]', "choose one"),
        ('rules = [{ name = "R", terms = ["a"], force = ["urgency:1"], language = "xx" }]', "language"),
    ],
)
def test_mistake_is_told_in_words(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(BrandFileError, match=words):
        load_brand_file(write(tmp_path, f'slug = "a"\nname = "A"\n{line}\n'))


@pytest.mark.parametrize("slug", ["", "A", "a b", "a_b", "-a", "a/../b"])
def test_slug_fits_an_address(tmp_path: Path, slug: str) -> None:
    with pytest.raises(BrandFileError, match="slug"):
        load_brand_file(write(tmp_path, f'slug = "{slug}"\nname = "A"\n'))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"slug = 'a\x00'", b"slug = " * 200_000])
def test_unreadable_file_is_told_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "brand.toml"
    path.write_bytes(content)
    with pytest.raises(BrandFileError, match=r"brand\.toml"):
        load_brand_file(path)


def test_missing_file_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(BrandFileError, match="cannot be read"):
        load_brand_file(tmp_path / "none.toml")


def test_labels_are_those_of_the_taggers() -> None:
    assert dict(NLP_LABELS) == LABELS


def test_the_examples_rules_hold_together_and_its_homonyms_are_told_apart() -> None:
    file = load_brand_file(EXAMPLE)
    check_rules(rules_of(file))
    finder = EntityFinder(terms_of(file))
    assert [one.name for one in finder.find("La bolletta della Bolla è alta", "it")] == ["Bolla"]
    assert finder.find("che bella bolla", "it") == ()

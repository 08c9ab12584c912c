"""The tagger inside a spaCy pipeline."""

import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from spacy.language import Language

from nlp import spacy_component
from nlp.entities import BrandTerms
from nlp.pipeline import load_tagger
from nlp.tags_json import tags_to_json

ROOT = Path(__file__).resolve().parents[3]
BRANDS = {"Lumea": ["Lumea Telecom"]}
TEXTS = [
    "Lumea, due giorni senza internet e nessuno risponde. Vergogna",
    "Grazie a #lumeatelecom, gentilissimi!",
    "",
    "My parcel never arrived and nobody answers the phone",
    "😡😡😡",
]


@pytest.fixture
def pipeline() -> Language:
    made = spacy.blank("it")
    made.add_pipe(spacy_component.FACTORY, config={"brands": BRANDS})
    return made


def test_documents_carry_what_the_tagger_says(pipeline: Language) -> None:
    tags = load_tagger(terms=BrandTerms(brands=BRANDS)).tag(TEXTS, ["it"] * len(TEXTS))
    for position, doc in enumerate(pipeline.pipe(TEXTS, batch_size=2)):
        if position in tags.errors:
            assert doc._.ascolto is None
            assert doc._.ascolto_error == tags.errors[position]
        else:
            assert doc._.ascolto == tags_to_json(tags, position)
            assert doc._.ascolto_error is None
    assert pipeline(TEXTS[0])._.ascolto == tags_to_json(tags, 0)


def test_names_are_spans_of_the_document(pipeline: Language) -> None:
    doc = pipeline("Oggi Lumea Telecom è ferma")
    (span,) = doc.spans[spacy_component.SPANS]
    assert (span.text, span.label_, span.kb_id_) == ("Lumea Telecom", "brand", "Lumea")
    assert doc.ents == ()
    assert len(pipeline("niente nomi qui").spans[spacy_component.SPANS]) == 0


def test_it_stands_beside_other_components_and_survives_a_file(pipeline: Language, tmp_path: Path) -> None:
    pipeline.add_pipe("sentencizer", first=True)
    before = pipeline(TEXTS[0])
    pipeline.to_disk(tmp_path / "saved")
    again = spacy.load(tmp_path / "saved")(TEXTS[0])
    assert again._.ascolto == before._.ascolto
    assert [span.text for span in again.spans["ascolto"]] == ["Lumea"]
    assert len(list(again.sents)) == len(list(before.sents)) > 1


def test_the_lines_of_the_handbook_run() -> None:
    page = (ROOT / "docs" / "howto" / "use-the-tagger-alone.md").read_text(encoding="utf-8")
    snippets = [part.split("```")[0] for part in page.split("```python\n")[1:]]
    assert len(snippets) >= 2
    for snippet in snippets:
        if "open_hub" in snippet:
            compile(snippet, "snippet", "exec")  # it would fetch a model
            continue
        done = subprocess.run([sys.executable, "-c", snippet], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()

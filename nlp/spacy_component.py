"""The tagger as a component of a spaCy pipeline: `nlp.add_pipe("ascolto_tagger")`, then `doc._.ascolto`.

    import spacy, nlp.spacy_component

    pipeline = spacy.blank("it")
    pipeline.add_pipe("ascolto_tagger", config={"brands": {"Lumea": ["Lumea Telecom"]}})
    doc = pipeline("Lumea, due giorni senza internet. Grazie eh")
    print(doc._.ascolto["sentiment"]["label"], doc.spans["ascolto"])

`doc._.ascolto` is the object that `ascolto tag` writes, None where a text could not be tagged (`doc._.ascolto_error`
says why). The names found are in `doc.spans["ascolto"]`, widened to whole tokens; `doc.ents` is left alone. Texts are
tagged in batches by `pipeline.pipe`.
"""

from collections.abc import Iterable, Iterator

from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup

from nlp.base import Entity, Tags
from nlp.entities import BrandTerms
from nlp.pipeline import DEFAULT_MODEL, EmbeddedTagger, load_tagger
from nlp.tags_json import tags_to_json

FACTORY = "ascolto_tagger"
SPANS = "ascolto"
_BATCH = 64


class AscoltoTagger:
    """Tags spaCy's documents. The pipeline's language is a hint, which the words of a text may contradict."""

    def __init__(self, tagger: EmbeddedTagger, *, language: str) -> None:
        self._tagger = tagger
        self._language = language

    def __call__(self, doc: Doc) -> Doc:
        """Tag one document."""
        return next(self.pipe([doc], batch_size=1))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = _BATCH) -> Iterator[Doc]:
        """Tag a stream, batch by batch."""
        for docs in _groups(stream, batch_size):
            tags = self._tagger.tag([doc.text for doc in docs], [self._language] * len(docs))
            for position, doc in enumerate(docs):
                _write(doc, tags, position)
                yield doc


def _groups(stream: Iterable[Doc], size: int) -> Iterator[list[Doc]]:
    group: list[Doc] = []
    for doc in stream:
        group.append(doc)
        if len(group) >= size:
            yield group
            group = []
    if group:
        yield group


def _write(doc: Doc, tags: Tags, position: int) -> None:
    error = tags.errors.get(position)
    doc._.ascolto = None if error else tags_to_json(tags, position)
    doc._.ascolto_error = error
    spans = [span for entity in tags.entities[position] if (span := _span(doc, entity)) is not None]
    doc.spans[SPANS] = SpanGroup(doc, name=SPANS, spans=spans)


def _span(doc: Doc, entity: Entity) -> Span | None:
    span: Span | None = doc.char_span(
        entity.start, entity.end, label=entity.kind, kb_id=entity.name, alignment_mode="expand"
    )
    return span


@Language.factory(  # type: ignore[untyped-decorator]  # spaCy publishes no types
    FACTORY,
    assigns=["doc._.ascolto", "doc._.ascolto_error"],
    default_config={"model": DEFAULT_MODEL, "brands": {}, "products": {}, "competitors": {}},
)
def create_ascolto_tagger(
    nlp: Language,
    name: str,  # noqa: ARG001 - spaCy's signature
    model: str,
    brands: dict[str, list[str]],
    products: dict[str, list[str]],
    competitors: dict[str, list[str]],
) -> AscoltoTagger:
    """Make the component; each name comes with other ways to write it."""
    for extension in ("ascolto", "ascolto_error"):
        if not Doc.has_extension(extension):
            Doc.set_extension(extension, default=None)
    terms = BrandTerms(brands=brands, products=products, competitors=competitors)
    return AscoltoTagger(load_tagger(terms=terms, model=model), language=nlp.lang)


__all__ = ["FACTORY", "SPANS", "AscoltoTagger", "create_ascolto_tagger"]

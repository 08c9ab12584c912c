"""The step that learns from corrections: a brand with enough new labels is fitted anew. Idempotent, as all handlers."""

import structlog

from ascolto.jobs.done import Done
from ascolto.wiring import House
from inbox.listening.adaptation import adapt_brand, due_brands, has_enough_labels
from inbox.listening.retagging import is_fit
from inbox.store.types import AdaptationState

log = structlog.get_logger(__name__)


def adapt(house: House) -> Done:
    """Fit the brands that are due. Says nothing has to be done before it asks for the tagger, which is heavy."""
    with house.store.read() as session:
        if not has_enough_labels(session):
            return Done()
    tagger = house.tagger
    if not is_fit(tagger):
        return Done()
    with house.store.read() as session:
        due = due_brands(session, tagger)
    fitted, is_used = 0, False
    for brand_id in due:
        try:
            row = adapt_brand(house.store, brand_id, tagger, house.clock())
        except Exception as error:  # a job's edge: the other brands are fitted all the same
            log.exception("adapt.broken", brand=brand_id, kind=type(error).__name__)
            continue
        if row is not None:
            fitted += 1
            is_used = is_used or row.state is AdaptationState.ACTIVE
            log.info("adapt.fitted", brand=brand_id, version=row.version, state=row.state.value)
    return Done(rows=fitted, due=("retag",) if is_used else ())

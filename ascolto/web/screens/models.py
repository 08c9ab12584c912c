"""What reads the posts, how often it is right where people spoke, and what their corrections have taught it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from ascolto.jobs.tag_steps import taggers
from ascolto.web.charts import RiskCurve, draw_risk
from ascolto.web.conversations.words import LABEL_WORDS, TASK_WORDS
from ascolto.web.deps import HouseOf, Manager, ReadSession, SignedIn, WriteScope
from ascolto.web.i18n import N_
from ascolto.web.templating import NavItem, render
from inbox.errors import NotFoundError
from inbox.listening.accuracy import LEAST_TOLD, read_accuracy
from inbox.listening.adaptation import EVERY, activate, dismiss, missing_labels, tagger_name, undo
from inbox.listening.retagging import count_old
from inbox.store.queries.adaptations import list_adaptations
from inbox.store.queries.brands import get_brand, list_brands
from inbox.store.queries.users import users_by_id
from inbox.store.tables import Adaptation
from inbox.store.types import AdaptationState, Role
from nlp.held_back import TaskReport, Verdict, report_from_json
from nlp.installed import list_models, read_card

router = APIRouter(prefix="/settings/models", include_in_schema=False)

NAV = NavItem(key="models", path="/settings/models", label=N_("Models"), icon="sparkles", order=60, go_key="m")
MAX_ID = 2**53
MOST_COUNTED = 10_000
STATE_WORDS = {
    "proposed": (N_("proposed"), "warn"),
    "active": (N_("in use"), "good"),
    "superseded": (N_("replaced"), "plain"),
    "undone": (N_("undone"), "plain"),
    "rejected": (N_("not used"), "plain"),
}
VERDICT_WORDS = {
    Verdict.CLEAR: N_("better"),
    Verdict.SLIGHT: N_("not worse; the gain may be chance"),
    Verdict.WORSE: N_("no better on labels held back"),
    Verdict.TOO_FEW: N_("too few labels"),
    Verdict.ONE_SIDED: N_("only mistakes were marked"),
}
KIND_WORDS = {"encoder": N_("small neural network"), "ngrams": N_("word statistics")}
SAID = {
    "undone": N_("Undone. Posts are read again as before; it takes a while for old ones."),
    "active": N_("In use. New posts are read with it; old ones follow."),
    "rejected": N_("Refused. Nothing has changed."),
}
AdaptationId = Annotated[int, Path(ge=1, le=MAX_ID)]


@dataclass(frozen=True, slots=True)
class ShownAdaptation:
    """An adaptation as the screen tells it."""

    id: int
    version: int
    name: str
    state: str
    corrections: int
    created_at: datetime
    created_by: str | None
    decided_at: datetime | None
    decided_by: str | None
    replaced: int | None
    reports: tuple[TaskReport, ...]

    @property
    def tried(self) -> tuple[TaskReport, ...]:
        """Tasks that had enough labels to be tried."""
        return tuple(report for report in self.reports if report.before is not None)


@router.get("")
def show_models(
    request: Request, house: HouseOf, session: ReadSession, user: SignedIn, brand: str = "", done: str = ""
) -> Response:
    """Show models, accuracy and adaptations of one of our brands."""
    brands = list_brands(session, own_only=True)
    chosen = next((item for item in brands if item.slug == brand), brands[0] if brands else None)
    health = house.tagger_health()
    context: dict[str, Any] = {
        "active_nav": NAV.key,
        "brands": brands,
        "brand": chosen,
        "health": health,
        "models": list_models(),
        "may_change": user.role in {Role.MANAGER, Role.ADMIN},
        "message": SAID.get(done, ""),
        "task_words": TASK_WORDS,
        "label_words": LABEL_WORDS,
        "state_words": STATE_WORDS,
        "verdict_words": VERDICT_WORDS,
        "kind_words": KIND_WORDS,
        "every": EVERY,
        "least_told": LEAST_TOLD,
    }
    if chosen is not None:
        context |= _of_brand(session, chosen.id, health.tier)
        context["old_tags"] = count_old(session, taggers(house), brand_id=chosen.id, cap=MOST_COUNTED)
    return render(request, "models/page.html", context)


@router.get("/cards/{name}")
def show_card(request: Request, user: SignedIn, name: Annotated[str, Path(max_length=60)]) -> Response:
    """Show a model's card."""
    del user
    card = read_card(name)
    if card is None:
        raise NotFoundError(N_("There is no such model here."))
    return render(request, "models/card.html", {"active_nav": NAV.key, "name": name, "card": card})


@router.post("/adaptations/{adaptation_id}/undo")
def undo_adaptation(write: WriteScope, user: Manager, adaptation_id: AdaptationId) -> Response:
    """Stop using an adaptation."""
    return _back(write.session, undo(write.session, adaptation_id, user_id=user.id, now=write.now), write)


@router.post("/adaptations/{adaptation_id}/use")
def use_adaptation(write: WriteScope, user: Manager, adaptation_id: AdaptationId) -> Response:
    """Use an adaptation that was proposed or undone."""
    return _back(write.session, activate(write.session, adaptation_id, user_id=user.id, now=write.now), write)


@router.post("/adaptations/{adaptation_id}/dismiss")
def dismiss_adaptation(write: WriteScope, user: Manager, adaptation_id: AdaptationId) -> Response:
    """Refuse an adaptation that was proposed."""
    return _back(write.session, dismiss(write.session, adaptation_id, user_id=user.id, now=write.now), write)


def _back(session: Session, row: Adaptation, write: WriteScope) -> Response:
    write.nudge("retag")
    brand = get_brand(session, row.brand_id)
    slug = brand.slug if brand is not None else ""
    return RedirectResponse(f"/settings/models?brand={slug}&done={row.state.value}", status_code=303)


def _of_brand(session: Session, brand_id: int, base: str) -> dict[str, Any]:
    shown = _shown(session, list_adaptations(session, brand_id))
    accuracy, languages = read_accuracy(session, brand_id)
    active = next(
        (one for one in shown if one.state == AdaptationState.ACTIVE and one.name.startswith(f"{base}+")), None
    )
    proposed = next((one for one in shown if one.state == AdaptationState.PROPOSED), None)
    told = proposed or active or next((one for one in shown if one.tried), None)
    return {
        "history": shown,
        "active": active,
        "proposed": proposed,
        "reading": active.name if active else base,
        "accuracy": accuracy,
        "languages": languages,
        "progress": missing_labels(session, base, brand_id),
        "told": told,
        "curves": _curves(told),
    }


def _curves(told: ShownAdaptation | None) -> list[tuple[TaskReport, RiskCurve]]:
    return [(report, draw_risk(report.risk)) for report in told.tried if report.risk] if told else []


def _shown(session: Session, rows: Sequence[Adaptation]) -> list[ShownAdaptation]:
    ids = {one for row in rows for one in (row.created_by, row.decided_by) if one is not None}
    people = {key: person.name for key, person in users_by_id(session, sorted(ids)).items()} if ids else {}
    return [
        ShownAdaptation(
            id=row.id,
            version=row.version,
            name=tagger_name(row),
            state=row.state.value,
            corrections=row.corrections,
            created_at=row.created_at,
            created_by=people.get(row.created_by or 0),
            decided_at=row.decided_at,
            decided_by=people.get(row.decided_by or 0),
            replaced=row.replaced,
            reports=tuple(report_from_json(one) for one in row.report.get("tasks", ())),
        )
        for row in rows
    ]

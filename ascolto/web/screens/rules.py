"""Rules on labels: a brand's own words that decide one; listed, changed, put in order, and tried before they hold."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from ascolto.web.conversations.words import LABEL_WORDS, TASK_WORDS
from ascolto.web.deps import MANAGERS, HouseOf, Manager, ReadSession, SignedIn, WriteScope
from ascolto.web.i18n import N_
from ascolto.web.screens.rule_form import LANGUAGES, MAX_TEXT, RuleForm, error_in_words, label_in_words
from ascolto.web.screens.rule_trial import ShownDryRun, ShownTrial, show_dry_run, show_trial
from ascolto.web.screens.source_saving import FormValues
from ascolto.web.templating import NavItem, is_fragment, language_of, name_language, render, words_for
from ascolto.wiring import House
from config.brand_rules import write_rules
from inbox.errors import InvalidError, NotFoundError
from inbox.listening.rule_trials import candidates_for
from inbox.listening.tag_rules import check_with_others, delete_tag_rule, move_tag_rule, save_tag_rule
from inbox.store.queries.brands import list_brands
from inbox.store.queries.tag_rules import get_tag_rule, list_tag_rules, rule_of
from inbox.store.tables import Brand, TagRule
from nlp.rules import LABELS, Rule

router = APIRouter(prefix="/settings/rules", include_in_schema=False)

NAV = NavItem(key="rules", path="/settings/rules", label=N_("Rules"), icon="quote", order=50, go_key="r")
MAX_ID = 2**53
UNPROCESSABLE = 422
SAVED = {
    "saved": N_("Saved. It holds for posts that arrive from now on."),
    "deleted": N_("Deleted. What it decided stays as it is."),
}
RuleId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get("")
def show_rules(request: Request, session: ReadSession, user: SignedIn, brand: str = "", done: str = "") -> Response:
    """Show a brand's rules in order, with a text to try them on."""
    return _list_page(request, session, user.role in MANAGERS, brand=brand, done=done)


@router.get("/brand-file")
def export_rules(session: ReadSession, _user: SignedIn, brand: str = "") -> Response:
    """Give a brand's rules as a part of its brand file, those switched off left out."""
    chosen = _brand(session, brand)
    rows = list_tag_rules(session, chosen.id) if chosen else []
    text = write_rules([_file_fields(rule_of(row)) for row in rows if row.is_active])
    name = f"rules-{chosen.slug}.toml" if chosen else "rules.toml"
    return PlainTextResponse(text, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@router.get("/new")
def show_new(request: Request, session: ReadSession, _user: Manager, brand: str = "") -> Response:
    """Show an empty rule."""
    return _form_page(request, RuleForm(), _need_brand(session, brand))


@router.get("/{rule_id}/edit")
def show_edit(request: Request, session: ReadSession, _user: Manager, rule_id: RuleId) -> Response:
    """Show a stored rule."""
    row = _need_rule(session, rule_id)
    return _form_page(request, RuleForm.of(row), _brand_of(session, row), rule_id=rule_id)


@router.post("/new")
def add_rule(request: Request, house: HouseOf, user: Manager, values: FormValues) -> Response:
    """Store a new rule."""
    return _save(request, house, values, user_id=user.id)


@router.post("/{rule_id}/edit")
def change_rule(request: Request, house: HouseOf, user: Manager, rule_id: RuleId, values: FormValues) -> Response:
    """Store a changed rule."""
    return _save(request, house, values, user_id=user.id, rule_id=rule_id)


@router.post("/{rule_id}/delete")
def remove_rule(write: WriteScope, user: Manager, rule_id: RuleId) -> Response:
    """Delete a rule."""
    row = delete_tag_rule(write.session, rule_id, now=write.now, user_id=user.id)
    return _to_list(_brand_of(write.session, row), "deleted")


@router.post("/{rule_id}/move")
def move_rule(
    write: WriteScope, user: Manager, rule_id: RuleId, to: Annotated[str, Form(max_length=8)] = "up"
) -> Response:
    """Let a rule change places with its neighbour; back to it, so that the keyboard can go on."""
    row = move_tag_rule(write.session, rule_id, is_up=to == "up", now=write.now, user_id=user.id)
    return _to_list(_brand_of(write.session, row), f"moved#rule-{rule_id}")


@router.post("/{rule_id}/switch")
def switch_rule(write: WriteScope, user: Manager, rule_id: RuleId) -> Response:
    """Switch a rule off, or on again."""
    row = _need_rule(write.session, rule_id)
    save_tag_rule(
        write.session, row.brand_id, rule_of(row), now=write.now, user_id=user.id, rule_id=rule_id,
        is_active=not row.is_active,
    )  # fmt: skip
    return _to_list(_brand_of(write.session, row), f"moved#rule-{rule_id}")


@router.post("/try")
def try_rules(request: Request, house: HouseOf, user: SignedIn, values: FormValues) -> Response:
    """Show what the rules make of a text, the one being written among them; nothing is stored."""
    form = RuleForm.read(values)
    with house.store.read() as session:
        brand = _need_brand(session, values.get("brand", ""))
        rules, _, form = _draft(request, session, brand, form, values)
    is_shown = form.text.strip() and not form.errors
    shown = show_trial(house, brand.id, rules, form.text, words_for(request)) if is_shown else None
    return _tried(request, house, user.role in MANAGERS, brand, form, values, trial=shown)


@router.post("/dry-run")
def dry_run_rules(request: Request, house: HouseOf, user: SignedIn, values: FormValues) -> Response:
    """Show what the rules would have changed in the last days; nothing is stored."""
    form = RuleForm.read(values)
    with house.store.read() as session:
        brand = _need_brand(session, values.get("brand", ""))
        rules, others, form = _draft(request, session, brand, form, values)
        posts = candidates_for(session, brand.id, now=house.clock())
    words = words_for(request)
    shown = None if form.errors else show_dry_run(house, brand.id, rules, posts, words, without=others)
    return _tried(request, house, user.role in MANAGERS, brand, form, values, dry=shown)


def _draft(
    request: Request, session: ReadSession, brand: Brand, form: RuleForm, values: FormValues
) -> tuple[list[Rule], list[Rule], RuleForm]:
    """The brand's active rules with the one being written in its place, those without it, and the form with errors."""
    rows = list_tag_rules(session, brand.id)
    if "rule_name" not in values:
        return [rule_of(row) for row in rows if row.is_active], [], form
    rule_id = _id_of(values)
    draft = replace(form.rule, name=form.name or words_for(request).gettext(N_("this rule")))
    try:
        check_with_others(session, brand.id, draft, rule_id=rule_id)
    except InvalidError as error:
        return [], [], replace(form, errors=error_in_words(error, words_for(request)))
    placed = [draft if row.id == rule_id else rule_of(row) for row in rows if row.is_active or row.id == rule_id]
    rules = placed if draft in placed else [*placed, draft]
    return rules, [rule for rule in rules if rule is not draft], form


def _id_of(values: FormValues) -> int | None:
    text = values.get("rule_id", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(MAX_ID)) else None


def _tried(
    request: Request,
    house: House,
    may_change: bool,  # noqa: FBT001 - whether the person may change rules
    brand: Brand,
    form: RuleForm,
    values: FormValues,
    *,
    trial: ShownTrial | None = None,
    dry: ShownDryRun | None = None,
) -> Response:
    found: dict[str, Any] = {"trial": trial, "dry": dry, "form": form}
    if is_fragment(request):
        return render(request, "rules/trial.html", found, status=UNPROCESSABLE if form.errors else 200)
    with house.store.read() as session:
        if "rule_name" not in values:
            return _list_page(request, session, may_change, brand=brand.slug, tried=found)
        return _form_page(request, form, brand, rule_id=_id_of(values), trial=trial, dry=dry)


def _save(request: Request, house: House, values: FormValues, *, user_id: int, rule_id: int | None = None) -> Response:
    form = RuleForm.read(values)
    with house.store.read() as session:
        row = _need_rule(session, rule_id) if rule_id is not None else None
        brand = _brand_of(session, row) if row is not None else _need_brand(session, values.get("brand", ""))
    try:
        with house.store.write() as session:
            save_tag_rule(
                session, brand.id, form.rule, now=house.clock(), user_id=user_id, rule_id=rule_id,
                is_active=form.is_active,
            )  # fmt: skip
    except InvalidError as error:
        form = replace(form, errors=error_in_words(error, words_for(request)))
        return _form_page(request, form, brand, rule_id=rule_id)
    return _to_list(brand, "saved")


def _list_page(
    request: Request,
    session: ReadSession,
    may_change: bool,  # noqa: FBT001 - whether the person may change rules
    *,
    brand: str,
    done: str = "",
    tried: dict[str, Any] | None = None,
) -> Response:
    chosen = _brand(session, brand)
    words = words_for(request)
    context: dict[str, Any] = {
        "active_nav": NAV.key,
        "brands": list_brands(session, own_only=True),
        "brand": chosen,
        "rules": [_shown(request, row) for row in list_tag_rules(session, chosen.id)] if chosen else [],
        "may_change": may_change,
        "message": words.gettext(SAVED[done]) if done in SAVED else "",
        "max_text": MAX_TEXT,
        "form": RuleForm(),
        "trial": None,
        "dry": None,
        **(tried or {}),
    }
    return render(request, "rules/list.html", context)


def _shown(request: Request, row: TagRule) -> dict[str, Any]:
    words = words_for(request)
    return {
        "row": row,
        "forces": [label_in_words(label, words) for label in row.forces],
        "forbids": [label_in_words(label, words) for label in row.forbids],
    }


def _form_page(
    request: Request,
    form: RuleForm,
    brand: Brand,
    *,
    rule_id: int | None = None,
    trial: ShownTrial | None = None,
    dry: ShownDryRun | None = None,
) -> Response:
    words = words_for(request)
    labels = {
        task: [(name, words.gettext(LABEL_WORDS[task][name])) for name in names] for task, names in LABELS.items()
    }
    context: dict[str, Any] = {
        "active_nav": NAV.key,
        "form": form,
        "brand": brand,
        "rule_id": rule_id,
        "labels": labels,
        "tasks": {task: words.gettext(TASK_WORDS[task]) for task in LABELS},
        "languages_named": [(code, name_language(code, language_of(request))) for code in LANGUAGES],
        "max_text": MAX_TEXT,
        "trial": trial,
        "dry": dry,
    }
    return render(request, "rules/form.html", context, status=UNPROCESSABLE if form.errors else 200)


def _brand(session: ReadSession, slug: str) -> Brand | None:
    brands = list_brands(session, own_only=True)
    return next((brand for brand in brands if brand.slug == slug), brands[0] if brands else None)


def _need_brand(session: ReadSession, slug: str) -> Brand:
    brand = _brand(session, slug)
    if brand is None:
        raise NotFoundError(N_("There is no brand yet."))
    return brand


def _need_rule(session: ReadSession, rule_id: int) -> TagRule:
    row = get_tag_rule(session, rule_id)
    if row is None:
        raise NotFoundError("This rule does not exist (any more).")
    return row


def _brand_of(session: ReadSession, row: TagRule) -> Brand:
    return session.get_one(Brand, row.brand_id)


def _to_list(brand: Brand, done: str) -> Response:
    return RedirectResponse(f"/settings/rules?brand={brand.slug}&done={done}", status_code=303)


def _file_fields(rule: Rule) -> dict[str, str | list[str]]:
    fields: dict[str, str | list[str] | None] = {
        "name": rule.name,
        "language": rule.language,
        "terms": list(rule.terms),
        "force": list(rule.forces),
        "forbid": list(rule.forbids),
        "context": list(rule.context),
        "not_with": list(rule.not_with),
    }
    return {name: value for name, value in fields.items() if value}

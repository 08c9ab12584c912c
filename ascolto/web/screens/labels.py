"""The labels of a post: people's corrections of them, and why the machine chose them."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, Response

from ascolto.jobs.tag_steps import taggers
from ascolto.web.conversations.labels import explain_task, read_task
from ascolto.web.conversations.screen import After, Toast, answer, query_of, say, shared_context
from ascolto.web.conversations.words import LABEL_WORDS, TASK_WORDS
from ascolto.web.deps import WRITERS, HouseOf, SignedIn, Write, Writer, WriteScope
from ascolto.web.i18n import N_
from ascolto.web.templating import is_fragment, language_of, name_language, render, words_for
from inbox.errors import InvalidError, NotFoundError
from inbox.listening.corrections import ALLOWED, correct_label, remove_correction
from inbox.store.queries.corrections import corrections_of, tags_of
from inbox.store.queries.tag_rules import read_rulesets
from inbox.store.tables import Post
from nlp.rulesets import RuledTagger

router = APIRouter(include_in_schema=False)

MAX_ID = 2**63 - 1
PostId = Annotated[int, Path(ge=1, le=MAX_ID)]
Task = Annotated[str, Form(max_length=20)]


@router.post("/p/{post_id}/correct")
def correct(
    request: Request,
    house: HouseOf,
    write: WriteScope,
    user: Writer,
    post_id: PostId,
    value: Annotated[list[str] | None, Form(max_length=20)] = None,
    task: Task = "sentiment",
) -> Response:
    """Correct the machine's word on a post, for one task."""
    chosen = value or []
    undo = _step_back(write, post_id, task, request)
    corrected = correct_label(write.session, post_id, task=task, value=chosen, user_id=user.id, now=write.now)
    label = ", ".join(_spoken(request, task, word) for word in chosen)
    text = say(request, N_("Corrected: %(label)s. Thank you, the machine learns from it."), label=label)
    _tell(write, corrected, user.id)
    return answer(request, house, write.session, user, corrected, After(Toast(text, undo=undo)))


@router.post("/p/{post_id}/uncorrect")
def uncorrect(
    request: Request, house: HouseOf, write: WriteScope, user: Writer, post_id: PostId, task: Task = "sentiment"
) -> Response:
    """Take a correction back: the machine's label counts again."""
    undo = _step_back(write, post_id, task, request)
    conversation_id = remove_correction(write.session, post_id, task=task, user_id=user.id, now=write.now)
    _tell(write, conversation_id, user.id)
    toast = Toast(say(request, N_("The machine’s label counts again.")), undo=undo)
    return answer(request, house, write.session, user, conversation_id, After(toast))


@router.get("/posts/{post_id}/why")
def show_why(
    request: Request,
    house: HouseOf,
    user: SignedIn,
    post_id: PostId,
    task: Annotated[str, Query(max_length=20)] = "sentiment",
) -> HTMLResponse:
    """Show the labels of a post for one task, the words that weighed most, and what may be said instead."""
    if task not in ALLOWED:
        raise InvalidError("This label does not exist.", field="task")
    with house.store.read() as session:
        post = session.get(Post, post_id)
        tags = tags_of(session, post.brand_id, post.id) if post else None
        if post is None or tags is None or post.conversation_id is None:
            raise NotFoundError("This post does not exist.", log_message=f"no tags of post {post_id}")
        corrections = corrections_of(session, post.brand_id, post.id)
        rules = read_rulesets(session, [post.brand_id]) if tags.rules else None
        session.expunge_all()
    reader = taggers(house).of(post.brand_id)
    tagger = RuledTagger(reader, rules, post.brand_id) if rules else reader
    # Outside the transaction: a model takes its time, the first time seconds.
    explanations = [] if post.deleted_at_source else explain_task(tagger, post, tags, task)
    context = {
        **shared_context(),
        "p": post,
        "tags": tags,
        "reading": read_task(tags, corrections, task),
        "explanations": explanations,
        "tasks": TASK_WORDS,
        "label_words": LABEL_WORDS.get(task, {}),
        "query": query_of(request, user),
        "may_write": user.role in WRITERS,
        "tagger_now": reader.name,
    }
    return render(request, "inbox/labels.html" if is_fragment(request) else "inbox/labels_page.html", context)


def _tell(write: Write, conversation_id: int, user_id: int) -> None:
    write.poke("conversation", id=conversation_id, by=user_id)
    write.poke("counts")


def _step_back(write: Write, post_id: int, task: str, request: Request) -> dict[str, object] | None:
    # What undoes the step about to be taken: the person's word of before, or the machine's again.
    post = write.session.get(Post, post_id)
    before = corrections_of(write.session, post.brand_id, post.id).get(task) if post else None
    where = f"?{request.url.query}" if request.url.query else ""
    if before is None:
        return {"path": f"/p/{post_id}/uncorrect{where}", "fields": {"task": task}}
    return {"path": f"/p/{post_id}/correct{where}", "fields": {"task": task, "value": list(before.value)}}


def _spoken(request: Request, task: str, value: str) -> str:
    if task == "language":
        return name_language(value, language_of(request)) or say(request, N_("unknown"))
    return words_for(request).gettext(LABEL_WORDS[task].get(value, value))

/* Answers come in any order: none may undo a newer one, nor show one conversation's words under another's name. */
const OPENING = /^\/c\/\d+(\?|$)/;
const REFRESH = /^\/c\/\d+\/live(\?|$)/;
let openings = 0;  // how often a conversation was asked for
let steps = 0;  // how often an action changed the open one

document.addEventListener("htmx:before:request", (event) => {
  const context = event.detail.ctx;
  const isOpening = context.request.method === "GET" && OPENING.test(context.request.action);
  if (isOpening) openings += 1;
  context.asked = { isOpening, openings, steps };
});

/* Every answer about a conversation carries its card. */
const toldId = (tasks) => tasks.map((task) => task.fragment?.querySelector?.('[id^="card-"][data-id]')).find(Boolean)?.dataset.id;

document.addEventListener("htmx:before:swap", (event) => {
  const { ctx, tasks } = event.detail;
  if (!ctx.asked) return;
  if (ctx.asked.isOpening) {
    if (ctx.asked.openings !== openings) event.preventDefault();
    return;
  }
  const id = toldId(tasks);
  if (!id) return;
  if (REFRESH.test(ctx.request.action)) {
    if (id === openedId() && ctx.asked.steps === steps) return;
    event.preventDefault();
    if (id === openedId()) refreshOpened();
    return;
  }
  if (ctx.target?.id !== "thread") return;
  if (id === openedId()) { steps += 1; ctx.isNoting = document.activeElement?.id === "note-text"; return; }
  /* Of an action on a conversation that is open no more, only its card and its message are shown. */
  ctx.isElsewhere = true;
  const refusal = ctx.response.status >= 400 && tasks.map((task) => task.fragment.querySelector?.("[role=alert] p")).find(Boolean);
  if (refusal) showToast(refusal.textContent, "bad");
  tasks.splice(0, tasks.length, ...tasks.filter((task) => !["thread", "context"].includes(task.target?.id)));
});

/* The reply field: counting as the network counts, keeping words, saying that somebody is writing. */
const URL_PATTERN = /https?:\/\/[^\s<>"']+/gu;
const WIDE = /[\u1100-\u115F\u2E80-\u303E\u3041-\u33FF\u3400-\u4DBF\u4E00-\u9FFF\uA000-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE4F\uFF00-\uFF60\uFFE0-\uFFE6]/u;

/* A preview of connectors/length.py; the server decides. */
function measure(text, rule) {
  const trimmed = text.trim();
  const points = (part) => [...part].length;
  const graphemes = (part) => [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(part)];
  if (rule === "graphemes") return graphemes(trimmed).length;
  if (rule === "x_weighted") {
    const links = trimmed.match(URL_PATTERN)?.length ?? 0;
    return links * 23 + graphemes(trimmed.normalize("NFC").replace(URL_PATTERN, "")).reduce((sum, { segment }) => sum + (/\p{Extended_Pictographic}/u.test(segment) ? 2 : [...segment].reduce((part, char) => part + (WIDE.test(char) || char.codePointAt(0) > 0x10FFF ? 2 : 1), 0)), 0);
  }
  if (rule === "mastodon") {
    const links = trimmed.match(URL_PATTERN)?.length ?? 0;
    return links * 23 + points(trimmed.replace(URL_PATTERN, "").replace(/(@[\w.-]+)@[\w.-]+/gu, "$1"));
  }
  return points(trimmed);
}

function showLength() {
  const text = $("#reply-text");
  const counter = $("#reply-count");
  if (!text || !counter) return;
  const used = measure(text.value, text.dataset.rule);
  const limit = Number(text.dataset.limit || 0);
  counter.textContent = limit ? counter.dataset.words.replace("{used}", used).replace("{limit}", limit) : counter.dataset.plain.replace("{used}", used);
  counter.classList.toggle("is-near", Boolean(limit) && used > limit * 0.9 && used <= limit);
  counter.classList.toggle("is-over", Boolean(limit) && used > limit);
}

/* What is being written is kept for this tab, by conversation, until the server has taken it. */
function keepDraft(field) {
  const key = `${field.id}-${openedId()}`;
  if (field.value.trim()) sessionStorage.setItem(key, field.value); else sessionStorage.removeItem(key);
}

function prepareComposer() {
  for (const field of $$("#reply-text, #note-text")) {
    if (field.value.trim()) keepDraft(field);
    else if (!field.readOnly) field.value = sessionStorage.getItem(`${field.id}-${openedId()}`) ?? "";
  }
  showLength();
}

function chooseTab(name) {
  for (const other of ["reply", "note"]) {
    const tab = $(`#tab-${other}`);
    const form = $(`#${other}-form`);
    if (!tab || !form) return;
    tab.setAttribute("aria-selected", String(other === name));
    tab.tabIndex = other === name ? 0 : -1;
    form.hidden = other !== name;
  }
  const field = $(`#${name}-text`) ?? $(`#${name}-form`);
  field?.focus();
}
Object.assign(actions, { "tab-reply": () => chooseTab("reply"), "tab-note": () => chooseTab("note") });
document.addEventListener("keydown", (event) => {
  if (event.target.matches?.("[role=tab]") && ["ArrowLeft", "ArrowRight"].includes(event.key)) chooseTab(event.target.id === "tab-reply" ? "note" : "reply");
});

/* The lease: taken with the first keystroke, renewed while typing, given back after two idle minutes. */
let leased = "";
let lastRenewed = 0;
let idleTimer = 0;
let line = Promise.resolve();  // one after the other: a late "I am writing" must not come after "I have stopped"
let waiting = 0;
let isOvertaken = false;
function post(path) {
  waiting += 1;
  line = line.then(() => fetch(path, { method: "POST", keepalive: true })).catch(() => null);
  line.then(() => { waiting -= 1; });
  return line;
}

async function holdLease(conversation) {
  const now = Date.now();
  clearTimeout(idleTimer);
  idleTimer = setTimeout(dropLease, 110000);
  if (leased === conversation && now - lastRenewed < 40000) return;
  leased = conversation;
  lastRenewed = now;
  const answer = await post(`/c/${conversation}/lease`);
  if (answer?.status === 409) { leased = ""; refreshOpened(); showToast((await answer.json()).message, "bad"); }
}
function dropLease() {
  clearTimeout(idleTimer);
  if (leased) post(`/c/${leased}/lease/release`);
  leased = "";
}

document.addEventListener("input", (event) => {
  const field = event.target;
  if (field.id === "note-text") keepDraft(field);
  if (field.id !== "reply-text") return;
  showLength();
  keepDraft(field);
  if (field.value.trim()) holdLease(field.form.dataset.conversation); else dropLease();
});
document.addEventListener("htmx:before:request", (event) => {
  const { request } = event.detail.ctx;
  if (/^\/c\/\d+(\?|$)/.test(request.action)) dropLease();
  if (/^\/c\/\d+\/reply(\?|$)/.test(request.action)) isOvertaken = waiting > 0;
});
document.addEventListener("htmx:after:request", (event) => {
  const { request, response } = event.detail.ctx;
  const sent = /^\/c\/(\d+)\/(reply|note)(\?|$)/.exec(request.action);
  if (!sent || request.method !== "POST" || response.status !== 200) return;
  sessionStorage.removeItem(`${sent[2]}-text-${sent[1]}`);
  if (sent[2] !== "reply") return;
  // The answer ends the lease on the server; one asked for just before may have arrived after it.
  if (isOvertaken) post(`/c/${sent[1]}/lease/release`);
  leased = "";
  clearTimeout(idleTimer);
});
addEventListener("pagehide", dropLease);

/* A live refresh may tell that somebody else took over: the field becomes readable only. */
document.addEventListener("htmx:after:swap", () => {
  const text = $("#reply-text");
  if (!text) return;
  const isHeld = Boolean($("#lease .notice"));
  text.readOnly = isHeld;
  for (const button of $$("#reply-form [data-send]")) button.disabled = isHeld;
});

const firstToast = $("#first-toast");
if (firstToast) $("#toasts")?.append(firstToast.content);
prepareComposer();
startCountdowns();
const shown = $("#messages");
if (shown) shown.scrollTop = shown.scrollHeight;

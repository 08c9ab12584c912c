/* The keyboard: one-key commands outside text fields, by what the key means (event.key), never by where it sits. */
const cards = () => $$("#cards > [data-id]");
const openedId = () => $(".inbox")?.dataset.opened ?? "";
const cardLink = (card) => card && $("a.conv", card);

function currentCard() {
  return document.activeElement?.closest?.("#cards > [data-id]") ?? $("#cards a[aria-current]")?.closest("[data-id]") ?? null;
}

function moveTo(step, isOpening = false) {
  const all = cards();
  const at = all.indexOf(currentCard());
  const next = all[at < 0 ? 0 : at + step];
  if (!next) return;
  const link = cardLink(next);
  link.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  if (isOpening) link.click();
}

function pressButton(key) {
  const all = $$(`[data-key="${CSS.escape(key)}"]`).filter((item) => !item.disabled && !item.closest("[hidden], dialog"));
  const item = all.find((one) => one.offsetParent) ?? all[0];
  if (!item) return false;
  if (item.matches("input, select")) { showContext(true); item.focus(); item.scrollIntoView({ block: "nearest" }); }
  else item.click();
  return true;
}

/* The post a correction is for: the one with the focus, else the latest that the machine has read. */
function correctable() {
  const here = document.activeElement?.closest?.("[data-post]");
  return here ?? $$("#messages [data-post]:not(.is-ours)").filter((item) => $("[data-sentiment]", item)).at(-1);
}
const correct = (index) => { const post = correctable(); if (post) $(`[data-sentiment="${index}"]`, post)?.click(); };
const chooseIntents = () => { const menu = $(".intent-menu", correctable() ?? document.createElement("i")); if (menu) menu.open = true; };
/* What the machine read in a post, and why, opened at one task; every label can be corrected there. */
let wantedTask = "";
function openLabels(task) {
  const menu = $(".label-menu", correctable() ?? document.createElement("i"));
  if (!menu) return;
  wantedTask = task;
  if (menu.open) loadLabels(menu); else menu.open = true;
}

function undoLast() {
  const buttons = $$("[data-undo]").filter((button) => !button.closest("[hidden]"));
  buttons.at(-1)?.click();
}

function leave() {
  const menu = $("details.menu[open]");
  if (menu) { menu.open = false; $("summary", menu).focus(); return; }
  if (document.body.classList.contains("is-context-open")) { showContext(false); return; }
  if (document.activeElement?.matches("input, textarea, select")) { document.activeElement.blur(); $("#messages")?.focus(); return; }
  backToList();
}

function backToList() {
  const card = $("#cards a[aria-current]") ?? $("#cards a.conv");
  document.body.classList.remove("has-thread");
  if (card) { card.focus({ preventScroll: true }); card.scrollIntoView({ block: "nearest" }); }
  else $("#cards")?.focus();
}

let isResolvingNext = false;
const keys = {
  j: () => moveTo(1), ArrowDown: () => moveTo(1), k: () => moveTo(-1), ArrowUp: () => moveTo(-1),
  "]": () => moveTo(1, true), "[": () => moveTo(-1, true),
  o: () => cardLink(currentCard() ?? cards()[0])?.click(),
  u: () => backToList(),
  E: () => { isResolvingNext = pressButton("e"); },
  "/": () => { const search = $("#search"); if (search) { document.body.classList.remove("has-thread"); search.focus(); search.select(); } },
  "?": () => openDialog($("#shortcuts")),
  z: undoLast, 1: () => correct(1), 2: () => correct(2), 3: () => correct(3), 4: chooseIntents,
  5: () => openLabels("emotion"), 6: () => openLabels("urgency"), 7: () => openLabels("toxicity"), w: () => openLabels("sentiment"),
  ".": () => openPalette(),
};

let awaitsGo = 0;
document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.defaultPrevented) return;
  const isControl = event.ctrlKey || event.metaKey;
  if (isControl && !event.altKey && event.key.toLowerCase() === "k") { event.preventDefault(); openPalette(); return; }
  const field = event.target.closest?.("textarea, input:not([type=checkbox], [type=radio]), select, [contenteditable]");
  if (isControl && event.key === "Enter" && event.target.matches?.("textarea")) { event.preventDefault(); sendForm(event.target.form, event.shiftKey); return; }
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") { leave(); return; }
  if (field || isControl || event.altKey && !event.getModifierState("AltGraph") || document.body.dataset.shortcuts === "off") return;
  if (event.target.closest?.("summary, [role=tab]") && (event.key === "Enter" || event.key.startsWith("Arrow"))) return;
  const now = Date.now();
  if (now - awaitsGo < 1200) {
    awaitsGo = 0;
    const link = $(`[data-go="${CSS.escape(event.key)}"]`);
    if (link) { event.preventDefault(); link.click(); return; }
  }
  if (event.key === "g") { awaitsGo = now; return; }
  if (event.key.startsWith("Arrow") && !event.target.closest?.("#cards, body:not(:focus-within)") && event.target !== document.body) return;
  const command = keys[event.key];
  if (command) { event.preventDefault(); command(); } else if (event.key.length === 1 && pressButton(event.key)) event.preventDefault();
});

function sendForm(form, isResolving) {
  if (!form) return;
  const button = (isResolving && $('[data-send="resolve"]', form)) || $('[data-send="send"]', form);
  if (button && !button.disabled) form.requestSubmit(button);
}

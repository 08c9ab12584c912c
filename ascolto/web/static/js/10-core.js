/* The frame's own behaviour: menus, dialogs, the rail, messages, the loading line. */
"use strict";
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

const actions = {
  "toggle-rail": (button) => {
    const isRail = document.documentElement.classList.toggle("is-rail");
    document.cookie = `rail=${isRail ? 1 : 0};path=/;max-age=31536000;samesite=lax`;
    button.setAttribute("aria-expanded", String(!isRail));
  },
  "open-palette": () => openPalette(),
  "open-shortcuts": () => openDialog($("#shortcuts")),
  "close-dialog": (button) => button.closest("dialog").close(),
  "close-toast": (button) => button.closest("[data-toast]").remove(),
};

function openDialog(dialog) {
  if (dialog && !dialog.open) dialog.showModal();
}

let lastSpoken = 0;
/* Tell a screen reader, at most once in ten seconds. */
function speak(text) {
  const now = Date.now();
  if (now - lastSpoken < 10000) return;
  lastSpoken = now;
  const live = $("#live");
  if (live) live.textContent = text;
}

function showToast(text, tone = "info") {
  const toasts = $("#toasts");
  if (!toasts) return;
  const toast = document.createElement("div");
  toast.className = `toast toast-${tone}`;
  toast.dataset.toast = "";
  const words = document.createElement("p");
  words.textContent = text;
  toast.append(words);
  toasts.append(toast);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (button && actions[button.dataset.action]) actions[button.dataset.action](button, event);
  for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  if (event.target instanceof HTMLDialogElement) event.target.close();
});

/* A panel inside a scrolling pane would be cut off: it is laid over the page, below its chip or above it. */
function placePanel(menu) {
  const panel = $(".menu-panel", menu);
  const chip = $("summary", menu).getBoundingClientRect();
  panel.classList.add("is-placed");
  const hasRoomBelow = chip.bottom + panel.offsetHeight + 12 < innerHeight;
  panel.style.top = `${hasRoomBelow ? chip.bottom + 4 : Math.max(8, chip.top - panel.offsetHeight - 4)}px`;
  panel.style.left = `${Math.max(8, Math.min(chip.left, innerWidth - panel.offsetWidth - 8))}px`;
}
document.addEventListener("scroll", (event) => {
  if (event.target.id === "messages") for (const menu of $$("#messages details.menu[open]")) menu.open = false;
}, true);

document.addEventListener("toggle", (event) => {
  const menu = event.target;
  if (!menu.matches?.("details.menu") || !menu.open) return;
  for (const other of $$("details.menu[open]")) if (other !== menu) other.open = false;
  if (menu.closest("#messages")) placePanel(menu);
  $(".menu-panel :is(input:not([type=hidden]), select, button, a)", menu)?.focus();
}, true);

/* Messages go by themselves, unless somebody is reading them or may still undo. */
new MutationObserver((changes) => {
  for (const change of changes) for (const node of change.addedNodes) {
    if (!(node instanceof HTMLElement)) continue;
    const leave = () => (node.matches(":hover, :focus-within") ? setTimeout(leave, 2000) : node.remove());
    setTimeout(leave, node.classList.contains("toast-bad") ? 12000 : $("[data-undo]", node) ? 10000 : 5000);
    while ($$("#toasts > [data-toast]").length > 3) $("#toasts > [data-toast]").remove();
  }
}).observe($("#toasts") ?? document.createElement("div"), { childList: true });

/* A request that never came through, or was answered by something before us, changes nothing on the screen. */
function tellFailed(event) {
  const stream = $("#stream");
  if (event.target.id === "stream" || !event.detail.ctx || !stream) return;
  isResolvingNext = false;
  showToast(stream.dataset.failed, "bad");
}
document.addEventListener("htmx:error", tellFailed);
document.addEventListener("htmx:before:response", (event) => {
  const { status, headers } = event.detail.ctx.response;
  if (status < 500 || headers.get("X-Request-ID")) return;
  event.preventDefault();
  tellFailed(event);
});

let requests = 0;
document.addEventListener("htmx:before:request", (event) => {
  if (event.target.id === "stream") return;
  requests += 1;
  document.documentElement.classList.add("is-loading");
});
document.addEventListener("htmx:finally:request", (event) => {
  if (event.target.id === "stream") return;
  requests = Math.max(0, requests - 1);
  if (!requests) document.documentElement.classList.remove("is-loading");
});

/* The inbox: which conversation is open, what moves the focus, and what arrives while it is shown. */
function showContext(isOpen) {
  document.body.classList.toggle("is-context-open", isOpen);
  if (isOpen && matchMedia("(max-width: 79.99rem)").matches) $("#context")?.focus();
}

function markOpened(id) {
  const inbox = $(".inbox");
  if (!inbox) return;
  inbox.dataset.opened = id;
  for (const link of $$("#cards a[aria-current]")) link.removeAttribute("aria-current");
  const card = id && $(`#card-${CSS.escape(id)}`);
  if (card) cardLink(card)?.setAttribute("aria-current", "true");
  document.body.classList.toggle("has-thread", Boolean(id));
}

Object.assign(actions, {
  "toggle-context": () => showContext(!document.body.classList.contains("is-context-open")),
  back: (_button, event) => { event.preventDefault(); backToList(); },
  "show-new": () => { const list = $("#cards"); list.scrollTop = 0; refreshList(true); },
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-reply-to]");
  if (link) sessionStorage.setItem("focus-reply", "1");
});

/* Back and forward change the open conversation only: the list, the live stream and its listeners stay. */
document.addEventListener("htmx:before:history:restore", (event) => {
  event.preventDefault();
  const place = /^\/inbox\/(\d+)(\?.*)?$/.exec(event.detail.path);
  if (!place || !$(".inbox")) { location.reload(); return; }
  htmx.ajax("GET", `/c/${place[1]}${place[2] ?? ""}`, { source: $("#thread"), target: "#thread", headers: { "HX-History-Restore-Request": "true" } });
});

/* After a conversation was swapped in: say where we are, move the focus, run the counter and the countdown. */
document.addEventListener("htmx:after:swap", (event) => {
  const context = event.detail.ctx;
  const isNext = isResolvingNext && /\/(resolve|reopen)(\?|$)/.test(context.request.action);
  if (isNext) isResolvingNext = false;
  if (context.target?.id !== "thread" || context.isElsewhere) { startCountdowns(); return; }
  const id = /^\/c\/(\d+)(?:\?|$)/.exec(context.request.action)?.[1];
  const isOpening = context.request.method === "GET";
  if (isOpening && id) {
    markOpened(id);
    const messages = $("#messages");
    messages.scrollTop = messages.scrollHeight;
    if (sessionStorage.getItem("focus-reply")) { sessionStorage.removeItem("focus-reply"); $("#reply-text")?.focus(); }
    else if (!isResolvingNext) $("#thread-name")?.focus({ preventScroll: true });
  }
  prepareComposer();
  startCountdowns();
  if (!isOpening) {
    const text = $("#reply-text");
    if (context.isNoting && $("#note-text")?.value.trim()) chooseTab("note");
    else if (context.response.status >= 400 && text) text.focus();
    else if (text?.value.trim()) text.focus();
    else if (!document.activeElement || document.activeElement === document.body) $("#messages")?.focus({ preventScroll: true });
    const last = $$("#messages .message").at(-1);
    if (/\/(reply|note)(\?|$)/.test(context.request.action)) last?.scrollIntoView({ block: "end" });
    if (isNext && context.response.status < 400) openNext();
  }
});

/* The labels of a post and the reasons for them are fetched when their menu is opened; then the panel has its size. */
function loadLabels(menu) {
  const task = wantedTask || "sentiment";
  wantedTask = "";
  /* Asked in the menu's own name: requests of the page queue behind each other, and drop what does not fit. */
  htmx.ajax("GET", `${menu.dataset.why}task=${task}`, { source: menu, target: `#${$(".label-panel", menu).id}`, swap: "innerHTML" });
}
document.addEventListener("toggle", (event) => {
  if (event.target.matches?.(".label-menu") && event.target.open) loadLabels(event.target);
}, true);
document.addEventListener("htmx:after:swap", (event) => {
  const panel = event.detail.ctx.target;
  if (!panel?.matches?.(".label-panel")) return;
  const menu = panel.closest("details.menu");
  if (!menu?.open) return;
  placePanel(menu);
  ($(".label-options [aria-current], .label-options :checked", panel) ?? $(".label-tab[aria-current]", panel))?.focus({ preventScroll: true });
});

function openNext() {
  const all = cards();
  const at = all.findIndex((card) => card.dataset.id === openedId());
  const next = all.slice(at + 1).find((card) => !card.classList.contains("is-done")) ?? all.find((card) => !card.classList.contains("is-done"));
  if (next) cardLink(next).click(); else backToList();
}

/* Countdown to the moment an answer leaves. */
function startCountdowns() {
  for (const item of $$("[data-countdown]")) {
    if (item.dataset.running) continue;
    item.dataset.running = "1";
    const end = Date.now() + Number(item.dataset.countdown);
    const tick = () => {
      if (!item.isConnected) return;
      const left = Math.ceil((end - Date.now()) / 1000);
      item.textContent = left > 0 ? item.dataset.words.replace("{}", left) : item.dataset.done;
      if (left > 0) setTimeout(tick, 250); else setTimeout(() => item.isConnected && refreshOpened(), 4000);
    };
    tick();
  }
}

/* Live: events say only what changed; pages are fetched as usual, at most every two seconds. Each kind is asked for
   in the name of a part of the page of its own: requests of one name wait for each other, and drop what does not fit. */
let listTimer = 0;
let lastList = 0;
let lists = 0;  // asked for
let newestList = 0;  // shown
let wantedList = 0;  // asked for by hand: it shows everything, whatever stands under the cursor
let countTimer = 0;
function scheduleList() {
  clearTimeout(listTimer);
  listTimer = setTimeout(() => refreshList(false), Math.max(250, 2000 - (Date.now() - lastList)));
}
function scheduleCounts() {
  clearTimeout(countTimer);
  countTimer = setTimeout(() => $("#views") && htmx.ajax("GET", `/inbox/counts${location.search}`, { source: $("#views"), target: "#live", swap: "none" }), 1500);
}
let openedTimer = 0;
function refreshOpened() {
  clearTimeout(openedTimer);
  openedTimer = setTimeout(() => {
    const id = openedId();
    if (id && $("#messages")) htmx.ajax("GET", `/c/${id}/live${location.search}`, { source: $("#context"), target: "#live", swap: "none" });
  }, 200);
}

/* What arrives live must not close a menu somebody has just opened: it waits until the menu is closed. */
document.addEventListener("htmx:before:swap", (event) => {
  if (!/^\/c\/\d+\/live(\?|$)/.test(event.detail.ctx.request.action) || !$(".inbox details.menu[open]")) return;
  event.preventDefault();
  clearTimeout(openedTimer);
  openedTimer = setTimeout(refreshOpened, 1500);
});

async function refreshList(isAsked) {
  const list = $("#cards");
  if (!list) return;
  lastList = Date.now();
  lists += 1;
  const number = lists;
  if (isAsked) wantedList = number;
  const answer = await fetch(`/inbox/list${location.search}`, { headers: { "HX-Request": "true", "HX-Request-Type": "partial" } }).catch(() => null);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(`<ol>${await answer.text()}</ol>`, "text/html");
  if (number < newestList) return;
  newestList = number;
  const isCalm = wantedList > 0 || (list.scrollTop < 8 && !list.matches(":hover") && !list.contains(document.activeElement));
  if (number >= wantedList) wantedList = 0;
  mergeCards(list, $$("[data-id]", fresh), $(".list-empty", fresh), isCalm);
}

function mergeCards(list, found, empty, isCalm) {
  let arrived = 0;
  let before = null;
  const ids = new Set(found.map((card) => card.dataset.id));
  for (const card of found) {
    const here = document.getElementById(card.id);
    if (here) {
      if (here.dataset.version !== card.dataset.version) replaceCard(here, card);
      before = document.getElementById(card.id);
      continue;
    }
    arrived += 1;
    if (!isCalm) continue;
    const node = document.adoptNode(card);
    if (before) before.after(node); else list.prepend(node);
    htmx.process(node);
    before = node;
  }
  if (isCalm) {
    /* What left this view goes, unless it is open: nothing is pulled away from under a reader. */
    for (const card of $$(":scope > [data-id]", list).slice(0, found.length + arrived)) {
      const isOpen = card.dataset.id === openedId();
      if (!ids.has(card.dataset.id) && !isOpen && !card.contains(document.activeElement) && !$("#more", list)) card.remove();
    }
  }
  if ((found.length || isCalm) && $(".list-empty", list) && found.length) $(".list-empty", list).remove();
  if (empty && !cards().length && !$(".list-empty", list)) list.append(document.adoptNode(empty));
  showPill(isCalm ? 0 : arrived);
  if (arrived) speak($("#new-pill").dataset.one.replace("{}", arrived));
}

function replaceCard(here, card) {
  const hadFocus = here.contains(document.activeElement);
  const isOpen = here.dataset.id === openedId();
  const node = document.adoptNode(card);
  here.replaceWith(node);
  if (isOpen) cardLink(node)?.setAttribute("aria-current", "true");
  htmx.process(node);
  if (hadFocus) cardLink(node)?.focus({ preventScroll: true });
}

function showPill(count) {
  const pill = $("#new-pill");
  if (!pill) return;
  pill.hidden = !count;
  $("span", pill).textContent = pill.dataset.one.replace("{}", count);
}

/* A bar above everything while the server is away ("lost") or knows us no more ("over"). */
function showOffline(kind) {
  const bar = $("#offline");
  if (!bar) return;
  bar.hidden = !kind;
  if (!kind) return;
  const time = new Date().toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
  $("p", bar).textContent = $("p", bar).dataset[kind].replace("{}", time);
  const link = $("a", bar);
  link.hidden = kind !== "over";
  link.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
}

const stream = $("#stream");
if (stream) {
  let isLost = false;
  const showLost = (isOver) => {
    isLost = true;
    delete stream.dataset.live;
    showOffline(isOver ? "over" : "lost");
  };
  stream.addEventListener("conversation", (event) => {
    const data = JSON.parse(event.detail.data || "{}");
    scheduleList();
    if (String(data.id) === openedId()) refreshOpened();
  });
  stream.addEventListener("reply", (event) => {
    const data = JSON.parse(event.detail.data || "{}");
    if (!data.id || String(data.id) === openedId()) refreshOpened();
    scheduleList();
  });
  stream.addEventListener("counts", scheduleCounts);
  stream.addEventListener("resync", () => {
    stream.dataset.live = "1";
    if (isLost) { isLost = false; showOffline(""); showToast(stream.dataset.back, "good"); }
    if (!$(".inbox")) return;
    scheduleList(); scheduleCounts(); refreshOpened();
  });
  stream.addEventListener("htmx:sse:error", (event) => {
    const isOver = event.detail.status === 401;
    if (isLost && !isOver) return;
    showLost(isOver);
  });
  /* Once it stood, the stream mends itself; a first try that failed is repeated here, unless the page is left. */
  stream.addEventListener("htmx:finally:request", (event) => {
    if (event.target !== stream || event.detail.ctx.extensionPromise) return;  // a promise of its end: it stands
    const isOver = event.detail.ctx.response?.status === 401;
    setTimeout(() => {
      if (!isLost || isOver) showLost(isOver);
      if (!isOver) htmx.ajax("GET", stream.getAttribute("hx-sse:connect"), { source: stream });
    }, 1000 + Math.random() * 2000);
  });
}

/* A conversation opened as a page of its own (a deep link, or before htmx was ready) takes the focus like any other. */
if (openedId() && document.activeElement === document.body) $("#thread-name")?.focus({ preventScroll: true });

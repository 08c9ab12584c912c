/* The command palette: what is on this page, found by typing. Every row shows its key, to teach it. */
let commands = [];
let chosen = 0;

function openPalette() {
  const dialog = $("#palette");
  if (!dialog || dialog.open) return;
  commands = $$("[data-command]").filter((item) => !item.closest("dialog") && (item.offsetParent || item.closest("details, .sidebar"))).map((item) => ({
    words: item.dataset.command, key: item.dataset.key ?? (item.dataset.go ? `g ${item.dataset.go}` : ""), run: () => (item.matches("input, select") ? pressButton(item.dataset.key) : item.click()),
  })).filter((command, at, all) => all.findIndex((other) => other.words === command.words) === at);
  openDialog(dialog);
  $("#palette-input").value = "";
  showCommands("");
}

function showCommands(text) {
  const list = $("#palette-list");
  const needle = text.trim().toLowerCase();
  const found = commands.filter((command) => command.words.toLowerCase().includes(needle)).slice(0, 12);
  if (needle) found.push({
    words: list.dataset.search.replace("{}", text.trim()), key: "/", run: () => { location.href = `/inbox?q=${encodeURIComponent(text.trim())}`; },
  });
  chosen = 0;
  list.replaceChildren(...found.map((command, index) => {
    const row = document.createElement("li");
    row.className = "menu-item";
    row.id = `command-${index}`;
    row.role = "option";
    row.append(command.words);
    if (command.key) { const key = document.createElement("kbd"); key.textContent = command.key; row.append(key); }
    row.addEventListener("click", () => { $("#palette").close(); command.run(); });
    return row;
  }));
  if (!found.length) { const none = document.createElement("li"); none.className = "menu-item"; none.textContent = list.dataset.none; list.append(none); }
  chooseCommand(0);
}

function chooseCommand(index) {
  const rows = $$("#palette-list [role=option]");
  if (!rows.length) return;
  chosen = (index + rows.length) % rows.length;
  rows.forEach((row, at) => row.setAttribute("aria-selected", String(at === chosen)));
  rows[chosen].scrollIntoView({ block: "nearest" });
  $("#palette-input").setAttribute("aria-activedescendant", rows[chosen].id);
}

$("#palette-input")?.addEventListener("input", (event) => showCommands(event.target.value));
$("#palette-input")?.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") { chooseCommand(chosen + (event.key === "ArrowDown" ? 1 : -1)); event.preventDefault(); }
  if (event.key === "Enter") { $$("#palette-list [role=option]")[chosen]?.click(); event.preventDefault(); }
});

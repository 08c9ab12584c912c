// A passphrase's strength in words, while it is typed. Only advice: the server decides, and pasting is welcome.
document.addEventListener("input", (event) => {
  const field = event.target.closest("[data-meter]");
  if (!field) return;
  const row = document.getElementById(field.dataset.meter);
  const text = field.value;
  row.hidden = text === "";
  const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\p{N}/u, /[^\p{L}\p{N}\s]/u].filter((kind) => kind.test(text)).length;
  const words = new Set(text.toLowerCase().split(/[\s\-_.]+/).filter((word) => word.length > 2)).size;
  const variety = new Set(text.toLowerCase()).size;
  const points = text.length + 3 * (kinds - 1) + 3 * Math.max(0, words - 1);
  const isPoor = variety < 6 || /^(password|passphrase|qwerty|12345)/i.test(text);
  const level = text.length < 10 ? 0 : isPoor ? 1 : points < 18 ? 2 : points < 26 ? 3 : 4;
  row.querySelector("meter").value = level;
  row.querySelector("[role=status]").textContent = row.dataset.words.split("|")[level];
});

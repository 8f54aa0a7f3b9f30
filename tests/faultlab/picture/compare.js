// The dialog in which a cell opens, the keyboard in the map, and its filter.
const packed = Uint8Array.from(atob(document.getElementById("data").textContent), (c) => c.charCodeAt(0));
const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
const data = await new Response(unpacked).json();
const dialog = document.getElementById("cell");
const body = document.getElementById("cell-body");
const links = [...document.querySelectorAll(".map td a")];
const linkTo = (hash) => links.find((link) => link.hash === hash);

function show(cell) {
  const [symbol, css] = data.verdicts[cell.verdict];
  const id = [cell.twin, cell.operation, cell.seam, cell.fault, cell.client].join("/");
  const unexpected = cell.verdict === cell.expected ? "" : `<p class="alarm"><b>! Not as predicted:</b> the rules predicted <b>${escaped(cell.expected)}</b>.</p>`;
  const events = cell.events ? `<div class="sequence" tabindex="0" role="group" aria-label="Sequence diagram">${new Sequence(cell, data.lanes[cell.twin]).svg()}</div>
    <details><summary>The same as text</summary><table class="story">${tableRows(cell)}</table></details>` : "<p>Of this run only the verdicts were kept.</p>";
  body.innerHTML = `<h2 id="cell-name">${escaped(cell.operation)} · ${escaped(data.titles[cell.twin])}</h2>
    <p>Held at the seam <b>${escaped(cell.seam)}</b>. Fault: <b>${escaped(cell.fault)}</b>. The client <b>${escaped(cell.client)}</b>.</p>
    <p class="why"><span class="chip v-${css}">${symbol} ${escaped(cell.verdict)}</span> ${escaped(cell.because)}</p>${unexpected}${events}
    <p>Repeat it: <code>make compare ONLY="${escaped(id)}"</code></p>`;
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

function showAddressed() {
  const cell = data.cells[decodeURIComponent(location.hash.slice(1))];
  if (cell) show(cell);
  else if (dialog.open) dialog.close();
}
function step(by) {
  const now = links.indexOf(linkTo(location.hash));
  location.replace(links[(now + by + links.length) % links.length].hash);
}
addEventListener("hashchange", showAddressed);
document.getElementById("before").addEventListener("click", () => step(-1));
document.getElementById("after").addEventListener("click", () => step(1));
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by && !event.target.closest(".sequence")) step(by);
});
dialog.addEventListener("close", () => {
  const link = linkTo(location.hash);
  history.replaceState(null, "", location.pathname + location.search);
  if (link) { link.tabIndex = 0; link.focus(); }
});

// One tab stop per panel, arrows within it; otherwise the keyboard would have to walk through every cell of the map.
for (const map of document.querySelectorAll(".map")) {
  const rows = [...map.tBodies[0].rows].map((row) => [...row.querySelectorAll("a")]).filter((row) => row.length);
  rows.flat().forEach((link, n) => { link.tabIndex = n ? -1 : 0; });
  map.addEventListener("keydown", (event) => {
    const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] || [];
    if (down === undefined || !event.target.matches("a")) return;
    event.preventDefault();
    const at = event.target, left = at.getBoundingClientRect().left, row = rows.findIndex((links) => links.includes(at));
    const beyond = down < 0 ? rows.slice(0, row).reverse() : rows.slice(row + 1);
    const below = beyond.flat().find((link) => Math.abs(link.getBoundingClientRect().left - left) < 6);
    const next = down ? below : rows.flat()[rows.flat().indexOf(at) + right];
    if (next) { at.tabIndex = -1; next.tabIndex = 0; next.focus(); }
  });
}
const filters = [...document.querySelectorAll("[data-only]")];
for (const button of filters) {
  button.addEventListener("click", () => {
    const only = button.getAttribute("aria-pressed") === "true" ? "" : button.dataset.only;
    filters.forEach((other) => other.setAttribute("aria-pressed", String(other.dataset.only === only)));
    document.body.classList.toggle("filtered", Boolean(only));
    document.querySelectorAll(".map td").forEach((td) => td.classList.toggle("chosen", td.classList.contains(`v-${only}`)));
  });
}
document.documentElement.classList.add("scripted");
showAddressed();

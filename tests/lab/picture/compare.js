// The map and the dialog in which a cell opens.
const dialog = document.getElementById("cell");
const body = document.getElementById("cell-body");
const links = [...document.querySelectorAll(".map td a")];
const linkTo = (hash) => links.find((link) => link.hash === hash);

function show(anchor) {
  const cell = read(anchor);
  const [symbol, css] = data.verdicts[cell.verdict];
  const unexpected = cell.verdict === cell.expected ? "" : `<p class="alarm"><b>! Not as foretold:</b> the rules foretold <b>${escaped(cell.expected)}</b>.</p>`;
  const events = cell.items.length ? `<div class="sequence" tabindex="0" role="group" aria-label="Sequence diagram">${new Sequence(cell).svg()}</div>
    <details><summary>The same as text</summary><table class="story">${tableRows(cell)}</table></details>` : "<p>Its events were not kept.</p>";
  body.innerHTML = `<h2 id="cell-name">${escaped(cell.operation)} · ${escaped(data.titles[cell.twin])}</h2>
    <p>Held at the seam <b>${escaped(cell.seam)}</b>. Fault: <b>${escaped(cell.fault)}</b>. The client <b>${escaped(cell.client)}</b>.</p>
    <p class="why"><span class="chip v-${css}">${symbol} ${escaped(cell.verdict)}</span> ${escaped(cell.because)}</p>${unexpected}${events}
    <p>Repeat it: <code>make compare ONLY="${escaped(cell.id)}"</code></p>`;
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

function showAddressed() {
  const anchor = decodeURIComponent(location.hash.slice(1));
  if (data.cells[anchor]) show(anchor);
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
  if (event.target.closest(".sequence")) return;
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
dialog.addEventListener("close", () => {
  const link = linkTo(location.hash);
  history.replaceState(null, "", location.pathname + location.search);
  if (link) { link.tabIndex = 0; link.focus(); }
});

// One tab stop per panel, arrows within it; otherwise the keyboard would have to walk through every cell of the map.
for (const map of document.querySelectorAll(".map")) {
  const grid = [...map.tBodies[0].rows].map((row) => [...row.querySelectorAll("a")]);
  const cells = grid.flat();
  cells.forEach((link, n) => { link.tabIndex = n ? -1 : 0; });
  map.addEventListener("keydown", (event) => {
    const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] || [];
    if (down === undefined || !event.target.matches("a")) return;
    event.preventDefault();
    const at = event.target, left = at.getBoundingClientRect().left;
    let next = right ? cells[cells.indexOf(at) + right] : null;
    for (let r = grid.findIndex((row) => row.includes(at)) + down; down && !next && grid[r]; r += down) {
      next = grid[r].find((link) => Math.abs(link.getBoundingClientRect().left - left) < 6);
    }
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

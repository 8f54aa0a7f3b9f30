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
  const unexpected = cell.odd ? `<p class="card alarm"><b>! Not as predicted:</b> ${escaped(cell.odd)}</p>` : "";
  const events = cell.events
    ? `<div class="sequence" tabindex="0" role="group" aria-label="Sequence diagram">${new Sequence(cell, data.lanes[`${cell.twin}/${cell.operation}`]).svg()}</div>
    <details><summary>The same as text</summary><table class="story">${tableRows(cell)}</table></details>`
    : "<p>Of this run only the verdicts were kept.</p>";
  body.innerHTML = `<h2 id="cell-name">${escaped(cell.operation)} · ${escaped(data.titles[cell.twin])}</h2>
    <p>Held at the seam <b>${escaped(cell.seam)}</b>. Fault: <b>${escaped(cell.fault)}</b>. The client <b>${escaped(cell.client)}</b>.</p>
    <p><span class="chip v-${css}">${symbol} ${escaped(cell.verdict)}</span> ${escaped(cell.because)}</p>${unexpected}${events}
    <p>Repeat it: <code>${escaped(cell.command)}</code></p>`;
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
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
dialog.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by && !event.target.closest(".sequence")) step(by);
});
dialog.addEventListener("close", () => {
  const link = linkTo(location.hash);
  history.replaceState(null, "", location.pathname + location.search);
  if (link) {
    link.tabIndex = 0;
    link.focus();
  }
});

// One tab stop per panel, arrows within it; otherwise the keyboard would have to walk through every cell of the map.
for (const map of document.querySelectorAll(".map")) {
  const inMap = [...map.querySelectorAll("td a")];
  const left = (link) => link.getBoundingClientRect().left;
  inMap.forEach((link, n) => {
    link.tabIndex = n ? -1 : 0;
  });
  map.addEventListener("keydown", (event) => {
    const by = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const at = event.target;
    if (!by || !inMap.includes(at)) return;
    event.preventDefault();
    const inRow = event.key === "ArrowLeft" || event.key === "ArrowRight";
    const line = inRow ? inMap : inMap.filter((link) => Math.abs(left(link) - left(at)) < 6);
    const next = line[line.indexOf(at) + by];
    if (next) {
      at.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    }
  });
}

const filters = [...document.querySelectorAll("[data-only]")];
for (const button of filters) {
  button.addEventListener("click", () => {
    const only = button.getAttribute("aria-pressed") === "true" ? "" : button.dataset.only;
    for (const other of filters) other.setAttribute("aria-pressed", String(other.dataset.only === only));
    document.body.classList.toggle("filtered", Boolean(only));
    for (const td of document.querySelectorAll(".map td")) {
      td.classList.toggle("chosen", td.classList.contains(`v-${only}`));
    }
  });
}
document.documentElement.classList.add("scripted");
showAddressed();

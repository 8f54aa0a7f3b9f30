"use strict";
// Opens a cell: what the recorded events of that very run say, as a sequence diagram and as text.
const data = JSON.parse(document.getElementById("data").textContent);
const dialog = document.getElementById("cell");
const body = document.getElementById("cell-body");
const order = [...document.querySelectorAll(".map td a")].map((link) => link.hash.slice(1));
const word = (number) => data.words[number];
const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const time = (ms) => (ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(3)} s`);
const rows = (n) => (n === 1 ? "applied once" : n === 2 ? "applied twice" : n ? `applied ${n} times` : "not applied");
const NEWS = { ok: "told: it worked", fail: "told: it failed", pending: "told: it will happen", unknown: "told nothing" };

function read(anchor) {
  const [words, told, [effect, rowsWhenHeld], events] = data.cells[anchor];
  const [twin, operation, seam, fault, client, verdict, expected, because] = words.map(word);
  const items = events.map(([at, link, direction, kind, label]) => ({ at, link: word(link), direction, kind: word(kind), label: word(label) }));
  const asked = new Set(items.filter((item) => item.direction === 1).map((item) => `${item.link} ${item.label}`));
  for (const item of items) {
    item.text = item.direction === 2 && asked.has(`${item.link} ${item.label}`) ? `answer to ${item.label}` : item.label;
  }
  const held = items.find((item) => item.kind === "held");
  if (held && rowsWhenHeld !== null) items.push({ at: held.at, kind: "rows", text: rows(rowsWhenHeld) });
  told.forEach(([at, outcome, detail], n) => {
    const which = told.length > 1 ? `${n + 1}. ` : "";
    items.push({ at, kind: "told", text: `${which}${NEWS[word(outcome)]}${word(detail) ? ` (${word(detail)})` : ""}` });
  });
  items.sort((a, b) => a.at - b.at); // stable: what was recorded in one moment keeps its order
  return { anchor, twin, operation, seam, fault, client, verdict, expected, because, effect, items };
}

function clip(text, room) {
  const letters = Math.max(6, Math.floor(room / 6.6));
  return text.length <= letters ? escaped(text) : `${escaped(text.slice(0, letters - 1))}…<title>${escaped(text)}</title>`;
}

function draw(cell) {
  const lanes = data.lanes[cell.twin];
  const gutter = 74, width = 1080, gap = (width - gutter) / lanes.length;
  const x = (lane) => gutter + gap * (lanes.indexOf(lane) + 0.5);
  const out = [], gone = {}, dead = [];
  let y = 52, last = 0;
  const put = (svg) => out.push(svg);
  const say = (cx, text, room, css = "", dy = -5) => put(`<text x="${cx}" y="${y + dy}" text-anchor="middle" class="${css}">${clip(text, room)}</text>`);
  const line = (a, b, css) => put(`<line x1="${a}" y1="${y}" x2="${b}" y2="${y}" class="${css}"/>`);
  const tip = (to, from, css = "tip") => { const d = to > from ? -8 : 8; put(`<path d="M${to} ${y}l${d} -4v8z" class="${css}"/>`); };
  const cross = (cx) => put(`<path d="M${cx - 6} ${y - 6}l12 12m0 -12l-12 12" class="m bad" stroke-width="3"/>`);
  const box = (cx, text, css, room) => {
    const w = Math.min(room, text.length * 6.9 + 18);
    const left = Math.max(gutter, Math.min(width - w - 4, cx - w / 2));
    put(`<rect x="${left}" y="${y - 15}" width="${w}" height="22" rx="6" class="${css}"/>`);
    put(`<text x="${left + w / 2}" y="${y}" text-anchor="middle">${clip(text, w - 8)}</text>`);
  };

  for (const item of cell.items) {
    const across = item.kind === "fault" || item.kind === "heal";
    const ends = data.ends[item.link] || [];
    y += across || item.kind === "told" ? 34 : 27;
    if (item.at - last > 300) { put(`<text x="${gutter - 8}" y="${y - 5}" class="t" text-anchor="end">⋮</text>`); y += 16; }
    last = item.at;
    put(`<text x="${gutter - 8}" y="${y + 4}" class="t" text-anchor="end">${time(item.at)}</text>`);
    if (across) {
      const w = item.text.length * 7.6 + 40;
      line(gutter, width, item.kind);
      put(`<rect x="${(gutter + width - w) / 2}" y="${y - 10}" width="${w}" height="20" class="band"/>`);
      put(`<text x="${(gutter + width) / 2}" y="${y + 4}" text-anchor="middle" class="${item.kind}">${item.kind === "fault" ? "✕" : "✓"} ${escaped(item.text)}</text>`);
      for (const lane of item.link === "everything" ? lanes.slice(1) : lanes.filter((name) => name === item.link)) {
        if (item.kind === "fault") gone[lane] ??= y;
        else if (lane in gone) { dead.push([lane, gone[lane], y]); delete gone[lane]; }
      }
    } else if (item.kind === "told") box(x("client"), item.text, "told", gap * 1.6);
    else if (item.kind === "rows") box(x("database"), item.text, "rows", gap * 1.6);
    else if (ends.length && item.direction) {
      const [from, to] = (item.direction === 1 ? ends : [...ends].reverse()).map(x);
      const middle = (from + to) / 2, room = Math.abs(to - from) - 16, quiet = Math.abs(to - from);
      if (item.kind === "held" || item.kind === "stalled") {
        line(from, middle, "m"); put(`<line x1="${middle}" y1="${y - 8}" x2="${middle}" y2="${y + 8}" class="hold"/>`);
        say(middle, `${item.text} ${item.kind}`, quiet, "held", -11);
      } else if (item.kind === "released") {
        line(middle, to, "m"); tip(to, from); say(middle, `${item.text} let go`, room, "held");
      } else if (item.kind === "dropped" || item.kind === "reset") {
        line(from, middle, "m"); cross(middle); say(middle, `${item.text} ${item.kind === "reset" ? "cut off" : "dropped"}`, quiet, "bad", -10);
      } else if (item.kind === "lost") {
        line(from, to, "m wait"); cross(to); say(middle, `${item.text}: nobody there`, room, "bad");
      } else if (item.kind === "passed") {
        line(from, to, "m"); tip(to, from); say(middle, item.text, room);
      } else say(middle, item.kind === "ended" ? item.text : `${item.text} (${item.kind})`, quiet, "quiet", 4);
    } else {
      const [from, to] = ends.length ? ends.map(x) : [gutter, width];
      const bad = ["reset", "refused", "blackholed", "not understood"].includes(item.kind);
      if (bad && ends.length) { line(from, to, "m bad wait"); cross((from + to) / 2); }
      const what = item.kind === "reset" ? item.text || "connection reset" : ["opened", "closed", "refused"].includes(item.kind) ? `connection ${item.kind}` : item.kind === "blackholed" ? "nothing gets through" : `${item.kind} ${item.text}`;
      say((from + to) / 2, what, to - from, bad ? "bad" : "quiet", bad ? -10 : 4);
    }
  }
  y += 40;
  put(`<text x="${gutter - 8}" y="${y}" class="t" text-anchor="end">in the end</text>`);
  box(x("database"), rows(cell.effect), "rows", gap * 1.6);
  for (const [lane, from] of Object.entries(gone)) dead.push([lane, from, y + 20]);
  const height = y + 24;
  const heads = lanes.map((lane) => `<line x1="${x(lane)}" y1="36" x2="${x(lane)}" y2="${height}" class="lane"/><rect x="${x(lane) - 52}" y="8" width="104" height="28" rx="7" class="head"/><text x="${x(lane)}" y="27" text-anchor="middle">${escaped(lane)}</text>`);
  const off = dead.map(([lane, from, to]) => `<line x1="${x(lane)}" y1="${from}" x2="${x(lane)}" y2="${to}" stroke="var(--card)" stroke-width="4"/><line x1="${x(lane)}" y1="${from}" x2="${x(lane)}" y2="${to}" class="lane gone"/>`);
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Sequence of the messages; the same follows as text">${heads.join("")}${off.join("")}${out.join("")}</svg>`;
}

function tell(cell) {
  return cell.items.map((item) => {
    const ends = data.ends[item.link] || [];
    const [from, to] = item.direction === 2 ? [...ends].reverse() : ends;
    const way = ends.length ? ` <span class="dim">${escaped(from)} ${item.direction ? "→" : "–"} ${escaped(to)}</span>` : "";
    const what = item.kind === "told" ? "the client: " : item.kind === "rows" || item.kind === "passed" ? "" : `${item.kind}: `;
    return `<tr><td>${time(item.at)}</td><td>${escaped(what)}${escaped(item.text || item.kind)}${way}</td></tr>`;
  }).join("");
}

function show(anchor) {
  if (!data.cells[anchor]) return;
  const cell = read(anchor);
  const [symbol, css] = data.verdicts[cell.verdict];
  const id = [cell.twin, cell.operation, cell.seam, cell.fault, cell.client].join("/");
  const odd = cell.verdict === cell.expected ? "" : `<p class="alarm"><b>! Not as expected:</b> the rules foretold <b>${escaped(cell.expected)}</b>.</p>`;
  body.innerHTML = `<h2 id="cell-name">${escaped(cell.operation)} · ${escaped(data.names[cell.twin])}</h2>
    <p>Held: <b>${escaped(cell.seam)}</b>. Fault: <b>${escaped(cell.fault)}</b>. The client <b>${escaped(cell.client)}</b>.</p>
    <p class="why"><span class="chip v-${css}">${symbol} ${escaped(cell.verdict)}</span> ${escaped(cell.because)}</p>${odd}
    <div class="sequence" tabindex="0" role="group" aria-label="Sequence diagram">${draw(cell)}</div>
    <details><summary>The same as text</summary><table class="story">${tell(cell)}</table></details>
    <p>Repeat it: <code>make compare ONLY="${escaped(id)}"</code></p>`;
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

function open() {
  const anchor = decodeURIComponent(location.hash.slice(1));
  if (data.cells[anchor]) show(anchor);
  else if (dialog.open) dialog.close();
}
function step(by) {
  const now = order.indexOf(location.hash.slice(1));
  location.replace(`#${order[(now + by + order.length) % order.length]}`);
}
addEventListener("hashchange", open);
document.getElementById("before").addEventListener("click", () => step(-1));
document.getElementById("after").addEventListener("click", () => step(1));
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("keydown", (event) => {
  if (event.target.closest(".sequence")) return;
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
dialog.addEventListener("close", () => {
  const link = [...document.querySelectorAll(".map td a")].find((other) => other.hash === location.hash);
  history.replaceState(null, "", location.pathname + location.search);
  if (link) { link.tabIndex = 0; link.focus(); }
});

// One tab stop per panel, arrows within it; otherwise the keyboard would have to walk through every cell of the map.
for (const map of document.querySelectorAll(".map")) {
  const grid = [...map.tBodies[0].rows].map((row) => [...row.querySelectorAll("a")]);
  grid.flat().forEach((link, n) => { link.tabIndex = n ? -1 : 0; });
  map.addEventListener("keydown", (event) => {
    const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] || [];
    if (down === undefined || !event.target.matches("a")) return;
    event.preventDefault();
    const at = event.target, links = grid.flat(), box = at.getBoundingClientRect();
    let next = right ? links[links.indexOf(at) + right] : null;
    for (let r = grid.findIndex((row) => row.includes(at)) + down; down && !next && grid[r]; r += down) {
      next = grid[r].find((link) => Math.abs(link.getBoundingClientRect().left - box.left) < 6);
    }
    if (next) { at.tabIndex = -1; next.tabIndex = 0; next.focus(); }
  });
}
for (const button of document.querySelectorAll("[data-only]")) {
  button.addEventListener("click", () => {
    const on = document.body.dataset.only === button.dataset.only ? "" : button.dataset.only;
    if (on) document.body.dataset.only = on; else delete document.body.dataset.only;
    document.querySelectorAll("[data-only][aria-pressed]").forEach((other) => other.setAttribute("aria-pressed", String(other.dataset.only === on)));
    document.querySelectorAll(".map td").forEach((td) => td.classList.toggle("chosen", td.classList.contains(`v-${on}`)));
  });
}
document.documentElement.classList.add("scripted");
open();

"use strict";
// A cell's recorded events, and the sequence diagram of them.
const data = JSON.parse(document.getElementById("data").textContent);
const textOf = (number) => data.texts[number];
const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const time = (ms) => (ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(3)} s`);
const applied = (n) => (n === 1 ? "applied once" : n === 2 ? "applied twice" : n ? `applied ${n} times` : "not applied");
const OUTCOMES = { ok: "told: it worked", fail: "told: it failed", pending: "told: it will happen", unknown: "told nothing" };

// A link is called "one to other", and may name Restate's entrance; what has no link happened to a process or to all.
function endsOf(link) {
  const ends = link.split(" to ").map((end) => (end === "ingress" ? "Restate" : end));
  return ends.length === 2 ? ends : [];
}

function read(anchor) {
  const [names, outcomes, [effect, rowsWhenHeld], events] = data.cells[anchor];
  const [twin, operation, seam, fault, client, verdict, expected, because] = names.map(textOf);
  const items = events.map(([at, link, direction, kind, label]) => ({ at, link: textOf(link), ends: endsOf(textOf(link)), direction, kind: textOf(kind), label: textOf(label) }));
  const requests = new Set(items.filter((item) => item.direction === 1).map((item) => `${item.link} ${item.label}`));
  for (const item of items) {
    item.text = item.direction === 2 && requests.has(`${item.link} ${item.label}`) ? `answer to ${item.label}` : item.label;
    if (item.direction === 2) item.ends.reverse();
  }
  const held = items.find((item) => item.kind === "held");
  if (held && rowsWhenHeld !== null) items.push({ at: held.at, ends: [], kind: "rows", text: applied(rowsWhenHeld) });
  outcomes.forEach(([at, outcome, detail], n) => {
    const which = outcomes.length > 1 ? `${n + 1}. ` : "";
    items.push({ at, ends: [], kind: "told", text: `${which}${OUTCOMES[textOf(outcome)]}${textOf(detail) ? ` (${textOf(detail)})` : ""}` });
  });
  items.sort((a, b) => a.at - b.at); // stable: what was recorded in one moment keeps its order
  return { twin, operation, seam, fault, client, verdict, expected, because, effect, items, id: [twin, operation, seam, fault, client].join("/") };
}

const GUTTER = 74, WIDTH = 1080;

class Sequence {
  constructor(cell) {
    this.lanes = data.lanes[cell.twin];
    this.gap = (WIDTH - GUTTER) / this.lanes.length;
    this.parts = [];
    this.goneSince = {}; // lane: from where its process is gone
    this.gone = [];
    this.y = 52;
    let last = 0;
    for (const item of cell.items) {
      this.advance(item, last);
      last = item.at;
      if (item.kind === "fault" || item.kind === "heal") this.addFault(item);
      else if (item.kind === "told") this.addBox("client", item.text, "told");
      else if (item.kind === "rows") this.addBox("database", item.text, "rows");
      else if (item.ends.length && item.direction) this.addMessage(item);
      else this.addConnection(item);
    }
    if (cell.effect !== null) this.addEnd(cell.effect);
  }

  add(svg) { this.parts.push(svg); }
  x(lane) { return GUTTER + this.gap * (this.lanes.indexOf(lane) + 0.5); }
  addLine(from, to, css) { this.add(`<line x1="${from}" y1="${this.y}" x2="${to}" y2="${this.y}" class="${css}"/>`); }
  addTip(to, from) { this.add(`<path d="M${to} ${this.y}l${to > from ? -8 : 8} -4v8z" class="tip"/>`); }
  addCross(x) { this.add(`<path d="M${x - 6} ${this.y - 6}l12 12m0 -12l-12 12" class="m bad" stroke-width="3"/>`); }
  addTime(text, dy = 0) { this.add(`<text x="${GUTTER - 8}" y="${this.y + dy}" class="t" text-anchor="end">${text}</text>`); }
  addText(x, text, room, css = "", dy = -5) {
    const letters = Math.max(6, Math.floor(room / 6.6));
    const shown = text.length <= letters ? escaped(text) : `${escaped(text.slice(0, letters - 1))}…<title>${escaped(text)}</title>`;
    this.add(`<text x="${x}" y="${this.y + dy}" text-anchor="middle" class="${css}">${shown}</text>`);
  }
  addBox(lane, text, css) {
    const width = Math.min(this.gap * 1.6, text.length * 6.9 + 18);
    const left = Math.max(GUTTER, Math.min(WIDTH - width - 4, this.x(lane) - width / 2));
    this.add(`<rect x="${left}" y="${this.y - 15}" width="${width}" height="22" rx="6" class="${css}"/>`);
    this.addText(left + width / 2, text, width - 8, "", 0);
  }

  advance(item, last) {
    this.y += ["fault", "heal", "told"].includes(item.kind) ? 34 : 27;
    if (item.at - last > 300) { this.addTime("⋮", -5); this.y += 16; }
    this.addTime(time(item.at), 4);
  }

  addFault({ kind, text, link }) {
    const width = text.length * 7.6 + 40, middle = (GUTTER + WIDTH) / 2;
    this.addLine(GUTTER, WIDTH, kind);
    this.add(`<rect x="${middle - width / 2}" y="${this.y - 10}" width="${width}" height="20" class="band"/>`);
    this.addText(middle, `${kind === "fault" ? "✕" : "✓"} ${text}`, WIDTH, kind, 4);
    for (const lane of link === "everything" ? this.lanes.slice(1) : this.lanes.filter((name) => name === link)) {
      if (kind === "fault") this.goneSince[lane] ??= this.y;
      else this.comeBack(lane, this.y);
    }
  }

  comeBack(lane, y) {
    if (lane in this.goneSince) this.gone.push([lane, this.goneSince[lane], y]);
    delete this.goneSince[lane];
  }

  addMessage({ kind, text, ends }) {
    const [from, to] = ends.map((lane) => this.x(lane));
    const middle = (from + to) / 2, whole = Math.abs(to - from), room = whole - 16;
    if (kind === "held" || kind === "stalled") {
      this.addLine(from, middle, "m");
      this.add(`<line x1="${middle}" y1="${this.y - 8}" x2="${middle}" y2="${this.y + 8}" class="hold"/>`);
      this.addText(middle, `${text} ${kind}`, whole, "held", -11);
    } else if (kind === "released") {
      this.addLine(middle, to, "m"); this.addTip(to, from); this.addText(middle, `${text} let go`, room, "held");
    } else if (kind === "dropped" || kind === "reset") {
      this.addLine(from, middle, "m"); this.addCross(middle); this.addText(middle, `${text} ${kind === "reset" ? "cut off" : "dropped"}`, whole, "bad", -10);
    } else if (kind === "lost") {
      this.addLine(from, to, "m wait"); this.addCross(to); this.addText(middle, `${text}: nobody there`, room, "bad");
    } else if (kind === "passed") {
      this.addLine(from, to, "m"); this.addTip(to, from); this.addText(middle, text, room);
    } else this.addText(middle, `${text} (${kind})`, whole, "quiet", 4);
  }

  addConnection({ kind, text, ends }) {
    const [from, to] = ends.length ? ends.map((lane) => this.x(lane)) : [GUTTER, WIDTH];
    const bad = ["reset", "refused", "blackholed", "not understood"].includes(kind);
    if (bad && ends.length) { this.addLine(from, to, "m bad wait"); this.addCross((from + to) / 2); }
    const named = { reset: text || "connection reset", opened: "connection opened", closed: "connection closed", refused: "connection refused", blackholed: "nothing gets through" };
    this.addText((from + to) / 2, named[kind] || `${kind} ${text}`, Math.abs(to - from), bad ? "bad" : "quiet", bad ? -10 : 4);
  }

  addEnd(effect) {
    this.y += 40;
    this.addTime("in the end");
    this.addBox("database", applied(effect), "rows");
  }

  svg() {
    const height = this.y + 24;
    for (const lane of Object.keys(this.goneSince)) this.comeBack(lane, this.y + 20);
    const heads = this.lanes.map((lane) => `<line x1="${this.x(lane)}" y1="36" x2="${this.x(lane)}" y2="${height}" class="lane"/><rect x="${this.x(lane) - 52}" y="8" width="104" height="28" rx="7" class="head"/><text x="${this.x(lane)}" y="27" text-anchor="middle">${escaped(lane)}</text>`);
    const gone = this.gone.map(([lane, from, to]) => `<line x1="${this.x(lane)}" y1="${from}" x2="${this.x(lane)}" y2="${to}" stroke="var(--card)" stroke-width="4"/><line x1="${this.x(lane)}" y1="${from}" x2="${this.x(lane)}" y2="${to}" class="lane gone"/>`);
    return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Sequence of the messages; the same follows as text">${heads.join("")}${gone.join("")}${this.parts.join("")}</svg>`;
  }
}

function tableRows(cell) {
  return cell.items.map(({ at, kind, text, ends, direction }) => {
    const link = ends.length ? ` <span class="dim">${escaped(ends[0])} ${direction ? "→" : "–"} ${escaped(ends[1])}</span>` : "";
    const what = kind === "told" ? "the client: " : kind === "rows" || kind === "passed" ? "" : `${kind}: `;
    return `<tr><td>${time(at)}</td><td>${escaped(what)}${escaped(text || kind)}${link}</td></tr>`;
  }).join("");
}

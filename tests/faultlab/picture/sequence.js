// The sequence diagram of a cell, from its recorded events.
const GUTTER = 74,
  WIDTH = 1080;
const OUTCOMES = {
  ok: "told: it worked",
  fail: "told: it failed",
  pending: "told: it will happen",
  unknown: "told nothing",
};
const escaped = (text) =>
  String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const time = (ms) => (ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(3)} s`);
const applied = (n, half) =>
  half || (n === 1 ? "applied once" : n === 2 ? "applied twice" : n ? `applied ${n} times` : "not applied");

// What happened, in order: messages, the fault and its end, what the client was told, and what was in the database.
function itemsOf(cell) {
  const requests = new Set();
  const items = cell.events.map(({ at, kind, link = "", direction, label: text = "" }) => {
    if (!direction) return { at, kind, text, process: link };
    // The entrance is a part of Restate.
    const lanes = link.split(" to ").map((end) => (end === "ingress" ? "Restate" : end));
    if (direction === "to server") {
      requests.add(link + text);
      return { at, kind, text, lanes };
    }
    return { at, kind, text: requests.has(link + text) ? `answer to ${text}` : text, lanes: lanes.reverse() };
  });
  const held = items.find((item) => item.kind === "held");
  if (held && "effect_when_held" in cell)
    items.push({ at: held.at, kind: "rows", text: applied(cell.effect_when_held, cell.half_when_held) });
  cell.answers.forEach(({ at, outcome, detail }, n) => {
    const number = cell.answers[1] ? `${n + 1}. ` : "";
    items.push({ at, kind: "told", text: `${number}${OUTCOMES[outcome]}${detail ? ` (${detail})` : ""}` });
  });
  return items.sort((a, b) => a.at - b.at); // stable: what was recorded in one moment keeps its order
}

class Sequence {
  constructor(cell, lanes) {
    this.lanes = lanes;
    this.gap = (WIDTH - GUTTER) / lanes.length;
    this.parts = [];
    this.goneSince = {}; // by process: from which height on it is drawn as gone
    this.gone = [];
    this.y = 52;
    let last = 0;
    for (const item of itemsOf(cell)) {
      this.y += item.lanes || item.kind === "rows" ? 27 : 34;
      if (item.at - last > 300) {
        this.addTime("⋮", -5);
        this.y += 16;
      }
      this.addTime(time(item.at), 4);
      last = item.at;
      if (item.lanes) this.addMessage(item);
      else if (item.kind === "told") this.addBox("client", item.text, "told");
      else if (item.kind === "rows") this.addBox("database", item.text, "rows");
      else this.addFault(item);
    }
    this.y += 40;
    this.addTime("in the end");
    this.addBox("database", applied(cell.effect, cell.half), "rows");
    for (const process of Object.keys(this.goneSince)) this.comeBack(process, this.y + 20);
  }

  x(lane) {
    return GUTTER + this.gap * (this.lanes.indexOf(lane) + 0.5);
  }
  addLine(from, to, css) {
    this.parts.push(`<line x1="${from}" y1="${this.y}" x2="${to}" y2="${this.y}" class="${css}"/>`);
  }
  addTime(text, dy = 0) {
    this.parts.push(`<text x="${GUTTER - 8}" y="${this.y + dy}" class="t" text-anchor="end">${text}</text>`);
  }
  addText(x, text, room, css = "", dy = -5) {
    const letters = Math.max(6, Math.floor(room / 6.6));
    const shown =
      text.length <= letters ? escaped(text) : `${escaped(text.slice(0, letters - 1))}…<title>${escaped(text)}</title>`;
    this.parts.push(`<text x="${x}" y="${this.y + dy}" text-anchor="middle" class="${css}">${shown}</text>`);
  }
  addBox(lane, text, css) {
    const width = Math.min(this.gap * 1.6, text.length * 6.9 + 18);
    const left = Math.max(GUTTER, Math.min(WIDTH - width - 4, this.x(lane) - width / 2));
    this.parts.push(`<rect x="${left}" y="${this.y - 15}" width="${width}" height="22" rx="6" class="${css}"/>`);
    this.addText(left + width / 2, text, width - 8, "", 0);
  }

  addFault({ kind, text, process }) {
    const width = text.length * 7.6 + 40,
      middle = (GUTTER + WIDTH) / 2;
    this.addLine(GUTTER, WIDTH, kind);
    this.parts.push(`<rect x="${middle - width / 2}" y="${this.y - 10}" width="${width}" height="20" class="band"/>`);
    this.addText(middle, `${kind === "fault" ? "✕" : "✓"} ${text}`, WIDTH, kind, 4);
    for (const lane of this.lanes.filter(
      (name) => name === process || (process === "everything" && name !== "client"),
    )) {
      if (kind === "fault") this.goneSince[lane] ??= this.y;
      else this.comeBack(lane, this.y);
    }
  }
  comeBack(process, y) {
    if (process in this.goneSince) this.gone.push([this.x(process), this.goneSince[process], y]);
    delete this.goneSince[process];
  }

  addMessage({ kind, text, lanes }) {
    const [from, to] = lanes.map((lane) => this.x(lane));
    const middle = (from + to) / 2,
      whole = Math.abs(to - from);
    const arrives = ["released", "passed", "lost"].includes(kind);
    this.addLine(kind === "released" ? middle : from, arrives ? to : middle, kind === "lost" ? "m wait" : "m");
    if (["held", "stalled"].includes(kind)) {
      this.parts.push(`<line x1="${middle}" y1="${this.y - 8}" x2="${middle}" y2="${this.y + 8}" class="hold"/>`);
      this.addText(middle, `${text} ${kind}`, whole, "held", -11);
    } else if (kind === "lost" || !arrives) {
      const x = arrives ? to : middle;
      this.parts.push(`<path d="M${x - 6} ${this.y - 6}l12 12m0 -12l-12 12" class="m bad"/>`);
      const what = kind === "lost" ? `${text}: nobody there` : `${text} ${kind === "reset" ? "cut off" : kind}`;
      this.addText(middle, what, whole - 16, "bad", arrives ? -5 : -10);
    } else {
      this.parts.push(`<path d="M${to} ${this.y}l${to > from ? -8 : 8} -4v8z" class="tip"/>`);
      const [what, css] = kind === "released" ? [`${text} let go`, "held"] : [text, ""];
      this.addText(middle, what, whole - 16, css);
    }
  }

  svg() {
    const height = this.y + 24;
    const vertical = (x, from, to, css) => `<line x1="${x}" y1="${from}" x2="${x}" y2="${to}" class="${css}"/>`;
    const heads = this.lanes.map((lane) => {
      const x = this.x(lane);
      const head = `<rect x="${x - 52}" y="8" width="104" height="28" rx="7" class="head"/>`;
      return `${vertical(x, 36, height, "lane")}${head}<text x="${x}" y="27" text-anchor="middle">${escaped(lane)}</text>`;
    });
    const gone = this.gone.map((at) => vertical(...at, "lane erased") + vertical(...at, "lane gone"));
    return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Sequence of the messages; the same follows as text">${heads.join("")}${gone.join("")}${this.parts.join("")}</svg>`;
  }
}

function tableRows(cell) {
  return itemsOf(cell)
    .map(({ at, kind, text, lanes }) => {
      const link = lanes ? ` <span class="dim">${escaped(lanes.join(" → "))}</span>` : "";
      const what = { told: "the client: ", rows: "", passed: "" }[kind] ?? `${kind}: `;
      return `<tr><td>${time(at)}</td><td>${escaped(what + text)}${link}</td></tr>`;
    })
    .join("");
}

// One twin as its chain of processes; messages travel on its links when they really pass.

const NAMES = {
  client: "Customer",
  web: "Flask",
  service: "Service",
  database: "PostgreSQL",
  "outside world": "Outside world",
};
const PLACES = {
  client: [57, 26],
  web: [220, 26],
  Restate: [383, 26],
  service: [383, 114],
  database: [220, 114],
  "outside world": [383, 202],
};
const WIDTH = 112;
const HEIGHT = 46;
const TRAVEL_MS = 420;
const BROKEN_MS = 2500;
const SEEN_MS = 1500;
const BACKLOG_MS = 350;
const STEP_MS = 90;
const MOST_DOTS = 3;
const BREAKS = ["dropped", "reset", "lost", "gone", "refused"];
const STANDS = ["held", "stalled"];

const still = matchMedia("(prefers-reduced-motion: reduce)");

function drawn(parent, name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

/** Where a line from one process to another leaves its box. */
function edge([x, y], [toX, toY]) {
  const [dx, dy] = [toX - x, toY - y];
  const part = Math.min(WIDTH / 2 / Math.abs(dx || 1e-9), HEIGHT / 2 / Math.abs(dy || 1e-9));
  return [x + dx * part, y + dy * part];
}

export class Chain {
  constructor(svg, ticker, side) {
    this.svg = svg;
    this.ticker = ticker;
    this.queue = [];
    this.dots = [];
    this.standing = new Map();
    this.nodes = new Map();
    this.since = new Map();
    this.latest = new Map();
    this.links = new Map();
    for (const link of side.links) this.drawLink(link);
    this.moving = drawn(svg, "g", {});
    for (const name of ["client", ...side.processes.map((process) => process.name)]) this.drawProcess(name);
    this.front = drawn(svg, "g", {});
  }

  drawLink(link) {
    const [from, to] = link.split(" to ").map((end) => PLACES[end === "ingress" ? "Restate" : end]);
    const [start, end] = [edge(from, to), edge(to, from)];
    const line = drawn(this.svg, "path", { class: "link", d: `M${start}L${end}` });
    this.links.set(link, { start, end, line, until: 0 });
  }

  drawProcess(name) {
    const [x, y] = PLACES[name];
    const group = drawn(this.svg, "g", { class: "process" });
    drawn(group, "rect", { x: x - WIDTH / 2, y: y - HEIGHT / 2, width: WIDTH, height: HEIGHT, rx: 9 });
    drawn(group, "text", { x, y: y + 5, class: "name" }, NAMES[name] ?? name);
    drawn(group, "text", { x, y: y + 17, class: "state" });
    drawn(group, "circle", { class: "badge", cx: x - 52, cy: y - 20, r: 11 });
    drawn(group, "path", { class: "cross", d: `M${x - 56} ${y - 24}l8 8m0 -8l-8 8` });
    drawn(group, "path", { class: "pause", d: `M${x - 55} ${y - 25}v10m6 -10v10` });
    this.nodes.set(name, group);
  }

  /** Show how the processes are, and, with nothing going on, no message but those that are held. */
  update(side, quiet) {
    for (const { name, state } of side.processes) {
      this.latest.set(name, state);
      this.show(name, state);
    }
    const bad = side.processes.filter(({ state }) => state !== "runs").map(({ name, state }) => `${name} ${state}`);
    this.svg.setAttribute("aria-label", `${side.title}: ${bad.join(", ") || "all processes run"}`);
    if (!quiet || this.queue.length) return;
    const held = side.armed.filter((one) => one.held);
    for (const key of [...this.standing.keys()])
      if (!held.some((one) => key.startsWith(`${one.link}|`))) this.leave(key);
    for (const one of held)
      if (![...this.standing.keys()].some((key) => key.startsWith(`${one.link}|`)))
        this.stand(`${one.link}|`, one, "held");
  }

  show(name, state) {
    const group = this.nodes.get(name);
    if (!group || group.dataset.state === state) return;
    // A process may be back before anybody has seen that it was gone.
    const seen = performance.now() - (this.since.get(name) ?? 0);
    if (state === "runs" && seen < SEEN_MS) {
      setTimeout(() => group.dataset.state === "runs" || this.show(name, this.latest.get(name)), SEEN_MS - seen);
      return;
    }
    if (state !== "runs") this.since.set(name, performance.now());
    group.dataset.state = state;
    group.querySelector(".state").textContent = state === "runs" ? "" : state;
    group.querySelector(".name").setAttribute("y", PLACES[name][1] + (state === "runs" ? 5 : -1));
  }

  /** Take what has happened; it is shown in its order, a little slower than it was. */
  take(events) {
    this.queue.push(...events);
    if (!this.timer) this.next();
  }

  next() {
    // Whatever comes, the drawing is not long behind: of many messages only some are seen travelling.
    const many = Math.ceil(this.queue.length / 30);
    for (const event of this.queue.splice(0, many)) this.happen(event);
    this.timer = this.queue.length
      ? setTimeout(() => this.next(), Math.min(STEP_MS, BACKLOG_MS / this.queue.length))
      : 0;
    if (!this.timer) this.timer = undefined;
  }

  happen(event) {
    if (event.process !== undefined) return this.fault(event);
    const key = `${event.link}|${event.direction}|${event.label}|${event.operations}`;
    const from = this.standing.has(key) ? 0.5 : 0;
    if (STANDS.includes(event.kind)) {
      this.stand(key, event, event.kind);
    } else {
      if (from) this.leave(key);
      if (BREAKS.includes(event.kind)) this.broken(event);
      else if (event.kind === "passed" || event.kind === "released") this.travel(event, from);
      else return;
    }
    const arrow = event.direction === "to client" ? "←" : "→";
    this.say(`${event.link} ${arrow} ${event.label}`, event.kind === "passed" ? "" : event.kind);
  }

  fault({ kind, label, process }) {
    this.say(label, kind);
    const hit = process === "everything" ? [...this.nodes.keys()].slice(1, -1) : [process];
    if (kind === "heal") for (const name of hit) this.show(name, "runs");
    else if (/kill|stop|power/i.test(label) && !label.startsWith("SIGSTOP"))
      for (const name of hit) this.show(name, "is down");
    else if (/freeze|SIGSTOP/.test(label)) for (const name of hit) this.show(name, "is frozen");
  }

  say(text, kind) {
    this.ticker.textContent = kind ? `${text} · ${kind}` : text;
    this.ticker.className = `ticker ${kind === "fault" || BREAKS.includes(kind) ? "bad" : STANDS.includes(kind) ? "held" : ""}`;
  }

  middle(link) {
    const { start, end } = this.links.get(link);
    return [(start[0] + end[0]) / 2, (start[1] + end[1]) / 2];
  }

  stand(key, { link, label }, kind) {
    if (this.standing.has(key)) return;
    const [x, y] = this.middle(link);
    const group = drawn(this.front, "g", { class: "standing" });
    drawn(group, "circle", { cx: x, cy: y, r: 8 });
    const text = `${label.length > 16 ? `${label.slice(0, 15)}…` : label} ${kind === "held" ? "held" : "late"}`;
    const half = text.length * 3.7 + 8;
    const [middle, below] = this.beside(link, x, y, half);
    drawn(group, "rect", { x: middle - half, y: below - 11, width: 2 * half, height: 22, rx: 6 });
    drawn(group, "text", { x: middle, y: below + 4.5 }, text);
    this.links.get(link).line.classList.add("waits");
    this.standing.set(key, { group, link });
  }

  /** Where there is room for a word of this half width about a link: below its boxes, or at its side. */
  beside(link, x, y, half) {
    const { start, end } = this.links.get(link);
    if (start[1] === end[1]) return [Math.min(x, 440 - half), y + HEIGHT / 2 + 16];
    return start[0] === end[0] ? [x - half - 14, y] : [Math.min(x + half + 14, 440 - half), y];
  }

  leave(key) {
    const { group, link } = this.standing.get(key);
    group.remove();
    this.standing.delete(key);
    if (![...this.standing.values()].some((one) => one.link === link))
      this.links.get(link).line.classList.remove("waits");
  }

  broken({ link }) {
    const [x, y] = this.middle(link);
    const { line } = this.links.get(link);
    const mark = drawn(this.front, "path", { class: "break", d: `M${x - 9} ${y - 9}l18 18m0 -18l-18 18` });
    line.classList.add("broken");
    setTimeout(() => {
      mark.remove();
      line.classList.remove("broken");
    }, BROKEN_MS);
  }

  travel({ link, direction }, from) {
    const one = this.links.get(link);
    one.until = performance.now() + TRAVEL_MS;
    one.line.classList.add("lit");
    if (!still.matches && this.dots.filter((dot) => dot.link === one).length < MOST_DOTS) {
      const ends = direction === "to client" ? [one.end, one.start] : [one.start, one.end];
      this.dots.push({
        link: one,
        ends,
        from,
        began: performance.now(),
        element: drawn(this.moving, "circle", { class: "dot", r: 7 }),
      });
    }
    if (!this.frame) this.frame = requestAnimationFrame((now) => this.move(now));
  }

  move(now) {
    for (const dot of this.dots) {
      const part = dot.from + (now - dot.began) / TRAVEL_MS;
      const [[x, y], [toX, toY]] = dot.ends;
      if (part >= 1) dot.element.remove();
      dot.over = part >= 1;
      dot.element.setAttribute("cx", x + (toX - x) * Math.max(part, 0));
      dot.element.setAttribute("cy", y + (toY - y) * Math.max(part, 0));
    }
    this.dots = this.dots.filter((dot) => !dot.over);
    let lit = this.dots.length > 0;
    for (const one of this.links.values()) {
      if (one.until > now) lit = true;
      else one.line.classList.remove("lit");
    }
    this.frame = lit ? requestAnimationFrame((later) => this.move(later)) : undefined;
  }
}

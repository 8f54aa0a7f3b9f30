// What was counted in one twin, what it costs, and the history of each of its operations.

const BAD = ["LOST", "DUPLICATED", "HALF DONE", "STUCK"];
const FAULTS = ["fault", "dropped", "reset", "lost", "gone", "refused", "blackholed"];

function made(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function row(cells, className) {
  const line = made("tr", undefined, className);
  line.append(...cells.map((cell) => made("td", cell)));
  return line;
}

/** Change a text only if it is another one: what is read aloud is not read again. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export class Count {
  constructor(score, half, side, open) {
    Object.assign(this, { score, half, side, open });
    this.shown = "";
    this.items = new Map();
    for (const item of score.querySelectorAll("[data-verdict] button"))
      item.addEventListener("click", () => this.open(side, this.last.get(item.closest("li").dataset.verdict)));
  }

  update({ count, price }) {
    this.price(price);
    const now = JSON.stringify(count);
    if (now === this.shown) return;
    this.shown = now;
    this.tally(count);
    this.kinds(count.kinds);
    this.operations(count.operations);
    write(
      this.score.querySelector(".away"),
      count.reached ? "" : "The database is not reached: this is the last count.",
    );
    this.score.classList.toggle("stale", !count.reached);
  }

  price({ p50_ms, requests, memory_mb, processes }) {
    write(this.score.querySelector(".when"), requests ? `of ${requests} in a minute` : "at the start");
    const figures = { p50: `${p50_ms.toFixed(p50_ms < 100 ? 1 : 0)} ms`, memory: `${memory_mb} MB`, processes };
    for (const [name, figure] of Object.entries(figures))
      write(this.score.querySelector(`[data-price="${name}"]`), `${figure}`);
  }

  tally(count) {
    const numbers = { ...count.verdicts, "goes on": count.goes_on, nothing: count.operations.length ? 0 : 1 };
    // Of each verdict the latest: they come with the newest first.
    this.last = new Map([...count.operations].reverse().map((one) => [one.verdict, one.key]));
    for (const item of this.score.querySelectorAll("[data-verdict]")) {
      const number = numbers[item.dataset.verdict];
      item.hidden = !number;
      const shown = item.querySelector("b");
      if (shown) write(shown, `${number}`);
    }
  }

  kinds(kinds) {
    for (const sum of this.score.querySelectorAll("[data-sum]")) {
      const numbers = kinds.map((one) => one[sum.dataset.sum]).filter((number) => number !== null);
      const none = sum.dataset.sum === "outside" ? "–" : "0";
      write(sum, numbers.length ? `${numbers.reduce((one, other) => one + other)}` : none);
    }
    const lines = kinds.map((one) => {
      return row([one.kind, one.asked, one.told, one.database, one.outside ?? ""], one.bad ? "odd" : "");
    });
    const none = made("tr");
    none.append(Object.assign(made("td", "nothing yet", "none"), { colSpan: 5 }));
    this.half.querySelector(".counted tbody").replaceChildren(...(lines.length ? lines : [none]));
  }

  operations(operations) {
    const list = this.half.querySelector(".operations");
    const focused = list.contains(document.activeElement) ? document.activeElement : null;
    const items = new Map();
    for (const one of operations) {
      const item = this.items.get(one.key) ?? this.item(one.key);
      const [kind, verdict, told] = item.querySelectorAll("span");
      write(kind, one.kind);
      write(verdict, one.verdict);
      write(told, `told: ${one.told}; there: ${one.there}`);
      item.classList.toggle("bad", BAD.includes(one.verdict));
      items.set(one.key, item);
    }
    this.items = items;
    list.replaceChildren(...items.values());
    if (focused?.isConnected) focused.focus({ preventScroll: true });
  }

  item(key) {
    const item = made("li");
    const button = Object.assign(made("button"), { type: "button" });
    button.append(made("span", "", "kind"), made("span", "", "word"), made("span", "", "told"));
    button.addEventListener("click", () => this.open(this.side, key));
    item.append(button);
    return item;
  }
}

/** Open a dialog on one operation: what happened when, message by message, and what its client was told. */
export async function openHistory(side, key, ask) {
  const history = await ask("GET", `/api/operations/${side}/${key}`);
  if (!history) return;
  const dialog = document.getElementById("history");
  write(document.getElementById("history-title"), `${history.kind}: ${history.verdict}`);
  write(
    dialog.querySelector(".summary"),
    `The client was told: ${history.told}. There: ${history.there}. ${history.todo ? `Todo ${history.todo}.` : ""}`,
  );
  dialog.classList.toggle("bad", BAD.includes(history.verdict));
  const answers = history.answers.map(({ at, told }) => ({ at, told }));
  const lines = [...history.events, ...answers].sort((one, other) => one.at - other.at);
  const began = lines[0]?.at ?? 0;
  dialog.querySelector("tbody").replaceChildren(...lines.map((line) => historyRow(line, (line.at - began).toFixed(1))));
  dialog.showModal();
}

function historyRow(line, at) {
  if (line.told) return row([at, "client", line.told, "is told"], "answer");
  const arrow = { "to server": "→ ", "to client": "← " }[line.direction] ?? "";
  const className = FAULTS.includes(line.kind)
    ? "bad"
    : ({ passed: "", released: "", heal: "heal" }[line.kind] ?? "held");
  return row([at, line.link, arrow + line.label, line.kind], className);
}

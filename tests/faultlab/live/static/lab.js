// The page of the live lab: takes what the lab tells, and sends it orders.
import { Chain } from "./chain.js";
import { Count, openHistory, write } from "./count.js";
import { StoryCard } from "./story.js";

const KEYS = { h: "heal", r: "reset" };
const byId = (id) => document.getElementById(id);
const mayOrder = "token" in document.body.dataset;

const sides = new Map();
const story = new StoryCard(await (await fetch("/api/stories")).json());
let state = { busy: "", story: null, trouble: "" };

/** Ask the lab for something; if it cannot be done, say why and return nothing. */
async function ask(method, path, body) {
  const trouble = byId("trouble");
  trouble.hidden = true;
  const sent = body && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  try {
    const response = await fetch(path, { method, ...sent });
    const answer = await response.json();
    if (response.ok) return answer;
    complain(answer.error);
  } catch {
    complain("The lab does not answer.");
  }
}

function complain(text) {
  byId("trouble").hidden = false;
  write(byId("trouble"), text);
}

/** Say why a control does nothing now; nothing if it does. */
function obstacle(control) {
  if (!mayOrder) return "You only look: this needs the token that make lab has printed.";
  const goesOn = state.busy && !("customer" in control.dataset && state.busy.startsWith("chaos"));
  return goesOn ? `“${state.busy}” goes on: wait for its end.` : "";
}

function enable() {
  for (const control of document.querySelectorAll("[data-free], [data-customer]")) {
    const off = Boolean(obstacle(control));
    // A button stays where the keyboard is, and says why it does nothing.
    if (control.localName === "button") control.setAttribute("aria-disabled", off);
    else control.disabled = off;
  }
  write(byId("busy"), obstacle(byId("tell")));
}

document.addEventListener(
  "click",
  (event) => {
    const control = event.target.closest("button[aria-disabled=true]");
    if (!control) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    complain(obstacle(control));
  },
  true,
);

function show(now) {
  const first = !sides.size;
  // Told once: what is complained of since then is newer.
  if (now.trouble && now.trouble !== state.trouble) complain(now.trouble);
  state = now;
  for (const [key, side] of Object.entries(state.sides)) {
    if (!sides.has(key)) sides.set(key, makeSide(key, side));
    const { chain, count, half } = sides.get(key);
    chain.update(side, !state.busy);
    count.update(side);
    showHands(half, side);
  }
  story.update(state.story, state.busy, state.raged);
  const { rate, kind } = state.stream;
  if (document.activeElement !== byId("rate")) byId("rate").value = rate;
  if (rate) byId("stream-kind").value = kind;
  write(byId("rate-shown"), `${byId("rate").value} a second`);
  enable();
  // Only now it is known whether the story of the address can be started.
  if (first) story.follow(location.hash);
}

function makeSide(key, side) {
  const [score, half] = [".score", ".half"].map((name) => document.querySelector(`${name}[data-side="${key}"]`));
  const chain = new Chain(half.querySelector("svg"), half.querySelector(".ticker"), side);
  return { half, chain, count: new Count(score, half, key, (twin, operation) => openHistory(twin, operation, ask)) };
}

function showHands(half, side) {
  for (const { name, state: now } of side.processes) {
    const line = half.querySelector(`[data-process="${name}"]`);
    line.dataset.state = now;
    write(line.querySelector("small"), now);
  }
  const armed = half.querySelector(".armed");
  armed.hidden = !side.armed.length;
  const texts = side.armed.map((one) =>
    one.held ? `${one.seam} is held: ${one.label}` : `${one.seam}: waited for, to ${one.fate} it`,
  );
  if (texts.join() === armed.dataset.shown) return;
  armed.dataset.shown = texts.join();
  armed
    .querySelector("ul")
    .replaceChildren(...texts.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

function listen() {
  const notice = byId("connection");
  const say = (text) => {
    notice.hidden = !text;
    write(notice, text);
  };
  const events = new EventSource("/api/events");
  let ended = false;
  events.addEventListener("open", () => {
    ended = false;
    say("");
  });
  events.addEventListener("ended", () => {
    ended = true;
    say("The lab has ended. Start it again with make lab, and open the address that it prints.");
  });
  events.addEventListener("error", () => {
    if (!ended) say("The connection to the lab is lost. Trying again …");
    // After an answer that is no stream, the browser gives up by itself.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
  events.addEventListener("state", (event) => show(JSON.parse(event.data)));
  events.addEventListener("wire", (event) => {
    const happened = Map.groupBy(JSON.parse(event.data), (one) => one.side);
    for (const [key, some] of happened) sides.get(key)?.chain.take(some);
  });
}

function twinOf(half) {
  return half.querySelector("[name=both]").checked ? "both" : half.dataset.side;
}

for (const half of document.querySelectorAll(".half")) {
  half.addEventListener("click", (event) => {
    const { name, value } = event.target;
    const twin = twinOf(half);
    if (name === "deed")
      ask("POST", "/api/processes", { twin, process: event.target.closest("tr").dataset.process, deed: value });
    if (name === "release") ask("POST", "/api/release", { twin, fate: value });
  });
  const form = half.querySelector(".arm");
  const { seam, fate, seconds } = form.elements;
  fate.addEventListener("change", () => {
    form.querySelector(".seconds").hidden = fate.value !== "delay";
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask("POST", "/api/messages", {
      twin: twinOf(half),
      seam: seam.value,
      fate: fate.value,
      seconds: seconds.valueAsNumber || 5,
    });
  });
}

byId("customer").addEventListener("click", (event) => {
  if (event.target.name !== "kind") return;
  const again = Boolean(new FormData(byId("customer")).get("again"));
  ask("POST", "/api/operations", { kind: event.target.value, again });
});
byId("customer").addEventListener("submit", (event) => event.preventDefault());
byId("rate").addEventListener("input", () => write(byId("rate-shown"), `${byId("rate").value} a second`));
for (const id of ["rate", "stream-kind"])
  byId(id).addEventListener("change", () =>
    ask("PUT", "/api/stream", { rate: byId("rate").valueAsNumber, kind: byId("stream-kind").value }),
  );
byId("chaos").addEventListener("submit", async (event) => {
  event.preventDefault();
  const seed = byId("seed").value;
  const begun = await ask("POST", "/api/chaos", { seconds: 60, ...(seed && { seed: Number(seed) }) });
  // Not as its value: the next one, without a seed, is another one.
  if (begun) byId("seed").placeholder = begun.seed;
});
byId("next").addEventListener("click", () => story.next());
byId("tell").addEventListener("click", () => ask("POST", `/api/stories/${story.name}`));
for (const button of document.querySelectorAll("[data-order]"))
  button.addEventListener("click", () => ask("POST", `/api/${button.dataset.order}`));

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=radio], [type=checkbox], [type=range]), select, dialog");
  if (typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "s") story.next();
  else if (KEYS[event.key]) document.querySelector(`[data-order="${KEYS[event.key]}"]`).click();
});
addEventListener("hashchange", () => story.follow(location.hash));

// On a phone the lists begin closed: the count comes first.
if (matchMedia("(max-width: 60rem)").matches) for (const fold of document.querySelectorAll(".fold")) fold.open = false;
enable();
listen();

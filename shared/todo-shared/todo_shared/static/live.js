// Keeps an open page as it is on the server: fetches it again and changes only what differs, so that the focus, what is
// being typed and what is unfolded stay. Everything also works without this script.
const QUICK_MS = 1000;
const SLOW_MS = 5000;
const PATIENCE_MS = 8000;
const SUBMISSION_MS = 30_000;
const FLASH_MS = 10_000;

let etag = '""';
let submittedUntil = 0;
let timer;

const part = (id) => document.getElementById(id);

// What an element is known by: its id, or that of what it is about.
const key = (node) => node.id || (node.nodeName === "LI" && node.querySelector("[id]")?.id);

// Makes an element like its newer version. Children are the same if they have the same key, or none and, in their order,
// the same name and class.
function renew(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  for (const { name, value } of fresh.attributes) {
    const typing = name === "value" && old.type !== "hidden" && old === document.activeElement;
    if (!typing && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  const keys = new Set([...fresh.children].map(key).filter(Boolean));
  const known = new Map([...old.children].map((child) => [key(child), child]));
  const kind = (node) => `${node.nodeName} ${node.getAttribute?.("class")}`;
  let place = old.firstChild;
  const find = (child) => {
    if (key(child)) return known.get(key(child));
    let next = place;
    while (next && !keys.has(key(next)) && (key(next) || kind(next) !== kind(child)))
      next = child.nodeType === Node.TEXT_NODE ? null : next.nextSibling;
    return next && keys.has(key(next)) ? null : next;
  };
  // Steps over a flash, which only the first version of a page has, and which goes by itself.
  const pass = (isGone) => {
    while (place && (place.dataset?.flash !== undefined || isGone(place))) {
      const passed = place;
      place = place.nextSibling;
      if (passed.dataset?.flash === undefined) passed.remove();
    }
  };
  for (const child of [...fresh.childNodes]) {
    const same = find(child);
    pass((node) => node !== same && !keys.has(key(node)) && (same || key(node)));
    if (!same) {
      child.classList?.add("arrived");
      old.insertBefore(child, place);
      continue;
    }
    if (same === place) place = place.nextSibling;
    else old.insertBefore(same, place);
    if (same.nodeType === Node.ELEMENT_NODE) renew(same, child);
    else if (same.data !== child.data) same.data = child.data;
  }
  pass(() => true);
}

// Takes over what a fetched page shows. The answer to a form stays: its id makes it safe to submit that again.
function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const id of part("live").dataset.address ? ["live", "way"] : ["way"]) {
    const newer = fresh.getElementById(id);
    if (!newer) throw new Error(`the answer has no ${id}`);
    renew(part(id), newer);
  }
}

async function refresh() {
  let away = false;
  // A form that is being submitted keeps its id, so that a second click is not a second change.
  const resting = () => document.hidden || Date.now() < submittedUntil;
  if (!resting()) {
    try {
      const headers = { "If-None-Match": etag };
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const answer = await fetch(part("live").dataset.address ?? "/", { cache: "no-store", headers, signal });
      const html = await answer.text();
      away = answer.status === 503;
      if (answer.status !== 304 && !resting()) {
        show(html);
        etag = answer.headers.get("ETag") ?? '""';
      }
      part("way").classList.remove("away");
    } catch {
      away = true;
      part("way").classList.add("away");
    }
  }
  plan(away);
}

function plan(away) {
  clearTimeout(timer);
  timer = setTimeout(refresh, away || document.querySelector(".pending, [aria-busy=true]") ? QUICK_MS : SLOW_MS);
}

document.addEventListener("submit", ({ submitter }) => {
  submittedUntil = Date.now() + SUBMISSION_MS;
  submitter?.setAttribute("aria-busy", "true");
});
document.addEventListener("visibilitychange", () => plan(true));
addEventListener("pageshow", (event) => {
  submittedUntil = 0;
  for (const button of document.querySelectorAll("button[aria-busy]")) button.removeAttribute("aria-busy");
  for (const flash of document.querySelectorAll("[data-flash]")) setTimeout(() => flash.remove(), FLASH_MS);
  plan(document.querySelector(".fails"));
  // With the Back button a page comes as it was left.
  if (event.persisted) {
    etag = '""';
    refresh();
  }
});

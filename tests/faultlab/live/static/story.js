// The story that is chosen: what to look at, how far each twin is, and what it means.
import { write } from "./count.js";

const PHASES = ["begins", "held", "broken", "healed", "counted"];
const CHAOS = {
  claim: {
    claim: "no lost operations, no duplicate executions, no manual recovery",
    verdict: "see the count",
    because: "",
  },
  look: "Every three seconds something else breaks in each twin for three seconds: a kill, a freeze, a cut connection, lost answers. The customer goes on asking, and gives up without an answer.",
  means:
    "Red is what somebody would have to find and mend by hand: open one to see how it came about. A ghost was done although its customer had no answer; who asks again is told.",
};
const ENDS = ["counted", "failed"];

export class StoryCard {
  constructor(stories) {
    this.stories = stories;
    this.card = document.getElementById("story");
    this.told = null;
    this.raged = this.seen = "";
    this.choose(stories[0].name);
  }

  get name() {
    return this.chosen.name;
  }

  /** Show a story, as it was told last if it was. */
  choose(name) {
    this.chosen = this.stories.find((story) => story.name === name) ?? this.chosen;
    this.seen = this.raged;
    for (const link of document.querySelectorAll("#stories a")) {
      if (link.hash === `#${this.name}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    this.show();
  }

  /** Open the story that an address names, ready to be started if it can be. */
  follow(hash) {
    const name = decodeURIComponent(hash.slice(1));
    if (!this.stories.some((story) => story.name === name)) return;
    this.choose(name);
    const start = document.getElementById("tell");
    if (start.getAttribute("aria-disabled") === "true") return;
    start.focus({ preventScroll: true });
    this.card.scrollIntoView({ block: "nearest" });
  }

  next() {
    const place = this.stories.indexOf(this.chosen);
    location.hash = this.stories[(place + 1) % this.stories.length].name;
  }

  /** Take the story that the lab tells or has told; one that begins is shown, whoever has started it. */
  update(told, busy, raged) {
    this.raged = raged;
    if (!raged) this.seen = "";
    // What it has come to stays until another story is chosen, or begins.
    this.chaos = busy.startsWith("chaos") ? busy : raged !== this.seen ? raged : "";
    const begins = told && this.told?.name !== told.name;
    this.told = told;
    if (begins && told.name !== this.name) this.choose(told.name);
    else this.show();
  }

  show() {
    const told = this.told?.name === this.name ? this.told : null;
    const over = Boolean(told) && Object.values(told.sides).every((side) => ENDS.includes(side.phase));
    const { title, claim, look, means } = this.chaos ? { ...CHAOS, title: this.chaos.replace("c", "C") } : this.chosen;
    write(this.card.querySelector("h2"), title);
    write(this.card.querySelector("q"), claim.claim);
    write(this.card.querySelector(".claim b"), claim.verdict);
    write(this.card.querySelector(".claim span"), claim.because);
    write(this.card.querySelector(".look span"), look);
    const asTold =
      over && Object.entries(told.sides).every(([key, side]) => side.verdict === this.chosen.expected[key]);
    this.card.querySelector(".means").hidden = this.chaos ? this.chaos !== this.raged : !asTold;
    write(this.card.querySelector(".means span"), means);
    this.card.classList.toggle("over", over);
    write(document.getElementById("tell"), over ? "Start it again" : "Start this story");
    for (const half of document.querySelectorAll(".half")) this.showSide(half, told?.sides[half.dataset.side]);
    write(document.getElementById("news"), told ? this.news(told) : "");
  }

  showSide(half, side) {
    const at = PHASES.indexOf(side?.phase);
    half.querySelector(".phases").classList.toggle("idle", !side);
    for (const item of half.querySelectorAll("[data-phase]")) {
      const place = PHASES.indexOf(item.dataset.phase);
      item.classList.toggle("done", place < at);
      if (place === at) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
      // Where nothing is broken, only the beginning and the end are.
      item.hidden = !this.chosen[half.dataset.side] && place > 0 && place < PHASES.length - 1;
    }
    const because = half.querySelector(".because");
    const over = ENDS.includes(side?.phase);
    because.hidden = !over;
    const { because: why, expected } = this.chosen;
    const key = half.dataset.side;
    const other = over && !side.error && side.verdict !== expected[key];
    write(because, over ? (side.error ?? (other ? `Expected was: ${expected[key]}.` : why[key])) : "");
    because.classList.toggle("bad", Boolean(side?.error) || other);
  }

  /** What is read aloud. */
  news(told) {
    const phases = Object.entries(told.sides).map(([key, side]) => `${key}: ${side.verdict ?? side.phase}`);
    return `${phases.join(", ")}.`;
  }
}

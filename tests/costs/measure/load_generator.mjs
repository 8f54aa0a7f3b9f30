// Puts load on addresses and times every answer. Reads what to do as JSON from standard input, writes JSON.
//
// Loads take turns, in each round in the other order, and each turn is a sample of its own.
// Closed loop: `clients` connections, each sends its next request as soon as it has its answer: that measures throughput,
// from when each client has its first answer. Else many clients would seem slow because many have to connect. When the
// first of them stops is told, too.
// Open loop (with `rate`): requests start by the clock, whether or not the earlier ones are answered, and an answer's
// time counts from when its request was due. A slow server therefore cannot slow its own measurement down, which is
// what is called coordinated omission.
//
// Node's own client: in Python it would take as much of the machine as the servers; the usual tools round to
// milliseconds or know only one of the two loops.

import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";
import { performance } from "node:perf_hooks";
import { json } from "node:stream/consumers";

const { loads, rounds } = await json(process.stdin);

class Load {
  constructor({ clients, seconds, rate = 0, stop_after, requests, ids = [], busy }) {
    this.clients = clients;
    this.seconds = seconds;
    this.rate = rate;
    this.most = stop_after ?? Infinity;
    // What a client sends one after the other until it has an answer.
    this.requests = requests.map(({ url, ...rest }) => {
      const { hostname, port } = new URL(url);
      return { hostname, port, ...rest };
    });
    this.ids = ids;
    this.busy = busy;
    this.agent = new Agent({ keepAlive: true, maxSockets: rate ? Infinity : clients });
    this.samples = [];
  }

  async sample() {
    this.milliseconds = [];
    this.errors = {};
    this.sent = 0;
    this.refused = 0;
    this.early = { answers: 0, seconds: 0 };
    this.late = null;
    this.connecting = this.clients;
    this.began = performance.now();
    this.end = this.rate ? this.began + this.seconds * 1000 : Infinity;
    const cpuBegan = process.cpuUsage();
    await (this.rate ? this.byTheClock() : Promise.all(Array.from({ length: this.clients }, () => this.oneClient())));
    const cpu = process.cpuUsage(cpuBegan);
    this.samples.push({
      milliseconds: this.milliseconds,
      errors: this.errors,
      refused: this.refused,
      early: this.early,
      late: this.late,
      seconds: (performance.now() - this.began) / 1000,
      cpu_seconds: (cpu.user + cpu.system) / 1e6,
    });
  }

  async oneClient() {
    const goesOn = () => this.sent < this.most && performance.now() < this.end;
    if (goesOn()) await this.send(performance.now());
    if (!--this.connecting && goesOn()) {
      this.early = this.untilNow();
      this.end = performance.now() + this.seconds * 1000;
    }
    while (goesOn()) await this.send(performance.now());
    this.late ??= this.untilNow();
  }

  untilNow() {
    return { answers: this.milliseconds.length, seconds: (performance.now() - this.began) / 1000 };
  }

  async byTheClock() {
    const answers = [];
    for (let due = this.began; due < this.end; due += 1000 / this.rate) {
      const wait = due - performance.now();
      if (wait > 0) await new Promise((wake) => setTimeout(wake, wait));
      answers.push(this.send(due));
    }
    await Promise.all(answers);
  }

  // Sends what is next, due at this moment, and is done when it is answered, however.
  async send(due) {
    const id = this.ids.length ? this.ids[this.sent % this.ids.length] : "";
    this.sent++;
    for (const each of this.requests) if (!(await this.isGood(each, id))) return;
    this.milliseconds.push(Math.round((performance.now() - due) * 1000) / 1000);
  }

  isGood({ hostname, port, method, path, body, expect }, id) {
    const headers = { "idempotency-key": randomUUID() };
    let text;
    if (body) {
      text = JSON.stringify(body).replace("{unique}", headers["idempotency-key"]);
      headers["content-type"] = "application/json";
      headers["content-length"] = Buffer.byteLength(text);
    }
    return new Promise((done) => {
      const fail = (what) => {
        this.errors[what] = (this.errors[what] ?? 0) + 1;
        done(false);
      };
      const options = { agent: this.agent, hostname, port, method, path: path.replace("{id}", id), headers };
      const exchange = request(options, (answer) => {
        answer.resume();
        answer.on("end", () => {
          if (answer.statusCode === this.busy) {
            this.refused++;
            // As it was asked to, but not beyond the end.
            const wait = Math.min(1000 * Number(answer.headers["retry-after"] ?? 0), this.end - performance.now());
            return setTimeout(done, Math.max(0, wait), false);
          }
          if (answer.statusCode !== expect) return fail(String(answer.statusCode));
          done(true);
        });
      });
      exchange.on("error", (error) => fail(error.code ?? error.message));
      exchange.end(text);
    });
  }
}

const all = loads.map((load) => new Load(load));
for (let round = 0; round < rounds; round++) {
  for (const load of round % 2 ? [...all].reverse() : all) await load.sample();
}
for (const load of all) load.agent.destroy();
process.stdout.write(JSON.stringify(all.map((load) => load.samples)));

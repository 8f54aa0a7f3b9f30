// Puts load on one address and times every answer. Reads what to do as JSON from standard input, writes JSON.
//
// Closed loop: `clients` connections, each sends its next request as soon as it has its answer: that measures throughput.
// Open loop (with `rate`): requests start by the clock, whether or not the earlier ones are answered, and an answer's
// time counts from when its request was due. A slow server therefore cannot slow its own measurement down, which is
// what is called coordinated omission.
//
// Node's own client: in Python it would take as much of the machine as the servers; the usual tools round to
// milliseconds or know only one of the two loops.

import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";
import { performance } from "node:perf_hooks";

const plan = JSON.parse(
  await new Promise((resolve) => {
    let text = "";
    process.stdin.on("data", (part) => (text += part)).on("end", () => resolve(text));
  }),
);
const { url, method, path, body, expect, clients, seconds, rate = 0, ids = [], stopAfter = Infinity } = plan;
const { hostname, port } = new URL(url);
const agent = new Agent({ keepAlive: true, maxSockets: rate ? Infinity : clients });

const latencies = [];
const errors = {};
let sent = 0;

function send(done) {
  const number = sent++;
  const due = performance.now();
  const headers = { "idempotency-key": randomUUID() };
  let text;
  if (body) {
    text = JSON.stringify(body).replace("{unique}", headers["idempotency-key"]);
    headers["content-type"] = "application/json";
    headers["content-length"] = Buffer.byteLength(text);
  }
  const id = ids.length ? ids[number % ids.length] : "";
  const fail = (what) => {
    errors[what] = (errors[what] ?? 0) + 1;
    done(due, false);
  };
  const options = { agent, hostname, port, method, path: path.replace("{id}", id), headers };
  const exchange = request(options, (answer) => {
    answer.resume();
    answer.on("end", () => {
      if (answer.statusCode === expect) done(due, true);
      else fail(String(answer.statusCode));
    });
  });
  exchange.on("error", (error) => fail(error.code ?? error.message));
  exchange.end(text);
}

const began = performance.now();
const cpuBegan = process.cpuUsage();
const end = began + seconds * 1000;

function closed() {
  return Promise.all(
    Array.from(
      { length: clients },
      () =>
        new Promise((finished) => {
          const next = () => {
            if (performance.now() >= end || sent >= stopAfter) return finished();
            send((due, good) => {
              if (good) latencies.push(performance.now() - due);
              next();
            });
          };
          next();
        }),
    ),
  );
}

function open() {
  let due = began,
    waiting = 0;
  return new Promise((finished) => {
    const tick = () => {
      const now = performance.now();
      while (due <= now && due < end) {
        const meant = due;
        due += 1000 / rate;
        waiting++;
        send((_, good) => {
          if (good) latencies.push(performance.now() - meant);
          if (--waiting === 0 && due >= end) finished();
        });
      }
      if (due < end) setTimeout(tick, Math.max(0, due - performance.now()));
      else if (waiting === 0) finished();
    };
    tick();
  });
}

await (rate ? open() : closed());
const took = (performance.now() - began) / 1000;
agent.destroy();
const cpu = process.cpuUsage(cpuBegan);
process.stdout.write(
  JSON.stringify({
    milliseconds: latencies.map((one) => Math.round(one * 1000) / 1000),
    seconds: took,
    errors,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
  }),
);

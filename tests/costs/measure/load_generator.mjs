// Puts load on one address and times every answer. Reads what to do as JSON from standard input, writes JSON.
//
// Closed loop: `clients` connections, each sends its next request as soon as it has its answer: that measures throughput,
// from when each client has its first answer. Else many clients would seem slow because many have to connect.
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

const plan = await json(process.stdin);
const { url, method, path, body, expect, busy, clients, seconds, rate = 0, ids = [] } = plan;
const most = plan.stop_after ?? Infinity;
const { hostname, port } = new URL(url);
const agent = new Agent({ keepAlive: true, maxSockets: rate ? Infinity : clients });

const milliseconds = [];
const errors = {};
let sent = 0;
let refused = 0;

// Sends the next request, due at this moment, and is done when it is answered, however.
function send(due) {
  const id = ids.length ? ids[sent % ids.length] : "";
  sent++;
  const headers = { "idempotency-key": randomUUID() };
  let text;
  if (body) {
    text = JSON.stringify(body).replace("{unique}", headers["idempotency-key"]);
    headers["content-type"] = "application/json";
    headers["content-length"] = Buffer.byteLength(text);
  }
  return new Promise((done) => {
    const fail = (what) => {
      errors[what] = (errors[what] ?? 0) + 1;
      done();
    };
    const options = { agent, hostname, port, method, path: path.replace("{id}", id), headers };
    const exchange = request(options, (answer) => {
      answer.resume();
      answer.on("end", () => {
        if (answer.statusCode === busy) {
          refused++;
          // As it was asked to, but not beyond the end.
          const wait = Math.min(1000 * Number(answer.headers["retry-after"] ?? 0), end - performance.now());
          return setTimeout(done, Math.max(0, wait));
        }
        if (answer.statusCode !== expect) return fail(String(answer.statusCode));
        milliseconds.push(Math.round((performance.now() - due) * 1000) / 1000);
        done();
      });
    });
    exchange.on("error", (error) => fail(error.code ?? error.message));
    exchange.end(text);
  });
}

const began = performance.now();
const cpuBegan = process.cpuUsage();
let end = rate ? began + seconds * 1000 : Infinity;
let connecting = clients;
let early = { answers: 0, seconds: 0 };

async function oneClient() {
  const goesOn = () => sent < most && performance.now() < end;
  if (goesOn()) await send(performance.now());
  if (!--connecting && goesOn()) {
    early = { answers: milliseconds.length, seconds: (performance.now() - began) / 1000 };
    end = performance.now() + seconds * 1000;
  }
  while (goesOn()) await send(performance.now());
}

async function byTheClock() {
  const answers = [];
  for (let due = began; due < end; due += 1000 / rate) {
    const wait = due - performance.now();
    if (wait > 0) await new Promise((wake) => setTimeout(wake, wait));
    answers.push(send(due));
  }
  await Promise.all(answers);
}

await (rate ? byTheClock() : Promise.all(Array.from({ length: clients }, oneClient)));
const took = (performance.now() - began) / 1000;
agent.destroy();
const cpu = process.cpuUsage(cpuBegan);
process.stdout.write(
  JSON.stringify({ milliseconds, errors, refused, early, seconds: took, cpu_seconds: (cpu.user + cpu.system) / 1e6 }),
);

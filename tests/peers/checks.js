// Checks as lines of text, tab-separated: ok NAME, or failed NAME EXPECTED FOUND. Shared by the clients of this folder.
'use strict';
const assert = require('node:assert');

const PATIENCE_MS = 20_000;
/** Characters of a field at most. */
const MOST = 300;
let failures = 0;

const line = (...fields) => console.log(fields.map((field) => String(field).replace(/\s+/g, ' ').slice(0, MOST)).join('\t'));
const show = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

/** A promise that is rejected when it takes too long. */
function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The arguments of the next such event. */
const once = (emitter, event) =>
  within(event, new Promise((resolve) => emitter.once(event, (...values) => resolve(values))));

/** Emits an event of Socket.IO; what it is acknowledged with. */
const ask = (socket, event, ...values) =>
  within(`an answer to ${event}`, new Promise((resolve) => socket.emit(event, ...values, (...answer) => resolve(answer))));

/** Says whether something holds. */
async function check(name, body) {
  try {
    await body();
    line('ok', name);
  } catch (error) {
    failures += 1;
    const compared = error instanceof assert.AssertionError && 'expected' in error;
    if (compared) line('failed', name, show(error.expected), show(error.actual));
    else line('failed', name, error.message, 'none');
  }
}

/** Runs all checks, and ends with whether they held. */
function run(main) {
  main().then(
    () => {
      line('done');
      process.exit(failures ? 1 : 0);
    },
    (error) => {
      line('failed', 'all checks', error.message, 'none');
      process.exit(1);
    },
  );
}

module.exports = { ask, check, line, once, run, within };

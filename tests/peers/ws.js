// Clients of version 1 and 2 in one room, over real sockets. Usage: node ws.js http://HOST:PORT
// Prints a line per check, tab-separated: ok NAME, or failed NAME EXPECTED FOUND; then done.
'use strict';
const assert = require('node:assert');
const WebSocket = require('ws');
const checks = require('./checks.js');

const { run, within } = checks;

const base = process.argv[2];

// Everyone is named after the scene they are in. The backend may hear late that somebody left, so that such news
// can arrive in the next scene, where it is ignored.
let scenes = 0;
const named = (name) => `${name}-${scenes}`;
const isOld = (text) => (text.match(/"[a-z]+-(\d+)"/)?.[1] ?? `${scenes}`) !== `${scenes}`;

/** A client whose messages are read one at a time. */
class Client {
  constructor(name, version, { protocols = [], headers = {} } = {}) {
    const query = `?user=${named(name)}${version ? `&version=${version}` : ''}`;
    this.socket = new WebSocket(`${base.replace('http', 'ws')}/ws${query}`, protocols, { headers });
    this.texts = [];
    this.waiting = [];
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve([code, reason.toString()]));
    });
    this.socket.on('message', (data) => {
      const text = data.toString();
      if (isOld(text)) return;
      const waiting = this.waiting.shift();
      if (waiting) waiting(text);
      else this.texts.push(text);
    });
    this.socket.on('error', () => {});
  }

  /** The next message as text. */
  text() {
    if (this.texts.length) return Promise.resolve(this.texts.shift());
    return within('a message', new Promise((resolve) => this.waiting.push(resolve)));
  }

  /** The next message as a value. */
  async event() {
    return JSON.parse(await this.text());
  }

  send(event) {
    this.socket.send(JSON.stringify(event));
  }

  /** Closes, and waits until it is closed. */
  leave(code = 1000, reason = '') {
    this.socket.close(code, reason);
    return within('a close', this.closed);
  }
}

/** Opens a client and reads its own entry. */
async function enter(name, version, options) {
  const client = new Client(name, version, options);
  const joined = version === '1'
    ? { type: 'join', user: named(name) }
    : { type: 'member.joined', author: { name: named(name) } };
  try {
    assert.deepStrictEqual(await client.event(), joined);
  } catch (error) {
    client.socket.terminate();
    throw error;
  }
  return client;
}

function check(name, body) {
  scenes += 1;
  return checks.check(name, body);
}

/** Runs a scene with ada (version 1) and grace (version 2) in the room. */
async function scene(name, body) {
  await check(name, async () => {
    const ada = await enter('ada', '1');
    let grace;
    try {
      grace = await enter('grace', '2');
      assert.deepStrictEqual(await ada.event(), { type: 'join', user: named('grace') });
      await body(ada, grace);
    } finally {
      await Promise.all([ada.leave(), grace?.leave()]);
    }
  });
}

/** One message as both versions see it: equal but for the names. */
function sameMessage(old, young, text, name) {
  const user = named(name);
  assert.deepStrictEqual(old, { type: 'msg', id: old.id, text, user, ts: old.ts, tags: [] });
  assert.deepStrictEqual(young, {
    type: 'message.created', id: old.id, body: text, sent_at: young.sent_at, tags: [], author: { name: user },
  });
  assert.strictEqual(Date.parse(young.sent_at), old.ts);
}

async function main() {
  await scene('a message from version 2 reaches both versions', async (ada, grace) => {
    grace.send({ type: 'message.send', body: 'hello ☕' });
    sameMessage(await ada.event(), await grace.event(), 'hello ☕', 'grace');
  });

  await scene('a message from version 1 reaches both versions', async (ada, grace) => {
    ada.send({ type: 'say', text: 'hello' });
    sameMessage(await ada.event(), await grace.event(), 'hello', 'ada');
  });

  await scene('a big id keeps its digits', async (ada, grace) => {
    ada.send({ type: 'say', text: 'digits' });
    const [old] = (await ada.text()).match(/"id":9007199254\d{6},/) ?? ['no id beyond 2^53'];
    const [young] = (await grace.text()).match(/"id":\d+,/) ?? ['no id'];
    assert.strictEqual(young, old);
  });

  await scene('typing has the name of the version', async (ada, grace) => {
    grace.send({ type: 'typing.started' });
    assert.deepStrictEqual(await ada.event(), { type: 'typing', user: named('grace') });
    assert.deepStrictEqual(await grace.event(), { type: 'typing.started', author: { name: named('grace') } });
  });

  await scene('a posted message reaches both versions', async (ada, grace) => {
    const response = await fetch(`${base}/api/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'api-version': '2' },
      body: JSON.stringify({ body: 'posted', author: { name: named('fetch') } }),
    });
    assert.strictEqual(response.status, 201);
    sameMessage(await ada.event(), await grace.event(), 'posted', 'fetch');
  });

  await scene('an event without rules passes, its error is translated', async (ada, grace) => {
    grace.send({ type: 'dance' });
    assert.deepStrictEqual(await grace.event(), { type: 'problem', title: 'unknown event' });
  });

  await scene('a message that is not JSON passes and kills nothing', async (ada, grace) => {
    grace.socket.send('{');
    assert.deepStrictEqual(await grace.event(), { type: 'problem', title: 'malformed JSON' });
  });

  await scene('order is kept', async (ada, grace) => {
    const sent = Array.from({ length: 100 }, (_, i) => `n${i}`);
    for (const body of sent) grace.send({ type: 'message.send', body });
    const seen = [];
    while (seen.length < sent.length) seen.push((await ada.event()).text);
    assert.deepStrictEqual(seen, sent);
  });

  await scene("a client's close code and reason reach the backend", async (ada, grace) => {
    assert.deepStrictEqual(await grace.leave(4001, 'lunch'), [4001, 'lunch']);
    assert.deepStrictEqual(await ada.event(), { type: 'leave', user: named('grace'), code: 4001, reason: 'lunch' });
  });

  await scene("the backend's close code and reason reach version 2", async (ada, grace) => {
    grace.send({ type: 'session.end' });
    assert.deepStrictEqual(await within('a close', grace.closed), [4000, 'bye']);
  });

  await scene("the backend's close code and reason reach version 1", async (ada) => {
    ada.send({ type: 'quit' });
    assert.deepStrictEqual(await within('a close', ada.closed), [4000, 'bye']);
  });

  await scene('pings are answered with their payload', async (ada, grace) => {
    for (const client of [ada, grace]) {
      const pong = new Promise((resolve) => client.socket.once('pong', (data) => resolve(data.toString())));
      client.socket.ping('are you there');
      assert.strictEqual(await within('a pong', pong), 'are you there');
    }
  });

  await check('the version may be in a header', async () => {
    const alan = await enter('alan', null, { headers: { 'api-version': '2' } });
    await alan.leave();
  });

  for (const version of ['1', '2']) {
    await check(`the subprotocol is agreed end to end in version ${version}`, async () => {
      const alan = await enter('alan', version, { protocols: ['other', 'chat'] });
      assert.strictEqual(alan.socket.protocol, 'chat');
      await alan.leave();
    });
  }

  await check('an unknown version is refused', async () => {
    const client = new Client('alan', '9');
    const refusal = new Promise((resolve) => {
      client.socket.once('unexpected-response', (_, response) => resolve(response.statusCode));
    });
    assert.strictEqual(await within('a refusal', refusal), 400);
    client.socket.terminate();
  });
}

run(main);

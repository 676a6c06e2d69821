// Ways to a Socket.IO backend that socketio.js does not go. Usage: node socketio-ways.js WAY http://PROXY:PORT [MORE...]
// The backends are socketio-backend.js. Prints a line per check, tab-separated: ok NAME, or failed NAME EXPECTED FOUND.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const WebSocket = require('ws');
const { ask, check, once, run, within } = require('./checks.js');

const [, , way, base, ...more] = process.argv;
const clients = { 2: require('socket.io-client-2'), 4: require('socket.io-client-4').io };
const TRANSPORTS = { websocket: ['websocket'], polling: ['polling'], upgrade: ['polling', 'websocket'] };

/** Runs a scene with each client over each transport. */
async function everybody(name, body) {
  for (const generation of Object.keys(clients)) {
    for (const [how, transports] of Object.entries(TRANSPORTS)) {
      const open = (query = {}) => clients[generation](base, { transports, forceNew: true, query });
      await check(`${name}: ${generation}.x, ${how}`, async () => {
        const socket = open();
        try {
          await once(socket, 'connect');
          await body(socket, open);
        } finally {
          socket.disconnect();
        }
      });
    }
  }
}

async function echoes(socket) {
  const bytes = Buffer.alloc(5000, 'é');
  const [text, found] = await ask(socket, 'echo', 'hé 🙂', bytes);
  assert.strictEqual(text, 'hé 🙂');
  assert.ok(bytes.equals(Buffer.from(found)), 'bytes');
}

/** A request of long polling, by hand: status and body. */
async function poll(query, body) {
  const options = body === undefined ? {} : { method: 'POST', body, headers: { 'content-type': 'text/plain;charset=UTF-8' } };
  const response = await within(`an answer to ${query}`, fetch(`${base}/socket.io/?${query}`, options));
  return [response.status, await response.text()];
}

const ways = {
  https: () => everybody('a backend of https', echoes),

  /** Each session stays at its endpoint, whatever connections its requests come on. */
  async endpoints() {
    const seen = new Set();
    await everybody('several endpoints', async (_, open) => {
      const sockets = Array.from({ length: 4 }, () => open());
      try {
        for (const socket of sockets) {
          const [first] = await ask(socket, 'who');
          seen.add(first);
          for (let i = 0; i < 5; i += 1) assert.strictEqual((await ask(socket, 'who'))[0], first);
        }
      } finally {
        sockets.forEach((socket) => socket.disconnect());
      }
    });
    await check('several endpoints: each has sessions', () => assert.strictEqual(seen.size, 2));
  },

  /** A session keeps the rules that it began with; one that begins after a reload has the new ones. */
  async reload() {
    const [admin, file] = more;
    const rules = fs.readFileSync(file, 'utf8');
    const version = { version: '2' };
    await everybody('rules are reloaded', async (_, open) => {
      const before = open(version);
      let after;
      try {
        assert.strictEqual((await ask(before, 'message.send', { text: 'a' }))[0].said, 'a');
        fs.writeFileSync(file, rules.replace('message.send', 'message.say'));
        assert.strictEqual((await fetch(`${admin}/api/reload`, { method: 'POST' })).status, 200);
        after = open(version);
        assert.strictEqual((await ask(after, 'message.say', { text: 'b' }))[0].said, 'b');
        assert.strictEqual((await ask(before, 'message.send', { text: 'c' }))[0].said, 'c');
      } finally {
        fs.writeFileSync(file, rules);
        await fetch(`${admin}/api/reload`, { method: 'POST' });
        [before, after].forEach((socket) => socket?.disconnect());
      }
    });
  },

  polling: () => everybody('a backend that allows polling only', async (socket) => {
    await echoes(socket);
    assert.strictEqual((await ask(socket, 'who'))[1], 'polling');
    const large = 'é'.repeat(300_000);
    assert.ok((await ask(socket, 'echo', large))[0] === large, 'a large text');
    const seen = [];
    const last = new Promise((resolve) => {
      socket.on('counted', (number) => { if (seen.push(number) === 100) resolve(); });
    });
    for (let i = 0; i < 100; i += 1) socket.emit('count', i);
    await within('100 messages', last);
    assert.deepStrictEqual(seen, Array.from({ length: 100 }, (_, i) => i));
    await new Promise((resolve) => { setTimeout(resolve, 1000); });
    assert.ok(socket.connected, 'still connected after three heartbeats');
    socket.emit('kick');
    assert.strictEqual((await once(socket, 'disconnect'))[0], 'io server disconnect');
  }),

  /** Scripts of browsers that can load nothing else. */
  async jsonp() {
    await check('JSONP: a session of Engine.IO 3', async () => {
      const JSONP = 'EIO=3&transport=polling&b64=1&j=7';
      const payload = ([status, script]) => {
        assert.strictEqual(status, 200);
        const [, call] = /^___eio\[7\]\((.*)\);$/s.exec(script) ?? assert.fail(script);
        return JSON.parse(call);
      };
      const form = (text) => `d=${encodeURIComponent(text.replace(/\\n/g, '\\\\n'))}`;
      const opened = payload(await poll(JSONP));
      const sid = JSON.parse(/\{.*?\}/.exec(opened)[0]).sid;
      const session = `${JSONP}&sid=${sid}`;
      const packet = '420["echo","a\\nb é🙂"]';
      const reply = poll(session, form(`${packet.length}:${packet}`));
      assert.deepStrictEqual(await reply, [200, 'ok']);
      let got = '';
      while (!got.includes('430')) got = payload(await poll(session));
      assert.ok(got.includes('430["a\\nb é🙂"]'), got);
    });
    await check('JSONP: Engine.IO 4 answers it as its own server does', async () => {
      const [status, body] = await poll('EIO=4&transport=polling&j=1');
      assert.strictEqual(status, 200);
      assert.ok(body.startsWith('___eio[1]("0{'), body);
    });
  },

  /** Each leg agrees on permessage-deflate by itself. */
  async compression() {
    const url = `${base.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`;
    for (const [name, perMessageDeflate] of [['offered', { threshold: 0 }], ['not offered', false]]) {
      await check(`compression, ${name}`, async () => {
        const socket = new WebSocket(url, { perMessageDeflate });
        const agreed = new Promise((resolve) => {
          socket.once('upgrade', (response) => resolve(response.headers['sec-websocket-extensions']));
        });
        const answer = new Promise((resolve, reject) => {
          socket.on('error', reject);
          socket.on('message', (data) => {
            const text = data.toString();
            if (text[0] === '0') socket.send('40');
            else if (text.startsWith('40')) socket.send('420["who"]');
            else if (text.startsWith('430')) resolve(JSON.parse(text.slice(3)));
          });
        });
        const [, transport, offered] = await within('an answer', answer);
        assert.strictEqual(transport, 'websocket');
        assert.strictEqual(await agreed, perMessageDeflate ? 'permessage-deflate' : undefined);
        assert.strictEqual(offered, perMessageDeflate ? 'permessage-deflate; client_max_window_bits' : '');
        const text = 'the same words again '.repeat(200);
        const again = new Promise((resolve) => {
          socket.on('message', (data) => { if (data.toString().startsWith('431')) resolve(JSON.parse(data.toString().slice(3))); });
        });
        socket.send(`421["echo",${JSON.stringify(text)}]`);
        assert.deepStrictEqual(await within('an echo', again), [text]);
        socket.close();
      });
    }
    await everybody('compression', echoes);
  },

  /** Requests of one session at the same time. */
  async together() {
    const open = async () => {
      const query = 'EIO=4&transport=polling';
      const [, text] = await poll(query);
      const session = `${query}&sid=${JSON.parse(text.slice(1)).sid}`;
      await poll(session, '40');
      let got = '';
      while (!got.includes('40{')) [, got] = await poll(session);
      // What the backend says first may come by itself.
      if (!got.includes('welcome')) await poll(session);
      return session;
    };
    await check('a poll waits while packets are posted', async () => {
      const session = await open();
      const waiting = poll(session);
      for (let i = 0; i < 3; i += 1) assert.deepStrictEqual(await poll(session, '2'.replace('2', '3')), [200, 'ok']);
      assert.deepStrictEqual(await poll(session, '420["echo","x"]'), [200, 'ok']);
      let [, got] = await waiting;
      // A heartbeat may come first.
      while (!got.includes('430')) [, got] = await poll(session);
      assert.ok(got.includes('430["x"]'), got);
    });
    await check('two polls at a time end the session', async () => {
      const session = await open();
      const answers = await Promise.all([poll(session), poll(session)]);
      const statuses = answers.map(([status]) => status);
      assert.ok(statuses.includes(400), JSON.stringify(answers));
      assert.strictEqual((await poll(session))[0], 400);
    });
    await check('two posts at a time arrive', async () => {
      const session = await open();
      const posts = [0, 1].map((n) => poll(session, `42${n}["echo",${n}]`));
      for (const post of posts) assert.deepStrictEqual(await post, [200, 'ok']);
      const got = [];
      while (!(got.join().includes('430[0]') && got.join().includes('431[1]'))) got.push((await poll(session))[1]);
    });
  },
};

run(ways[way]);

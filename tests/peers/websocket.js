// Node's ws on both sides of the proxy. Usage: node websocket.js http://PROXY:PORT http://BACKEND:PORT PROXY_PID
// The backend is websocket-backend.js. Sockets on /translated have rules, which turn what the client sends and gets into
// what the backend gets and sends; those on /passed have none. At the end the proxy of that process is told to drain.
// Prints a line per check, tab-separated: ok NAME, or failed NAME EXPECTED FOUND; then done.
'use strict';
const assert = require('node:assert');
const WebSocket = require('ws');
const checks = require('./checks.js');

const { run, within } = checks;

const [, , proxy, backend, pid] = process.argv;
const PATHS = ['translated', 'passed'];
let sockets = 0;

const check = (name, body) => checks.check(`ws: ${name}`, body);

/** A client whose messages are read one at a time. */
class Client {
  constructor(path, { deflate = false, backendDeflate = false, protocols = [], protocol = '' } = {}) {
    sockets += 1;
    this.id = sockets;
    const query = new URLSearchParams({ id: this.id, protocol, deflate: JSON.stringify(backendDeflate) });
    const options = { perMessageDeflate: deflate, headers: { 'api-version': '2' } };
    this.socket = new WebSocket(`${proxy.replace('http', 'ws')}/${path}?${query}`, protocols, options);
    this.messages = [];
    this.waiting = [];
    this.socket.on('upgrade', (response) => { this.extensions = response.headers['sec-websocket-extensions'] ?? ''; });
    this.opened = new Promise((resolve, reject) => {
      this.socket.on('open', resolve);
      this.socket.on('error', reject);
    });
    this.opened.catch(() => {});
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve([code, reason.toString()]));
    });
    this.socket.on('message', (data, isBinary) => {
      const message = isBinary ? data : data.toString();
      const waiting = this.waiting.shift();
      if (waiting) waiting(message);
      else this.messages.push(message);
    });
  }

  next() {
    if (this.messages.length) return Promise.resolve(this.messages.shift());
    return within('a message', new Promise((resolve) => this.waiting.push(resolve)));
  }

  /** What the backend has sent back. */
  async echo(message) {
    this.socket.send(message);
    return this.next();
  }

  /** How the backend was closed. */
  async end() {
    return (await within('the end of the backend', fetch(`${backend}/ends/${this.id}`))).json();
  }
}

/** Runs a scene with a client, and leaves. */
async function scene(name, path, options, body) {
  await check(`${path}: ${name}`, async () => {
    const client = new Client(path, options);
    try {
      await within('an open socket', client.opened);
      await body(client);
    } finally {
      client.socket.terminate();
    }
  });
}

const said = (body) => JSON.stringify({ type: 'message.send', body });

/** A message in fragments that cut characters, with pings between them. */
async function inFragments(client, text) {
  const bytes = Buffer.from(text);
  const size = Math.ceil(bytes.length / 7) + 1;
  for (let at = 0; at < bytes.length; at += size) {
    client.socket.send(bytes.subarray(at, at + size), { binary: false, fin: at + size >= bytes.length });
    const pong = new Promise((resolve) => client.socket.once('pong', (data) => resolve(data.toString())));
    client.socket.ping(`at ${at}`);
    assert.strictEqual(await within('a pong', pong), `at ${at}`);
  }
}

/** All that messages can be. */
async function messages(client) {
  const text = said('the same words again, and é日🙂 '.repeat(30));
  for (let turn = 0; turn < 3; turn += 1) assert.strictEqual(await client.echo(text), text);
  for (const message of ['', said(''), 'no JSON', said('🙂')]) assert.strictEqual(await client.echo(message), message);
  for (const bytes of [Buffer.alloc(0), Buffer.from([0, 255, 4]), Buffer.alloc(3000, 'ab')]) {
    assert.ok(bytes.equals(await client.echo(bytes)), `${bytes.length} bytes`);
  }
  await inFragments(client, text);
  assert.strictEqual(await client.next(), text);
  const fragments = said('é日🙂'.repeat(50));
  client.socket.send(`!fragments ${fragments.replace('message.send', 'say').replace('body', 'text')}`);
  const got = await client.next();
  assert.ok(got === fragments || got === fragments.replace('message.send', 'say').replace('body', 'text'), got);
}

const bits = (n, keeps) => ({
  serverMaxWindowBits: n, clientMaxWindowBits: n, serverNoContextTakeover: !keeps, clientNoContextTakeover: !keeps, threshold: 0,
});

async function compression() {
  const plain = { threshold: 0 };
  for (const path of PATHS) {
    const run = (name, deflate, backendDeflate) => scene(`messages, ${name}`, path, { deflate, backendDeflate }, messages);
    await run('not compressed', false, false);
    await run('compressed', plain, plain);
    await run('compressed for the client', plain, false);
    await run('not compressed for a client that does not ask', false, plain);
    for (let n = 9; n <= 15; n += 1) {
      for (const keeps of [true, false]) {
        // A backend takes what a client offers as it is where nobody reads between them.
        const other = path === 'passed' ? bits(n, keeps) : bits(24 - n, !keeps);
        const context = keeps ? 'with context' : 'without context';
        await run(`a window of ${n} bits ${context}, another for the backend`, bits(n, keeps), other);
      }
    }
  }
  await scene('each leg has its own compression', 'translated', { deflate: bits(10, false), backendDeflate: plain }, async (client) => {
    const mine = client.extensions;
    for (const part of ['server_no_context_takeover', 'client_no_context_takeover', 'server_max_window_bits=10']) {
      assert.ok(mine.includes(part), mine);
    }
    assert.strictEqual(await client.echo('!extensions'), '!extensions permessage-deflate');
  });
  await scene('compression is agreed on end to end', 'passed', { deflate: bits(10, false), backendDeflate: plain }, async (client) => {
    assert.strictEqual(await client.echo('!extensions'), `!extensions ${client.extensions}`);
  });
}

async function sizes() {
  for (const path of PATHS) {
    for (const [name, deflate] of [['plain', false], ['compressed', { threshold: 0 }]]) {
      await scene(`1 MB, ${name}`, path, { deflate, backendDeflate: deflate }, async (client) => {
        const text = said('é日🙂 '.repeat(100_000));
        assert.ok(text === await client.echo(text), 'text');
        const bytes = require('node:crypto').randomBytes(1 << 20);
        assert.ok(bytes.equals(await client.echo(bytes)), 'bytes');
        await inFragments(client, text);
        assert.ok(text === await client.next(), 'fragments');
      });
    }
    await scene('200 messages in order', path, {}, async (client) => {
      for (let i = 0; i < 200; i += 1) client.socket.send(said(`${i}`));
      for (let i = 0; i < 200; i += 1) assert.strictEqual(await client.next(), said(`${i}`));
    });
  }
}

async function protocols() {
  for (const path of PATHS) {
    const offer = { protocols: ['other', 'chat'] };
    await scene('a subprotocol is agreed on', path, { ...offer, protocol: 'chat' }, async ({ socket }) => {
      assert.strictEqual(socket.protocol, 'chat');
    });
    await check(`${path}: a backend that takes no subprotocol is heard`, async () => {
      const client = new Client(path, offer);
      await assert.rejects(within('a refusal', client.opened), /no subprotocol/);
    });
    await scene('no subprotocol', path, {}, async ({ socket }) => assert.strictEqual(socket.protocol, ''));
  }
}

async function ends() {
  for (const path of PATHS) {
    for (const [code, reason] of [[1000, ''], [1000, 'bye'], [1001, ''], [3000, 'why é🙂'], [4999, 'x'.repeat(123)], [undefined, '']]) {
      const seen = [code ?? 1005, reason];
      const name = code ? `${code} ${reason.slice(0, 10)}` : 'no code';
      await scene(`a client closes with ${name}`, path, {}, async (client) => {
        client.socket.close(code, reason);
        assert.deepStrictEqual(await client.end(), seen);
        assert.deepStrictEqual(await within('the end', client.closed), seen);
      });
      await scene(`a backend closes with ${name}`, path, {}, async (client) => {
        client.socket.send(`!close ${code ?? ''} ${reason}`.trim());
        assert.deepStrictEqual(await within('the end', client.closed), seen);
        assert.deepStrictEqual(await client.end(), seen);
      });
    }
    const [left, died] = path === 'translated'
      ? [[1001, 'the client is gone'], [1011, 'the backend is gone']]
      : [[1006, ''], [1006, '']];
    await scene('a client vanishes', path, {}, async (client) => {
      client.socket.terminate();
      assert.deepStrictEqual(await client.end(), left);
    });
    await scene('a backend vanishes', path, {}, async (client) => {
      client.socket.send('!die');
      assert.deepStrictEqual(await within('the end', client.closed), died);
    });
    await scene('a backend pings', path, {}, async (client) => {
      assert.strictEqual(await client.echo('!ping hello'), '!pong hello');
    });
  }
}

async function drain() {
  const clients = PATHS.map((path) => new Client(path));
  await check('draining closes with 1001 on both sides', async () => {
    await Promise.all(clients.map((client) => within('an open socket', client.opened)));
    process.kill(Number(pid), 'SIGTERM');
    for (const client of clients) {
      assert.strictEqual((await within('the end', client.closed))[0], 1001);
      assert.strictEqual((await client.end())[0], 1001);
    }
  });
}

async function main() {
  await compression();
  await sizes();
  await protocols();
  await ends();
  await drain();
}

run(main);

// Real Socket.IO clients of all generations against the proxy. Usage: node socketio.js http://HOST:PORT 1|2|4 BACKEND
// The backend is socketio-backend.js of generation BACKEND. Prints a line per check, tab-separated: ok NAME, or
// failed NAME EXPECTED FOUND; then done.
'use strict';
const assert = require('node:assert');
const { ask, check, once, run, within } = require('./checks.js');

const [, , base, generation, backend] = process.argv;
const io = generation === '4' ? require('socket.io-client-4').io : require(`socket.io-client-${generation}`);
/** Whether the client is of Engine.IO 3. */
const isOlder = generation !== '4';
const TRANSPORTS = { websocket: ['websocket'], polling: ['polling'], upgrade: ['polling', 'websocket'] };
const VERSION = 'version 2: ';

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
/** What a refused namespace is told: an event of its own name in each generation. */
const refusal = (socket) => once(socket, isOlder ? 'error' : 'connect_error').then(([error]) => error);

/** Opens a client, runs a scene with it, and leaves. */
async function scene(label, transports, options, body) {
  await check(label, async () => {
    const socket = io(base, { transports, forceNew: true, reconnectionDelay: 50, ...options });
    try {
      await body(socket);
    } finally {
      socket.disconnect();
    }
  });
}

async function all(how, transports, query, v2) {
  const of = (name) => `${generation}.x before ${backend}.x, ${how}: ${v2 ? VERSION : ''}${name}`;
  const run = (name, body, options = {}) => scene(of(name), transports, { query, ...options }, body);
  const say = v2 ? ['message.send', { text: 'hé 🙂' }] : ['say', 'hé 🙂'];

  await run('connects, and the query arrives', async (socket) => {
    const [welcome] = await once(socket, v2 ? 'server.welcome' : 'welcome');
    assert.strictEqual(welcome.special, 'a b&c=d/é🙂?');
    assert.ok(socket.connected);
  });

  await run('emits with acknowledgements both ways', async (socket) => {
    const [answer] = await ask(socket, ...say);
    assert.strictEqual(answer.said, 'hé 🙂');
    socket.on('question', (text, reply) => reply(`${text} 42`, { n: [1] }));
    assert.deepStrictEqual(await ask(socket, 'ask me'), ['how many? 42', { n: [1] }]);
  });

  await run('has the identifier that the backend knows', async (socket) => {
    const [answer] = await ask(socket, ...say);
    assert.strictEqual(answer.id, socket.id);
  });

  await run('carries binary data both ways', async (socket) => {
    const sent = [Buffer.from([4, 0, 255, 30, 98, 52]), Buffer.alloc(0), Buffer.alloc(3000, 7)];
    const [first, { deep: [second] }, third] = await ask(socket, 'echo', sent[0], { deep: [sent[1]] }, sent[2]);
    for (const [i, found] of [first, second, third].entries()) assert.ok(sent[i].equals(Buffer.from(found)), `part ${i}`);
  });

  await run('carries 1 MB of text and of bytes', async (socket) => {
    const text = 'é'.repeat(500_000);
    assert.strictEqual((await ask(socket, 'echo', text))[0], text);
    const bytes = Buffer.alloc(1_000_000, 200);
    assert.ok(bytes.equals(Buffer.from((await ask(socket, 'echo', bytes))[0])));
  });

  await run('keeps 200 messages in order, both ways', async (socket) => {
    const seen = [];
    const last = new Promise((resolve) => {
      socket.on('counted', (number) => {
        seen.push(number);
        if (seen.length === 200) resolve();
      });
    });
    for (let i = 0; i < 200; i += 1) socket.emit('count', i);
    await within('200 messages', last);
    assert.deepStrictEqual(seen, Array.from({ length: 200 }, (_, i) => i));
  });

  await run('joins rooms', async (socket) => {
    await ask(socket, 'join', 'room');
    const told = once(socket, 'told');
    socket.emit('tell', 'room', 'all of you');
    assert.deepStrictEqual(await told, ['all of you']);
  });

  await run('lives through three heartbeats', async (socket) => {
    await once(socket, 'connect');
    let lost;
    socket.on('disconnect', (reason) => { lost = reason; });
    await sleep(1700);
    assert.strictEqual(lost, undefined);
    assert.deepStrictEqual(await ask(socket, 'echo', 'alive'), ['alive']);
  });

  await run('hears that the backend sends it away, and stays away', async (socket) => {
    await once(socket, 'connect');
    socket.emit('kick');
    assert.deepStrictEqual((await once(socket, 'disconnect'))[0], 'io server disconnect');
  });

  await run('connects again after its connection broke', async (socket) => {
    await once(socket, 'connect');
    socket.io.engine.close();
    await once(socket, 'connect');
    assert.deepStrictEqual(await ask(socket, 'echo', 1), [1]);
  });

  const namespace = (name, said, options = {}) => {
    const own = isOlder ? { query: said } : { auth: said };
    return io(`${base}${name}`, { transports, forceNew: true, query, ...options, ...own });
  };

  await check(of('joins a namespace with what it says for itself'), async () => {
    const socket = namespace('/guarded', { token: 'secret' });
    try {
      assert.deepStrictEqual(await once(socket, 'inside'), ['secret']);
    } finally {
      socket.disconnect();
    }
  });

  await check(of('is refused by a namespace, with data or without'), async () => {
    for (const data of ['', '1']) {
      const socket = namespace('/guarded', { token: 'wrong', data });
      const error = await refusal(socket);
      socket.disconnect();
      if (isOlder) assert.deepStrictEqual(error, data ? { code: 'E_AUTH' } : 'not authorized');
      else if (backend === '4' || !data) assert.strictEqual(error.message, 'not authorized');
      if (generation === '4' && data) assert.deepStrictEqual(error.data, { code: 'E_AUTH' });
    }
  });

  await check(of('is refused by a namespace that does not exist'), async () => {
    const socket = namespace('/nowhere', {});
    const error = await refusal(socket);
    socket.disconnect();
    assert.strictEqual(isOlder ? error : error.message, 'Invalid namespace');
  });
}

async function main() {
  for (const [how, transports] of Object.entries(TRANSPORTS)) {
    await all(how, transports, { special: 'a b&c=d/é🙂?' }, false);
    await all(how, transports, { special: 'a b&c=d/é🙂?', version: '2' }, true);
  }
}

run(main);

// A soak of sockets: many of them open for long, half of them plain WebSockets and half Socket.IO clients of both generations
// before backends of both, while rules are reloaded and half of the backends are killed again and again. Fails if a message on
// a socket that stayed up was lost, doubled or out of order, if a socket broke whose backend lived, or if memory grew.
//
// Usage: node tests/soak-sockets.js [SOCKETS [SECONDS]], by default 1000 for 600 seconds.
// LEGATO=path tests another binary than target/release/legato. Linux, Node 20, and what tests/peers/socketio.sh and
// tests/peers/websocket.sh have installed in target/peers.
'use strict';
const { fork, spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const peer = (name) => require(path.join(root, 'target/peers/node_modules', name));

const SOCKETS = Number(process.argv[2] ?? 1000);
const SECONDS = Number(process.argv[3] ?? 600);
/** How often a socket says something, on the average. */
const TALK_MS = 2000;
const TICK_MS = 3000;
const RELOAD_MS = 1000;
const KILL_MS = 4000;
/** How long the last messages have. */
const PATIENCE_MS = 60_000;
/** Megabytes that memory may grow by once everything has been used. */
const GROWTH = 16;
const KINDS = ['plain', 'eio3', 'eio4'];

// --- backends, each in a process of its own --------------------------------------------------------------------------
// They speak version 1. Each message has the number that the client gives it, and is answered with its text.

function backend(kind, port, lives) {
  const server = http.createServer((_, response) => response.end());
  const wrong = (seen, expected) => console.error(`wrong: a ${kind} backend got ${seen}, expected ${expected}`);
  /** Talks to one client by `send(event, value)`; what it returns hears the client. */
  const talk = (send) => {
    let next = 0;
    let ticks = 0;
    send('hello', lives);
    const ticking = setInterval(() => { send('tick', ticks); ticks += 1; }, TICK_MS);
    return {
      hear(text) {
        const number = Number(text.split(' ', 1)[0]);
        if (number !== next) wrong(text.slice(0, 60), next);
        next = number + 1;
        return text;
      },
      end: () => clearInterval(ticking),
    };
  };
  if (kind === 'plain') {
    const { WebSocketServer } = peer('ws');
    new WebSocketServer({ server, perMessageDeflate: { threshold: 100 } }).on('connection', (socket) => {
      const client = talk((type, value) => socket.send(JSON.stringify({ type, value })));
      socket.on('message', (data) => socket.send(JSON.stringify({ type: 'msg', text: client.hear(JSON.parse(data).text) })));
      socket.on('close', client.end);
      socket.on('error', () => {});
    });
  } else {
    const options = { path: `/${kind}/socket.io/`, pingInterval: 5000, pingTimeout: 60_000, maxHttpBufferSize: 4e6 };
    const io = kind === 'eio3'
      ? peer('socket.io-2')(server, { ...options, wsEngine: 'ws' })
      : new (peer('socket.io-4').Server)(server, options);
    io.on('connection', (socket) => {
      const client = talk((event, value) => socket.emit(event, value));
      socket.on('say', (text, answer) => answer(client.hear(text)));
      socket.on('disconnect', client.end);
    });
  }
  server.listen(port, '127.0.0.1', () => console.log(server.address().port));
}

// --- clients ---------------------------------------------------------------------------------------------------------

/** What one process of clients has seen. */
const count = { sent: 0, answered: 0, ticks: 0, opened: 0, broken: 0, wrong: 0, lost: 0 };

function wrong(what) {
  count.wrong += 1;
  if (count.wrong < 5) console.error(`wrong: ${what}`);
}

/** One client: sessions one after the other, each of which ends with its connection. */
class Client {
  constructor(name) {
    this.name = name;
    this.session = null;
    this.talk();
  }

  begin() {
    count.opened += 1;
    this.number = (this.number ?? 0) + 1;
    this.session = { id: this.number, next: 0, ticks: 0, waiting: [], lives: false };
    return this.session;
  }

  end(why) {
    if (this.session?.lives && !stopping) wrong(`${this.name} broke, whose backend lives: ${why}`);
    if (this.session) count.broken += 1;
    this.session = null;
  }

  hello(session, lives) {
    session.lives = lives;
  }

  tick(session, number) {
    if (number !== session.ticks) wrong(`${this.name} was told tick ${number}, expected ${session.ticks}`);
    session.ticks = number + 1;
    count.ticks += 1;
  }

  answer(session, text) {
    const expected = session.waiting.shift();
    if (text !== expected) wrong(`${this.name} was answered ${String(text).slice(0, 40)}, expected ${String(expected).slice(0, 40)}`);
    count.answered += 1;
  }

  talk() {
    setTimeout(() => {
      if (stopping) return;
      const { session } = this;
      if (session && this.isOpen()) {
        // Large at first, so that buffers and contexts are soon what they will be.
        const size = session.next === 0 || Math.random() < 0.01 ? 100_000 : Math.floor(Math.random() * 1000);
        const text = `${session.next} ${this.name}#${session.id} ${'é日🙂 '.repeat(size / 4)}`;
        session.next += 1;
        session.waiting.push(text);
        count.sent += 1;
        this.say(session, text);
      }
      this.talk();
    }, TALK_MS * (0.5 + Math.random()));
  }
}

/** A WebSocket: of version 2, which is translated, or of version 1; compressed or not. */
class Plain extends Client {
  constructor(base, number) {
    super(`plain socket ${number}`);
    this.base = base;
    this.isNew = number % 2 === 0;
    this.deflate = number % 3 === 0;
    this.open();
  }

  open() {
    const headers = { host: 'plain', 'api-version': this.isNew ? '2' : '1' };
    this.socket = new (peer('ws'))(`${this.base.replace('http', 'ws')}/ws`, { perMessageDeflate: this.deflate, headers });
    let session;
    this.socket.on('open', () => { session = this.begin(); });
    this.socket.on('message', (data) => {
      const message = JSON.parse(data);
      if (message.type === 'hello') this.hello(session, message.value);
      else if (message.type === 'tick') this.tick(session, message.value);
      else if (message.type !== (this.isNew ? 'message.created' : 'msg')) wrong(`${this.name} was sent ${message.type}`);
      else this.answer(session, this.isNew ? message.body : message.text);
    });
    this.socket.on('error', () => {});
    this.socket.on('close', (code, reason) => {
      this.end(`${code} ${reason}`);
      if (!stopping) setTimeout(() => this.open(), 200 + Math.random() * 500);
    });
  }

  isOpen() {
    return this.socket.readyState === 1;
  }

  say(_, text) {
    this.socket.send(JSON.stringify(this.isNew ? { type: 'message.send', body: text } : { type: 'say', text }));
  }
}

/** A client of Socket.IO, of either generation and version, over each transport. */
class SocketIo extends Client {
  constructor(base, generation, kind, number) {
    super(`client ${number} of ${generation}.x before ${kind}`);
    const io = generation === 2 ? peer('socket.io-client-2') : peer('socket.io-client-4').io;
    this.isNew = number % 2 === 0;
    const transports = [['websocket'], ['polling'], ['polling', 'websocket']][number % 3];
    this.socket = io(base, {
      transports, forceNew: true, query: { version: this.isNew ? '2' : '1' }, path: `/${kind}/socket.io/`,
      reconnectionDelay: 200, reconnectionDelayMax: 1000,
    });
    this.socket.on('connect', () => this.begin());
    this.socket.on('disconnect', (reason) => this.end(reason));
    // What the backend says first may come before this side knows that it is connected.
    this.socket.on(this.isNew ? 'server.hello' : 'hello', (lives) => this.hello(this.session, lives));
    this.socket.on('tick', (number) => this.tick(this.session, number));
  }

  /** Newer clients keep what they are given once a ping is overdue, and send it on their next connection. */
  isOpen() {
    return this.socket.connected && !this.socket.io.engine?._hasPingExpired?.();
  }

  say(session, text) {
    const [event, value] = this.isNew ? ['message.send', { text }] : ['say', text];
    this.socket.emit(event, value, (answer) => { if (session === this.session) this.answer(session, answer); });
  }
}

let stopping = false;

async function clients(base, kind, amount) {
  const all = Array.from({ length: amount }, (_, number) => (kind === 'plain'
    ? new Plain(base, number)
    : new SocketIo(base, number % 4 < 2 ? 2 : 4, kind, number)));
  setInterval(() => process.send(count), 1000);
  process.on('message', async () => {
    stopping = true;
    const late = Date.now() + PATIENCE_MS;
    const waiting = () => all.reduce((sum, client) => sum + (client.session?.waiting.length ?? 0), 0);
    while (waiting() > 0 && Date.now() < late) await new Promise((resolve) => { setTimeout(resolve, 100); });
    count.lost = waiting();
    process.send({ ...count, open: all.filter((client) => client.session).length, done: true });
  });
}

// --- the proxy and what happens to it --------------------------------------------------------------------------------

let work;
const children = new Set();

function start(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', fs.openSync(path.join(work, 'log'), 'a')] });
  children.add(child);
  child.on('exit', () => children.delete(child));
  let lines = '';
  child.lines = (amount) => new Promise((resolve, reject) => {
    const look = () => { const all = lines.split('\n'); if (all.length > amount) resolve(all); };
    child.stdout.on('data', (data) => { lines += data; look(); });
    child.on('exit', () => reject(new Error(`${command} has ended: ${fs.readFileSync(path.join(work, 'log'))}`)));
    look();
  });
  return child;
}

async function startBackend(kind, lives, port = 0) {
  const child = start(process.execPath, [__filename, '--backend', kind, String(port), lives ? 'lives' : 'dies']);
  const [line] = await child.lines(1);
  return { kind, child, lives, port: Number(line) };
}

function write(file, contents) {
  const name = path.join(work, file);
  fs.mkdirSync(path.dirname(name), { recursive: true });
  fs.writeFileSync(name, contents);
}

const API = 'legato: 1\napi: NAME\nversions: [{id: "1"}, {id: "2"}]\n' +
  'client_version: [{header: api-version}, {query: version}, {default: "1"}]\n';
const CHANGE = `change: events
since: "2"
summary: Events have other names and shapes
apply:
  - ws: /ws
    client: {discriminator: /type, frames: {say: {as: message.send, ops: [{rename: {/text: body}}]}}}
    server: {discriminator: /type, frames: {msg: {as: message.created, ops: [{rename: {/text: body}}]}}}
  - socketio: /
    client: {events: {say: {as: message.send, args: [{wrap: {at: /0, into: {key: text}}}]}}}
    server: {events: {hello: {as: server.hello}}}
`;
const change = (kind) => `rules/${kind}/changes/2/20250101000000_events.yaml`;

async function startProxy(backends) {
  let config = 'legato: 1\nlisten: [{address: "127.0.0.1:0"}]\nadmin: {address: "127.0.0.1:0"}\nrules: rules\naccess_log: "off"\napis:\n';
  for (const kind of KINDS) {
    write(`rules/${kind}/api.yaml`, API.replace('NAME', kind));
    write(change(kind), CHANGE);
    const endpoints = backends.filter((one) => one.kind === kind).map(({ port }) => `"http://127.0.0.1:${port}"`).join(', ');
    const match = kind === 'plain' ? 'hosts: [plain]' : `prefix: /${kind}`;
    const socketio = kind === 'plain' ? '' : `, socketio: {path: /${kind}/socket.io/, backend: ${kind}}`;
    config += `  ${kind}: {match: {${match}}, backends: {legacy: {speaks: "1", endpoints: [${endpoints}]}}${socketio}}\n`;
  }
  write('legato.yaml', config);
  const legato = process.env.LEGATO ?? path.join(root, 'target/release/legato');
  const child = start(legato, ['serve', '--config', path.join(work, 'legato.yaml')]);
  const lines = await child.lines(2);
  const url = (line) => line.slice(line.indexOf('http'));
  return { child, base: url(lines[0]), admin: url(lines[1]) };
}

/** Megabytes that a process has resident. */
const memory = (child) => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024;
const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
const peak = (of) => Math.max(...of, 0);

async function main() {
  work = fs.mkdtempSync(path.join(os.tmpdir(), 'legato-soak-'));
  process.on('exit', () => { for (const child of children) child.kill('SIGKILL'); fs.rmSync(work, { recursive: true }); });
  const backends = [];
  for (const kind of KINDS) for (const lives of [true, false]) backends.push(await startBackend(kind, lives));
  const proxy = await startProxy(backends);
  const groups = KINDS.map((kind) => {
    const child = fork(__filename, ['--clients', proxy.base, kind, String(Math.round(SOCKETS * (kind === 'plain' ? 0.5 : 0.25)))]);
    children.add(child);
    const group = { kind, child, seen: {} };
    group.done = new Promise((resolve) => {
      child.on('message', (seen) => { if (!group.seen.done) group.seen = seen; if (seen.done) resolve(); });
      child.on('exit', resolve);
    });
    return group;
  });

  const happened = { reloads: 0, kills: 0 };
  const samples = [];
  const sampling = setInterval(() => samples.push(memory(proxy.child)), 1000);
  const reloading = setInterval(async () => {
    const kind = KINDS[happened.reloads % KINDS.length];
    write(change(kind), `${CHANGE}# ${happened.reloads}\n`);
    const response = await fetch(`${proxy.admin}/api/reload`, { method: 'POST' });
    if (response.ok) happened.reloads += 1;
  }, RELOAD_MS);
  const mortals = backends.filter((one) => !one.lives);
  const killing = setInterval(async () => {
    const victim = mortals[happened.kills % mortals.length];
    if (!victim.child) return;
    happened.kills += 1;
    const { child } = victim;
    victim.child = null;
    child.kill(happened.kills % 2 ? 'SIGKILL' : 'SIGTERM');
    await new Promise((resolve) => { child.on('exit', resolve); });
    ({ child: victim.child } = await startBackend(victim.kind, false, victim.port));
  }, KILL_MS);

  await sleep(SECONDS * 1000);
  [sampling, reloading, killing].forEach(clearInterval);
  for (const { child } of groups) child.send('stop');
  await Promise.all(groups.map((group) => group.done));

  const log = fs.readFileSync(path.join(work, 'log'), 'utf8').split('\n').filter((line) => line.startsWith('wrong'));
  const quarter = peak(samples.slice(Math.floor(samples.length / 4), Math.floor(samples.length / 2)));
  const last = peak(samples.slice(-Math.ceil(samples.length / 4)));
  const show = (columns) => Object.entries(columns).map(([key, value]) => `${key} ${value}`).join(', ');
  for (const { kind, seen } of groups) console.log(`${kind.padEnd(8)}${show(seen)}`);
  console.log(`${SOCKETS} sockets, ${SECONDS} seconds: ${show(happened)}, wrong at backends ${log.length}`);
  console.log(`memory in MB: second quarter ${quarter.toFixed(1)}, last quarter ${last.toFixed(1)}, end ${memory(proxy.child).toFixed(1)}`);
  log.slice(0, 5).forEach((line) => console.log(line));
  const failed = log.length > 0 || last - quarter > GROWTH || groups.some(({ seen }) => !seen.done || seen.wrong > 0 || seen.lost > 0 || seen.answered === 0);
  process.exit(failed ? 1 : 0);
}

const [, , role, ...rest] = process.argv;
if (role === '--backend') backend(rest[0], Number(rest[1]), rest[2] === 'lives');
else if (role === '--clients') clients(rest[0], rest[1], Number(rest[2]));
else main().catch((error) => { console.error(error); process.exit(1); });

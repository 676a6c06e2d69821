// A soak: very many requests while rules are reloaded and endpoints are killed, then very many repetitions of each
// fault. Reports what was answered, and how much memory the proxy had. Fails if an answer was wrong or memory grew.
//
// Usage: node tests/soak.js [REQUESTS [FAULTS]], by default a million and a hundred thousand of each fault.
// LEGATO=path tests another binary than target/release/legato. Linux, Node 20; nothing else is needed.
'use strict';
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const zlib = require('node:zlib');

const REQUESTS = Number(process.argv[2] ?? 1_000_000);
const FAULTS = Number(process.argv[3] ?? 100_000);
/** Clients at one time. Each has an API of its own, so that what it does to its endpoints is no other's fault. */
const LANES = 16;
const RELOAD_MS = 500;
const KILL_MS = 2000;
/** Of how many requests one may be refused: those that an endpoint had when it was killed, and those that come in the
 * second after both have failed, since one is killed within the time that the other one is given. */
const REFUSED_OF = 100;
/** Megabytes that memory may grow by once everything has been used. */
const GROWTH = 16;

// --- a backend, in a process of its own ------------------------------------------------------------------------------

const text = (n) => `message ${n} ${'x'.repeat(n % 3000)}`;
const old = (n) => JSON.stringify({ text: text(n), n });
const translated = (n) => JSON.stringify({ body: text(n), n });

function backend(port) {
  const answer = (body, more = '') =>
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${more}content-length: ${body.length}\r\n\r\n${body}`;
  const server = net.createServer((socket) => {
    let seen = '';
    socket.on('error', () => {});
    socket.on('data', (data) => {
      seen += data.toString('latin1');
      for (;;) {
        const head = seen.indexOf('\r\n\r\n');
        if (head < 0) return;
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(seen.slice(0, head))?.[1] ?? 0);
        if (seen.length < head + 4 + length) return;
        const target = seen.slice(seen.indexOf(' ') + 1, seen.indexOf(' HTTP'));
        const body = seen.slice(head + 4, head + 4 + length);
        seen = seen.slice(head + 4 + length);
        const [, kind, number] = /^\/(\w+)(?:\/(\d+))?/.exec(target) ?? [];
        if (kind === 'm') socket.write(answer(old(Number(number))));
        else if (kind === 'echo') socket.write(answer(body));
        else if (kind === 'close') return socket.destroy();
        else if (kind === 'garbage') return socket.end('what is this?\r\n\r\n');
        else if (kind === 'cut') return socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf');
        else if (kind === 'both') return socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx');
        else if (kind === 'cutgzip') {
          const packed = zlib.gzipSync(old(1000)).subarray(0, 30);
          socket.write(answer('', '').replace('content-length: 0', `content-encoding: gzip\r\ncontent-length: ${packed.length}`));
          socket.write(packed);
        } else if (kind === 'bomb') {
          socket.write(answer('', '').replace('content-length: 0', `content-encoding: gzip\r\ncontent-length: ${bomb.length}`));
          socket.write(bomb);
        } else if (kind === 'bad') socket.write(answer('{"text":'));
        else socket.write('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n');
      }
    });
  });
  const bomb = zlib.gzipSync(Buffer.alloc(20_000_000, ' '));
  server.listen(port, '127.0.0.1', () => console.log(server.address().port));
}

// --- a client --------------------------------------------------------------------------------------------------------

/** A connection of HTTP/1.1 that reads one answer after the other. */
class Line {
  constructor(port) {
    this.port = port;
    this.socket = null;
  }

  open() {
    if (this.socket && !this.socket.destroyed) return this.socket;
    const socket = net.connect(this.port, '127.0.0.1');
    socket.setNoDelay(true);
    this.seen = '';
    socket.on('data', (data) => { this.seen += data.toString('latin1'); this.look(); });
    socket.on('error', () => {});
    socket.on('close', () => { if (this.socket === socket) { this.socket = null; this.settle?.({ status: 0, body: '' }); } });
    this.socket = socket;
    return socket;
  }

  look() {
    const end = this.seen.indexOf('\r\n\r\n');
    if (end < 0 || !this.settle) return;
    const head = this.seen.slice(0, end);
    const status = Number(head.slice(9, 12));
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? -1);
    if (length >= 0 && this.seen.length >= end + 4 + length) {
      const body = this.seen.slice(end + 4, end + 4 + length);
      this.seen = this.seen.slice(end + 4 + length);
      if (/\r\nconnection: close/i.test(head)) this.close();
      this.settle({ status, body });
      return;
    }
    // The answers of this soak that have no length are long ones: they end in an empty chunk.
    if (length < 0 && this.seen.endsWith('\r\n0\r\n\r\n')) {
      const body = this.seen.slice(end + 4).replace(/(^|\r\n)[0-9a-f]+\r\n/g, '').replace(/\r\n\r\n$/, '');
      this.seen = '';
      this.settle({ status, body });
    }
  }

  ask(bytes) {
    return new Promise((resolve) => {
      this.settle = (answer) => { this.settle = null; resolve(answer); };
      this.open().write(bytes);
    });
  }

  close() {
    const { socket } = this;
    this.socket = null;
    socket?.destroy();
  }
}

// --- the proxy -------------------------------------------------------------------------------------------------------

const root = path.resolve(__dirname, '..');
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'legato-soak-'));
const children = new Set();
process.on('exit', () => { for (const child of children) child.kill('SIGKILL'); fs.rmSync(work, { recursive: true }); });

function start(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', fs.openSync(path.join(work, 'log'), 'a')] });
  children.add(child);
  child.on('exit', () => children.delete(child));
  let lines = '';
  child.lines = (count) => new Promise((resolve, reject) => {
    const look = () => { const all = lines.split('\n'); if (all.length > count) resolve(all); };
    child.stdout.on('data', (data) => { lines += data; look(); });
    child.on('exit', () => reject(new Error(`${command} has ended: ${fs.readFileSync(path.join(work, 'log'))}`)));
    look();
  });
  return child;
}

async function startBackend(port = 0) {
  const child = start(process.execPath, [__filename, '--backend', String(port)]);
  const [line] = await child.lines(1);
  return { child, port: Number(line) };
}

function write(file, contents) {
  const name = path.join(work, file);
  fs.mkdirSync(path.dirname(name), { recursive: true });
  fs.writeFileSync(name, contents);
}

const API = 'legato: 1\napi: NAME\nversions: [{id: "1"}, {id: "2"}]\nclient_version: [{header: api-version}, {default: "1"}]\n';
const CHANGE = `change: text_to_body
since: "2"
summary: A message's text is its body
apply:
  - {http: "* /m/{n}", response: {2xx: [{rename: {/text: body}}]}}
  - http: ["POST /echo", "GET /bad", "GET /bomb", "GET /cutgzip"]
    request: [{rename: {/text: body}}]
    response: {2xx: [{rename: {/text: body}}]}
`;

async function startProxy(ports) {
  let config = 'legato: 1\nlisten: [{address: "127.0.0.1:0"}]\nadmin: {address: "127.0.0.1:0"}\nrules: rules\naccess_log: "off"\napis:\n';
  for (let lane = 0; lane < LANES; lane += 1) {
    const name = `lane${lane}`;
    write(`rules/${name}/api.yaml`, API.replace('NAME', name));
    write(`rules/${name}/changes/2/20250101000000_text_to_body.yaml`, CHANGE);
    const endpoints = ports.map((port) => `"http://127.0.0.1:${port}"`).join(', ');
    config += `  ${name}: {match: {hosts: [${name}]}, backends: {legacy: {speaks: "1", endpoints: [${endpoints}]}}}\n`;
  }
  write('legato.yaml', config);
  const legato = process.env.LEGATO ?? path.join(root, 'target/release/legato');
  const child = start(legato, ['serve', '--config', path.join(work, 'legato.yaml')]);
  const lines = await child.lines(2);
  const port = (line) => Number(line.slice(line.lastIndexOf(':') + 1));
  return { child, port: port(lines[0]), admin: port(lines[1]) };
}

/** Megabytes that a process has resident. */
const memory = (child) => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024;

const request = (lane, method, target, { version = 2, body = '', more = '' } = {}) =>
  `${method} ${target} HTTP/1.1\r\nhost: lane${lane}\r\napi-version: ${version}\r\n${more}` +
  (body ? `content-type: application/json\r\ncontent-length: ${body.length}\r\n` : '') + `\r\n${body}`;

let failed = false;
function report(name, columns) {
  console.log(`${name.padEnd(44)}${Object.entries(columns).map(([key, value]) => `${key} ${value}`).join(', ')}`);
}

// --- what is done ----------------------------------------------------------------------------------------------------

/** Requests that have to be answered, each by exactly its document. */
async function soak(proxy, backends) {
  const count = { right: 0, wrong: 0, 'refused with 502': 0, 'with 503': 0, reloads: 0, kills: 0 };
  let left = REQUESTS;
  const samples = [];
  const beginning = Date.now();
  const sampling = setInterval(() => samples.push(memory(proxy.child)), 1000);
  const reloading = setInterval(async () => {
    const lane = count.reloads % LANES;
    write(`rules/lane${lane}/changes/2/20250101000000_text_to_body.yaml`, `${CHANGE}# ${count.reloads}\n`);
    const { status } = await new Line(proxy.admin).ask('POST /api/reload HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
    if (status === 200) count.reloads += 1;
  }, RELOAD_MS);
  let starting = false;
  const killing = setInterval(async () => {
    // One of the two is there at any time, however long the other takes to start.
    if (starting) return;
    starting = true;
    const victim = backends[count.kills % backends.length];
    count.kills += 1;
    victim.child.kill('SIGKILL');
    ({ child: victim.child } = await startBackend(victim.port));
    starting = false;
  }, KILL_MS);

  await Promise.all(Array.from({ length: LANES }, async (_, lane) => {
    const line = new Line(proxy.port);
    for (let turn = 0; left > 0; turn += 1) {
      left -= 1;
      const n = (lane * 7919 + turn) % 100_000;
      const [asked, want] = turn % 10 === 0
        ? [request(lane, 'POST', '/echo', { body: translated(n) }), translated(n)]
        : [request(lane, 'GET', `/m/${n}`, { version: 1 + turn % 2 }), turn % 2 ? translated(n) : old(n)];
      const { status, body } = await line.ask(asked);
      if (status === 200 && body === want) count.right += 1;
      // An endpoint was killed while it had the request: that is said, and never half an answer.
      else if (status === 502) count['refused with 502'] += 1;
      else if (status === 503) count['with 503'] += 1;
      else {
        count.wrong += 1;
        if (count.wrong < 5) console.log(`wrong: ${status} ${body.slice(0, 200)}, expected ${want.slice(0, 200)}`);
      }
    }
    line.close();
  }));
  [sampling, reloading, killing].forEach(clearInterval);
  const quarter = samples.slice(Math.floor(samples.length / 4), Math.floor(samples.length / 2));
  const last = samples.slice(-Math.ceil(samples.length / 4));
  const peak = (of) => Math.max(...of, 0).toFixed(1);
  report(`${REQUESTS} requests`, { ...count, seconds: Math.round((Date.now() - beginning) / 1000) });
  report('memory in MB', { 'second quarter': peak(quarter), 'last quarter': peak(last), end: memory(proxy.child).toFixed(1) });
  if (count.wrong > 0 || count['refused with 502'] + count['with 503'] > REQUESTS / REFUSED_OF || peak(last) - peak(quarter) > GROWTH) failed = true;
}

const frame = (kind, flags, stream, payload) => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(kind, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};

/** Sends bytes over a connection of its own, and waits for its end or leaves. */
const raw = (port, bytes, leaves = false) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1');
  let seen = '';
  socket.on('error', () => {});
  socket.on('data', (data) => { seen += data.toString('latin1'); });
  socket.on('close', () => resolve({ status: Number(seen.slice(9, 12)) || 0, body: '' }));
  socket.write(bytes, () => { if (leaves) socket.destroy(); });
});

const h2 = [Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))];
const resets = Buffer.concat([...h2, ...Array.from({ length: 30 }, (_, n) =>
  Buffer.concat([frame(1, 5, 1 + 2 * n, Buffer.from([0x82, 0x86, 0x84, 0x41, 1, 0x68])), frame(3, 0, 1 + 2 * n, Buffer.from([0, 0, 0, 8]))]))]);
const pings = Buffer.concat([...h2, ...Array.from({ length: 1600 }, () => frame(6, 0, 0, Buffer.alloc(8)))]);

/** Each fault, and the statuses that it may be answered with. 0 is a connection that ends. */
const faults = {
  'both lengths': [[400], (proxy, lane) => raw(proxy.port, `POST / HTTP/1.1\r\nhost: lane${lane}\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n`)],
  'a bad chunk size': [[400, 0, 404], (proxy, lane) => raw(proxy.port, `POST /x HTTP/1.1\r\nhost: lane${lane}\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`)],
  'a client that leaves in its head': [[0], (proxy, lane) => raw(proxy.port, `GET / HTTP/1.1\r\nhost: lane${lane}`, true)],
  'a client that leaves in the response': [[0, 200], (proxy, lane) => raw(proxy.port, request(lane, 'GET', '/m/2999'), true)],
  'malformed JSON': [[400], (proxy, lane, line) => line.ask(request(lane, 'POST', '/echo', { body: '{"body":' }))],
  'an unknown version': [[400], (proxy, lane, line) => line.ask(request(lane, 'GET', '/m/1', { version: 9 }))],
  'no such API': [[404], (proxy, lane, line) => line.ask(request('x', 'GET', '/m/1'))],
  'a backend that closes': [[502], (proxy, lane, line) => line.ask(request(lane, 'POST', '/close', { body: 'x' }))],
  'a backend that is no HTTP': [[502], (proxy, lane, line) => line.ask(request(lane, 'GET', '/garbage'))],
  'a backend with two lengths': [[502], (proxy, lane, line) => line.ask(request(lane, 'GET', '/both'))],
  'half a response': [[0], (proxy, lane, line) => line.ask(request(lane, 'GET', '/cut'))],
  'malformed JSON of a backend': [[502], (proxy, lane, line) => line.ask(request(lane, 'GET', '/bad'))],
  'half a gzip': [[502], (proxy, lane, line) => line.ask(request(lane, 'GET', '/cutgzip'))],
  'a bomb': [[502], (proxy, lane, line) => line.ask(request(lane, 'GET', '/bomb'))],
  'rapid resets': [[0], (proxy) => raw(proxy.port, resets)],
  'a flood of pings': [[0], (proxy) => raw(proxy.port, pings)],
};

/** One fault after the other, with a good request behind each one. */
async function fault(proxy, name) {
  const [expected, cause] = faults[name];
  const count = { right: 0, wrong: 0 };
  let left = FAULTS;
  const samples = [memory(proxy.child)];
  const beginning = Date.now();
  const sampling = setInterval(() => samples.push(memory(proxy.child)), 1000);
  await Promise.all(Array.from({ length: LANES }, async (_, lane) => {
    const line = new Line(proxy.port);
    const good = new Line(proxy.port);
    for (let turn = 0; left > 0; turn += 1) {
      left -= 1;
      const { status } = await cause(proxy, lane, line);
      const { status: other, body } = await good.ask(request(lane, 'GET', `/m/${turn % 100}`));
      if (expected.includes(status) && other === 200 && body === translated(turn % 100)) count.right += 1;
      else {
        count.wrong += 1;
        if (count.wrong < 3) console.log(`wrong: ${name}: ${status}, and then ${other}`);
      }
    }
    [line, good].forEach((each) => each.close());
  }));
  clearInterval(sampling);
  const half = Math.max(...samples.slice(0, Math.ceil(samples.length / 2)));
  const end = memory(proxy.child);
  report(name, { ...count, seconds: Math.round((Date.now() - beginning) / 1000), 'memory in MB': `${half.toFixed(1)} then ${end.toFixed(1)}` });
  if (count.wrong > 0 || end - half > GROWTH) failed = true;
}

async function main() {
  const backends = [await startBackend(), await startBackend()];
  const proxy = await startProxy(backends.map(({ port }) => port));
  if (REQUESTS > 0) await soak(proxy, backends);
  if (FAULTS > 0) for (const name of Object.keys(faults)) await fault(proxy, name);
  process.exit(failed ? 1 : 0);
}

if (process.argv[2] === '--backend') backend(Number(process.argv[3]));
else main().catch((error) => { console.error(error); process.exit(1); });

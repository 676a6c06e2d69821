// Backends of version 1 for tests/peers/http.sh. Usage: node http-backend.js DIRECTORY, which has the certificates.
// Prints their addresses in one line: plain HTTP/1.1, HTTP/2 by prior knowledge, TLS, TLS with a certificate that has
// expired, TLS with one for another name.
'use strict';
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const http2 = require('node:http2');
const https = require('node:https');
const zlib = require('node:zlib');

const directory = process.argv[2];
const file = (name) => fs.readFileSync(`${directory}/${name}`);
const EVENTS = 5;

const coders = {
  identity: (bytes) => bytes,
  gzip: zlib.gzipSync,
  deflate: zlib.deflateSync,
  br: zlib.brotliCompressSync,
  zstd: (bytes) => execFileSync('zstd', ['-q', '-c'], { input: bytes }),
};

/** A document of version 1, of about as many bytes as are asked for. */
const document = (size) => JSON.stringify({ text: 'hello', n: 1.0, rest: 'x'.repeat(Math.max(0, size - 40)) });

// Streams of events that are open; each event is sent when /next is asked for, so that a reader can tell whether it
// gets one before the next one exists.
const streams = new Set();

function answer(request, response) {
  const url = new URL(request.url, 'http://backend');
  switch (url.pathname) {
    case '/m': {
      const coding = url.searchParams.get('coding') ?? 'identity';
      const body = coders[coding](Buffer.from(document(Number(url.searchParams.get('size') ?? 100))));
      const headers = { 'content-type': 'application/json', 'content-length': body.length };
      if (coding !== 'identity') headers['content-encoding'] = coding;
      response.writeHead(200, headers);
      response.end(body);
      return;
    }
    case '/echo':
    case '/up': {
      const kept = ['content-type', 'content-encoding'].filter((name) => request.headers[name]);
      response.writeHead(200, Object.fromEntries(kept.map((name) => [name, request.headers[name]])));
      request.pipe(response);
      return;
    }
    case '/events':
      response.writeHead(200, { 'content-type': 'text/event-stream', 'access-control-allow-origin': '*' });
      response.sent = 0;
      streams.add(response);
      response.on('close', () => streams.delete(response));
      return next();
    case '/next':
      next();
      response.writeHead(204, { 'access-control-allow-origin': '*' });
      response.end();
      return;
    default:
      response.writeHead(404);
      response.end();
  }
}

function next() {
  for (const stream of streams) {
    if (stream.sent === EVENTS) {
      stream.end();
      continue;
    }
    stream.sent += 1;
    stream.write(`event: said\nid: ${stream.sent}\ndata: {"text":"event ${stream.sent}"}\n\n`);
  }
}

const servers = [
  http.createServer(answer),
  http2.createServer(answer),
  https.createServer({ cert: file('good.pem'), key: file('good.key') }, answer),
  https.createServer({ cert: file('expired.pem'), key: file('expired.key') }, answer),
  https.createServer({ cert: file('other.pem'), key: file('other.key') }, answer),
];
const listening = servers.map((server) => new Promise((resolve) => {
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', () => resolve(server.address().port));
}));
Promise.all(listening).then((ports) => console.log(ports.join(' ')));

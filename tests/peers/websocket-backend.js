// A WebSocket server of Node's ws. Usage: node websocket-backend.js
// Prints its port. It sends back what it gets; a text that begins with `!` is an order. What it agrees on is in the query:
// `deflate` holds the options of permessage-deflate as JSON. GET /ends/ID says how the socket of that `id` was closed.
'use strict';
const http = require('node:http');
const { WebSocketServer } = require('ws');

const ends = new Map();
const waiting = new Map();

const server = http.createServer((request, response) => {
  const id = request.url.split('/').pop();
  const answer = () => response.end(JSON.stringify(ends.get(id)));
  if (ends.has(id)) answer();
  else waiting.set(id, answer);
});

/** A text in frames that cut every second character, with pings between them. */
async function inFragments(socket, text) {
  const bytes = Buffer.from(text);
  const size = Math.ceil(bytes.length / 5) + 1;
  for (let at = 0; at < bytes.length; at += size) {
    socket.send(bytes.subarray(at, at + size), { binary: false, fin: at + size >= bytes.length });
    socket.ping('between');
  }
}

const orders = {
  close: (socket, code, ...reason) => (code ? socket.close(Number(code), reason.join(' ')) : socket.close()),
  die: (socket) => socket.terminate(),
  ping: (socket, data) => {
    socket.once('pong', (answer) => socket.send(`!pong ${answer}`));
    socket.ping(data);
  },
  extensions: (socket) => socket.send(`!extensions ${socket.agreed}`),
  fragments: (socket, ...text) => inFragments(socket, text.join(' ')),
};

server.on('upgrade', (request, stream, head) => {
  const query = new URL(request.url, 'http://backend').searchParams;
  const protocol = query.get('protocol');
  const one = new WebSocketServer({
    noServer: true,
    perMessageDeflate: JSON.parse(query.get('deflate') ?? 'false'),
    handleProtocols: (offered) => (offered.has(protocol) ? protocol : false),
  });
  let agreed = '';
  one.on('headers', (lines) => {
    agreed = lines.find((line) => line.startsWith('Sec-WebSocket-Extensions'))?.split(': ')[1] ?? '';
  });
  one.handleUpgrade(request, stream, head, (socket) => {
    socket.agreed = agreed;
    socket.on('error', () => {});
    socket.on('close', (code, reason) => {
      const id = query.get('id');
      ends.set(id, [code, reason.toString()]);
      waiting.get(id)?.();
    });
    socket.on('message', (data, isBinary) => {
      const text = isBinary ? '' : data.toString();
      if (text === '' || text[0] !== '!') return socket.send(data, { binary: isBinary });
      const [name, ...rest] = text.slice(1).split(' ');
      return orders[name](socket, ...rest);
    });
  });
});

server.listen(0, '127.0.0.1', () => console.log(server.address().port));

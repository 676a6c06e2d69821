// What the page of browser.html talks to, by way of the proxy. Usage: node browser-backend.js
// Prints the ports of two servers: a small API of version 1 with server-sent events, a WebSocket and Socket.IO 2.x, and one
// with Socket.IO 4.x. What the page has found out comes in POST /report and is printed.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { WebSocketServer } = require('ws');

/** Scripts of npm packages, and where the page finds them. */
const scripts = {
  '/client-2.js': 'socket.io-client-2/dist/socket.io.js',
  '/client-4.js': 'socket.io-client-4/dist/socket.io.js',
};
const modules = process.env.NODE_PATH;

const server = http.createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://backend');
  let body = '';
  for await (const chunk of request) body += chunk;
  const answer = (type, text) => response.writeHead(200, { 'content-type': type }).end(text);
  if (pathname === '/page') return answer('text/html; charset=utf-8', fs.readFileSync(path.join(__dirname, 'browser.html')));
  if (scripts[pathname]) return answer('text/javascript', fs.readFileSync(path.join(modules, scripts[pathname])));
  if (pathname === '/message') return answer('application/json', '{"text":"hé 🙂"}');
  if (pathname === '/say') return answer('application/json', body);
  if (pathname === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const n of [1, 2, 3]) response.write(`id: ${n}\ndata: {"text":"event ${n}"}\n\n`);
    return undefined;
  }
  if (pathname === '/report') {
    answer('text/plain', 'thanks');
    return console.log(body);
  }
  return response.writeHead(404).end();
});

const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: { threshold: 0 } });
sockets.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => {
    if (data.toString() === '{"type":"quit"}') return socket.close(4001, 'bye é');
    return socket.send(data, { binary: isBinary });
  });
});
server.on('upgrade', (request, stream, head) => {
  if (!request.url.startsWith('/ws')) return;
  sockets.handleUpgrade(request, stream, head, (socket) => sockets.emit('connection', socket));
});

/** An echo of Socket.IO on a server. */
function echo(io) {
  io.on('connection', (socket) => {
    socket.emit('welcome', socket.id);
    socket.on('say', (...values) => values.pop()(...values));
  });
}

echo(require('socket.io-2')(server, { wsEngine: 'ws' }));
const four = http.createServer((_, response) => response.writeHead(404).end());
echo(new (require('socket.io-4').Server)(four, { path: '/four/socket.io/' }));

server.listen(0, '127.0.0.1', () => {
  four.listen(0, '127.0.0.1', () => console.log(`${server.address().port} ${four.address().port}`));
});

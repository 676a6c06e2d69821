// A Socket.IO server of a generation, for socketio.js and socketio-ways.js. Usage: node socketio-backend.js 1|2|4 [OPTIONS]
// OPTIONS as JSON are the server's; `key` and `cert` among them, as files, make it one of https.
// Prints its port. It speaks version 1 of a small API.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');

const generation = process.argv[2];
const { key, cert, ...more } = JSON.parse(process.argv[3] ?? '{}');
const here = (_, response) => response.end('not here');
const server = key
  ? https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, here)
  : http.createServer(here);
// Heartbeats come often; a busy machine may answer them late.
const options = { pingInterval: 300, pingTimeout: 5000, maxHttpBufferSize: 4e6, ...more };
const io = generation === '4'
  ? new (require('socket.io-4').Server)(server, options)
  : require(`socket.io-${generation}`)(server, { ...options, wsEngine: 'ws' });

/** What a client says for itself, in either generation. */
const credentials = (socket) => ({ ...socket.handshake.query, ...socket.handshake.auth });

io.on('connection', (socket) => {
  socket.emit('welcome', { version: credentials(socket).version ?? null, special: credentials(socket).special ?? null });
  socket.on('say', (text, answer) => answer({ said: text, id: socket.id }));
  socket.on('echo', (...values) => values.pop()(...values));
  socket.on('count', (number) => socket.emit('counted', number));
  socket.on('ask me', (answer) => socket.emit('question', 'how many?', (...values) => answer(...values)));
  socket.on('join', (room, answer) => {
    socket.join(room);
    answer();
  });
  socket.on('tell', (room, text) => io.to(room).emit('told', text));
  socket.on('kick', () => socket.disconnect(true));
  socket.on('who', (answer) => answer(process.pid, socket.conn.transport.name, socket.handshake.headers['sec-websocket-extensions'] ?? ''));
  socket.on('clients', (answer) => answer(io.engine.clientsCount));
});

const guarded = io.of('/guarded');
guarded.use((socket, next) => {
  if (credentials(socket).token === 'secret') return next();
  const error = new Error('not authorized');
  if (credentials(socket).data) error.data = { code: 'E_AUTH' };
  return next(error);
});
guarded.on('connection', (socket) => socket.emit('inside', credentials(socket).token));

server.listen(0, '127.0.0.1', () => console.log(server.address().port));

// A Socket.IO server of a generation, for socketio.js. Usage: node socketio-backend.js 2|4
// Prints its port. It speaks version 1 of a small API.
'use strict';
const http = require('node:http');

const generation = process.argv[2];
const server = http.createServer((_, response) => response.end('not here'));
// Heartbeats come often; a busy machine may answer them late.
const options = { pingInterval: 300, pingTimeout: 5000, maxHttpBufferSize: 4e6 };
const io = generation === '2'
  ? require('socket.io-2')(server, { ...options, wsEngine: 'ws' })
  : new (require('socket.io-4').Server)(server, options);

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

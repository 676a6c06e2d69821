// A bridge of Node and ws that parses, edits and serialises: node bridge.js PORT BACKEND
const { WebSocket, WebSocketServer } = require('ws');

const [port, backend] = process.argv.slice(2);

function up({ type, body, author, ...rest }) {
  return { type: type === 'message.send' ? 'say' : type, user: author, text: body, ...rest };
}

function down({ type, text, user, ...rest }) {
  return { type: type === 'say' ? 'message.created' : type, author: user, body: text, ...rest };
}

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(port), backlog: 4096, perMessageDeflate: false });
server.on('connection', (client, request) => {
  const other = new WebSocket(`ws://${backend}${request.url}`, { perMessageDeflate: false });
  const waiting = [];
  client.on('message', (data) => {
    const text = JSON.stringify(up(JSON.parse(data.toString())));
    if (other.readyState === WebSocket.OPEN) other.send(text);
    else waiting.push(text);
  });
  other.on('open', () => waiting.splice(0).forEach((text) => other.send(text)));
  other.on('message', (data) => client.send(JSON.stringify(down(JSON.parse(data.toString())))));
  client.on('close', () => other.close());
  other.on('close', () => client.close());
  other.on('error', () => client.terminate());
});

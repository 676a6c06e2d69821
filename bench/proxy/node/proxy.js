// Node with express and http-proxy-middleware, translating: node proxy.js PORT BACKEND
const http = require('node:http');
const express = require('express');
const { createProxyMiddleware, responseInterceptor } = require('http-proxy-middleware');

const [port, backend] = process.argv.slice(2);

function message({ text, user, ts, ...rest }) {
  const sentAt = new Date(ts).toISOString().replace('.000Z', 'Z');
  return { ...rest, body: text, author: { name: user }, sent_at: sentAt };
}

function translate(text) {
  const data = JSON.parse(text).map(message);
  return JSON.stringify({ data, meta: { version: '2', timestamp: new Date().toISOString() } });
}

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.use(
  createProxyMiddleware({
    target: `http://${backend}`,
    agent: new http.Agent({ keepAlive: true, maxSockets: 64 }),
    selfHandleResponse: true,
    on: { proxyRes: responseInterceptor(async (body) => translate(body.toString('utf8'))) },
  }),
);
const server = app.listen(Number(port), '127.0.0.1', 4096);
server.keepAliveTimeout = 300_000;

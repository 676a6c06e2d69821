// A reader of server-sent events. Usage: node events.js URL NEXT-URL: prints each event's id and data in a line, and asks
// for the next one when it has one, so that only a stream that is passed on piece by piece comes to its end.
'use strict';
const { EventSource } = require('eventsource');

const [url, next] = process.argv.slice(2);
const source = new EventSource(url);
source.addEventListener('said', (event) => {
  console.log(`${event.lastEventId} ${event.data}`);
  fetch(next).catch((error) => { console.log(error); process.exit(1); });
});
source.addEventListener('error', () => {
  source.close();
  console.log('done');
});

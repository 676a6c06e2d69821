#!/usr/bin/env bash
# Every generation of Socket.IO clients against every generation of its servers, through the proxy: over WebSocket
# alone, over polling alone, and from polling to WebSocket, with rules and without. Called by tests/peers.sh, or
# by itself; installs the clients and servers from npm. LEGATO=path tests another binary.
set -euo pipefail
[[ -n ${LEGATO_SOCKETIO_BOUNDED:-} ]] || LEGATO_SOCKETIO_BOUNDED=yes exec timeout 900 "$0" "$@"
cd "$(dirname "$0")/../.."

work=$PWD/target/peers
legato=${LEGATO:-$PWD/${CARGO_TARGET_DIR:-target}/debug/legato}
export NODE_PATH=$work/node_modules
runs=$work/socketio
source tests/peers/lib.sh

mkdir -p "$work/socketio/rules/chat/changes/2"
if [[ ! -d $work/node_modules/socket.io-client-4 ]]; then
    npm install --silent --no-audit --no-fund --prefix "$work" \
        socket.io-2@npm:socket.io@2 socket.io-4@npm:socket.io@4 \
        socket.io-client-2@npm:socket.io-client@2 socket.io-client-4@npm:socket.io-client@4 > /dev/null
fi

cat > "$work/socketio/rules/chat/api.yaml" << 'YAML'
legato: 1
api: chat
versions: [{id: "1"}, {id: "2"}]
client_version: [{header: api-version}, {query: version}, {default: "1"}]
YAML
cat > "$work/socketio/rules/chat/changes/2/20250101000000_events.yaml" << 'YAML'
change: events
since: "2"
summary: Events have other names and take objects.
apply:
  - socketio: /
    client: {events: {say: {as: message.send, args: [{wrap: {at: /0, into: {key: text}}}]}}}
    server: {events: {welcome: {as: server.welcome}}}
YAML

failed=0
for backend in 2 4; do
    start "backend-$backend" node tests/peers/socketio-backend.js "$backend"
    eio=$([[ $backend == 2 ]] && echo eio3 || echo eio4)
    cat > "$work/socketio/legato-$backend.yaml" << YAML
legato: 1
listen: [{address: "127.0.0.1:0"}]
rules: rules
access_log: "off"
apis:
  chat:
    backends: {legacy: {speaks: "1", endpoints: ["http://127.0.0.1:$first"]}}
    socketio: {backend: $eio}
YAML
    start "legato-$backend" "$legato" serve --config "$work/socketio/legato-$backend.yaml"
    proxy=${first#listening on }
    for client in ${CLIENTS:-2 4}; do
        log=$work/socketio/$client-$backend.log
        timeout 300 node tests/peers/socketio.js "$proxy" "$client" "$backend" > "$log" 2>&1 || failed=1
        cat "$log"
        [[ $(tail -n 1 "$log") == 'done' ]] || die "the client $client.x before $backend.x did not run to its end"
    done
done
exit "$failed"

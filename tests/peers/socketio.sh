#!/usr/bin/env bash
# Every generation of Socket.IO clients against every generation of its servers, through the proxy: over WebSocket
# alone, over polling alone, and from polling to WebSocket, with rules and without. Then the ways between them
# (socketio-ways.js). Called by tests/peers.sh, or by itself; installs the clients and servers from npm.
# LEGATO=path tests another binary; CLIENTS and BACKENDS name some generations only.
set -euo pipefail
source "$(dirname "$0")/lib.sh" 900 "$@"
runs=$work/socketio
failed=0

main() {
    mkdir -p "$runs/rules/chat/changes/2"
    install_tools
    rules 'message.send' > "$runs/rules/chat/changes/2/20250101000000_events.yaml"
    local backend
    for backend in ${BACKENDS-1 2 4}; do
        start "backend-$backend" node tests/peers/socketio-backend.js "$backend"
        clients_before "$backend" "$first"
    done
    ways
    echo 'done'
    return "$failed"
}

install_tools() {
    local missing=() generation
    for generation in 1:1.7.4 2:2 4:4; do
        local version=${generation#*:}
        generation=${generation%:*}
        [[ -d $NODE_PATH/socket.io-client-$generation ]] ||
            missing+=("socket.io-$generation@npm:socket.io@$version" "socket.io-client-$generation@npm:socket.io-client@$version")
    done
    [[ -d $NODE_PATH/ws ]] || missing+=(ws@8)
    ((${#missing[@]} == 0)) || npm install --silent --no-audit --no-fund --prefix "$work" "${missing[@]}" > /dev/null
}

# rules NAME: those of version 2, where the event `say` has another name.
rules() {
    cat > "$runs/rules/chat/api.yaml" << 'YAML'
legato: 1
api: chat
versions: [{id: "1"}, {id: "2"}]
client_version: [{header: api-version}, {query: version}, {default: "1"}]
YAML
    cat << YAML
change: events
since: "2"
summary: Events have other names and take objects.
apply:
  - socketio: /
    client: {events: {say: {as: $1, args: [{wrap: {at: /0, into: {key: text}}}]}}}
    server: {events: {welcome: {as: server.welcome}}}
YAML
}

# serve NAME ENDPOINTS SOCKETIO [MORE]: a proxy, whose address goes to $proxy.
serve() {
    cat > "$runs/$1.yaml" << YAML
legato: 1
listen: [{address: "127.0.0.1:0"}]
admin: {address: "127.0.0.1:0"}
rules: rules
access_log: "off"
apis:
  chat:
    backends: {legacy: {speaks: "1", endpoints: [$2]${4:-}}}
    socketio: {$3}
YAML
    start "$1" "$legato" serve --config "$runs/$1.yaml"
    proxy=${first#listening on }
    until admin=$(sed -n 's/^admin on //p' "$runs/$1.out") && [[ -n $admin ]]; do sleep 0.1; done
}

eio() {
    if [[ $1 == 4 ]]; then echo eio4; else echo eio3; fi
}

# All clients before one backend at the same time.
clients_before() {
    local backend=$1 port=$2 client log waiting=()
    for client in ${CLIENTS-1 2 4}; do
        # Packages 1.x write text of polling in their own way, which only the configuration knows.
        local text=once
        [[ $client != 1 ]] || text=twice
        serve "legato-$client-$backend" "\"http://127.0.0.1:$port\"" "backend: $(eio "$backend"), polling_text: $text"
        log=$runs/$client-$backend.log
        timeout 300 node tests/peers/socketio.js "$proxy" "$client" "$backend" > "$log" 2>&1 &
        waiting+=("$!:$client")
    done
    for client in "${waiting[@]}"; do
        log=$runs/${client#*:}-$backend.log
        wait "${client%:*}" || failed=1
        [[ $(tail -n 1 "$log") == 'done' ]] || die "the client ${client#*:}.x before $backend.x did not run to its end: $(tail -n 3 "$log")"
        sed '$d' "$log"
    done
}

# way NAME [MORE...]: what socketio-ways.js does, before the proxy that runs.
way() {
    local log=$runs/way-$1.log name=$1
    shift
    timeout 120 node tests/peers/socketio-ways.js "$name" "$proxy" "$@" > "$log" 2>&1 || failed=1
    [[ $(tail -n 1 "$log") == 'done' ]] || die "$name did not run to its end: $(tail -n 3 "$log")"
    sed '$d' "$log"
}

ways() {
    local one two
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj '/CN=localhost' \
        -addext 'subjectAltName=DNS:localhost' -addext 'basicConstraints=CA:FALSE' \
        -keyout "$runs/key.pem" -out "$runs/cert.pem" 2> /dev/null
    start backend-https node tests/peers/socketio-backend.js 4 "{\"key\":\"$runs/key.pem\",\"cert\":\"$runs/cert.pem\"}"
    serve legato-https "\"https://localhost:$first\"" 'backend: eio4' ', tls: {ca: cert.pem}'
    way https

    start backend-one node tests/peers/socketio-backend.js 4
    one=$first
    start backend-two node tests/peers/socketio-backend.js 4
    two=$first
    serve legato-endpoints "\"http://127.0.0.1:$one\", \"http://127.0.0.1:$two\"" 'backend: eio4' ', balance: round_robin'
    way endpoints
    way together
    way jsonp
    way reload "$admin" "$runs/rules/chat/changes/2/20250101000000_events.yaml"

    start backend-deflate node tests/peers/socketio-backend.js 4 '{"perMessageDeflate":{"threshold":0}}'
    serve legato-deflate "\"http://127.0.0.1:$first\"" 'backend: eio4'
    way compression

    local generation
    for generation in 2 4; do
        start "backend-polling-$generation" node tests/peers/socketio-backend.js "$generation" '{"transports":["polling"]}'
        serve "legato-polling-$generation" "\"http://127.0.0.1:$first\"" "backend: $(eio "$generation")"
        way polling
    done
}

main

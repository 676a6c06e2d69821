#!/usr/bin/env bash
# A page in Chromium that uses REST, server-sent events, WebSocket and both generations of Socket.IO through the proxy.
# Called by tests/peers.sh, or by itself; installs Chromium from Debian's packages as root. BROWSER=no leaves it out.
# LEGATO=path tests another binary. Prints a line per check, tab-separated: ok NAME, or failed NAME EXPECTED FOUND; then done.
set -euo pipefail
source "$(dirname "$0")/lib.sh" 600 "$@"
runs=$work/browser

main() {
    if [[ ${BROWSER:-} == no ]]; then
        echo 'done'
        return
    fi
    mkdir -p "$runs"
    install_tools
    start backend node tests/peers/browser-backend.js
    configure "$first"
    start legato "$legato" serve --config "$runs/legato.yaml"
    local proxy=${first#listening on }
    chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$runs/profile" \
        --remote-debugging-port=0 "${proxy/127.0.0.1/localhost}/page" > "$runs/chromium.log" 2>&1 &
    pids+=($!)
    for _ in {1..1200}; do
        grep -q '^done$' "$runs/backend.out" && break
        sleep 0.1
    done
    sed 1d "$runs/backend.out"
    grep -q '^done$' "$runs/backend.out" || die "the page did not report: $(tail -n 5 "$runs/chromium.log")"
    ! grep -q '^failed' "$runs/backend.out"
}

install_tools() {
    if ! command -v chromium > /dev/null; then
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; } > /dev/null ||
            die 'Chromium cannot be installed: install it as `chromium`, or leave the browser out with BROWSER=no'
    fi
    local missing=() generation
    for generation in 2 4; do
        [[ -d $NODE_PATH/socket.io-client-$generation ]] ||
            missing+=("socket.io-$generation@npm:socket.io@$generation" "socket.io-client-$generation@npm:socket.io-client@$generation")
    done
    [[ -d $NODE_PATH/ws ]] || missing+=(ws@8)
    ((${#missing[@]} == 0)) || npm install --silent --no-audit --no-fund --prefix "$work" "${missing[@]}" > /dev/null
}

# configure PORTS: the proxy before both backends.
configure() {
    local two=${1% *} four=${1#* } api
    for api in chat four; do
        mkdir -p "$runs/rules/$api/changes/2"
        cat > "$runs/rules/$api/api.yaml" << YAML
legato: 1
api: $api
versions: [{id: "1"}, {id: "2"}]
client_version: [{header: api-version}, {query: version}, {default: "1"}]
YAML
        cat > "$runs/rules/$api/changes/2/20250101000000_names.yaml" << 'YAML'
change: names
since: "2"
summary: A message's text is its body, and events have other names.
apply:
  - http: ["GET /message", "GET /events"]
    response: {2xx: [{rename: {/text: body}}]}
  - http: "POST /say"
    request: [{rename: {/text: body}}]
    response: {2xx: [{rename: {/text: body}}]}
  - ws: /ws
    client:
      discriminator: /type
      frames: {say: {as: message.send, ops: [{rename: {/text: body}}]}, quit: {as: session.end}}
    server: {discriminator: /type, frames: {say: {as: message.send, ops: [{rename: {/text: body}}]}}}
  - socketio: /
    client: {events: {say: {as: message.send, args: [{wrap: {at: /0, into: {key: text}}}]}}}
    server: {events: {welcome: {as: server.welcome}}}
YAML
    done
    cat > "$runs/legato.yaml" << YAML
legato: 1
listen: [{address: "127.0.0.1:0"}]
rules: rules
access_log: "off"
apis:
  chat:
    backends: {legacy: {speaks: "1", endpoints: ["http://127.0.0.1:$two"]}}
    socketio: {backend: eio3}
  four:
    match: {prefix: /four}
    backends: {legacy: {speaks: "1", endpoints: ["http://127.0.0.1:$four"]}}
    socketio: {backend: eio4, path: /four/socket.io/}
YAML
}

main

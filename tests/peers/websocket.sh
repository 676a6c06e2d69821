#!/usr/bin/env bash
# WebSocket with real peers on both sides: Node's ws and Python's websockets, with every window and context of
# permessage-deflate, fragments, close codes, subprotocols and draining. Called by tests/peers.sh, or by itself; installs
# ws from npm and websockets from PyPI. LEGATO=path tests another binary.
# Prints a line per check, tab-separated: ok NAME, or failed NAME EXPECTED FOUND; then done.
set -euo pipefail
source "$(dirname "$0")/lib.sh" 600 "$@"
runs=$work/websocket
failed=0

main() {
    mkdir -p "$runs/rules/chat/changes/2"
    install_tools
    start backend node tests/peers/websocket-backend.js
    backend=http://127.0.0.1:$first
    start python "$work/python/bin/python" tests/peers/websocket.py serve
    read -r -a ports <<< "$first"
    configure
    start legato "$legato" serve --config "$runs/legato.yaml"
    legato_pid=${pids[-1]} proxy=${first#listening on }
    local address=${proxy#http://}

    run python "$work/python/bin/python" tests/peers/websocket.py "${address%:*}" "${address##*:}"
    run node node tests/peers/websocket.js "$proxy" "$backend" "$legato_pid"
    echo 'done'
    return "$failed"
}

install_tools() {
    [[ -d $NODE_PATH/ws ]] || npm install --silent --no-audit --no-fund --prefix "$work" ws@8 > /dev/null
    [[ -x $work/python/bin/python ]] || python3 -m venv "$work/python" || die 'no python3 with venv: install python3-venv'
    "$work/python/bin/python" -c 'import websockets.asyncio' 2> /dev/null ||
        "$work/python/bin/python" -m pip install --quiet --disable-pip-version-check 'websockets==15.*'
}

configure() {
    cat > "$runs/rules/chat/api.yaml" << 'YAML'
legato: 1
api: chat
versions: [{id: "1"}, {id: "2"}]
client_version: [{header: api-version}, {default: "1"}]
YAML
    cat > "$runs/rules/chat/changes/2/20250101000000_events.yaml" << 'YAML'
change: events
since: "2"
summary: Events have other names.
apply:
  - ws: /translated
    client: {discriminator: /type, frames: {say: {as: message.send, ops: [{rename: {/text: body}}]}}}
    server: {discriminator: /type, frames: {say: {as: message.send, ops: [{rename: {/text: body}}]}}}
YAML
    api chat "${backend#http://}" '' > "$runs/apis.yaml"
    local at
    for at in "${!ports[@]}"; do
        rm -rf "$runs/rules/py$at"
        cp -r "$runs/rules/chat" "$runs/rules/py$at"
        sed -i "s/^api: chat/api: py$at/" "$runs/rules/py$at/api.yaml"
        api "py$at" "127.0.0.1:${ports[at]}" "match: {hosts: [py$at]}, " >> "$runs/apis.yaml"
    done
    cat - "$runs/apis.yaml" > "$runs/legato.yaml" << 'YAML'
legato: 1
listen: [{address: "127.0.0.1:0"}]
rules: rules
access_log: "off"
apis:
YAML
}

# api NAME ADDRESS MATCH
api() {
    printf '  %s: {%sbackends: {legacy: {speaks: "1", endpoints: ["http://%s"]}}}\n' "$1" "$3" "$2"
}

# run NAME COMMAND...: a client, whose lines are this script's.
run() {
    local log=$runs/$1-client.log
    shift
    timeout 300 "$@" > "$log" 2>&1 || failed=1
    [[ $(tail -n 1 "$log") == 'done' ]] || die "a client did not run to its end: $(tail -n 3 "$log")"
    sed '$d' "$log"
}

main

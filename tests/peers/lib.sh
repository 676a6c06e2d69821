# Sourced by the other scripts, with the seconds that they may take and their own arguments. They run in the project's root;
# $work is where packages are installed, $legato the program. Processes run until the script ends, and what they print goes
# to files in $runs.
[[ ${LEGATO_BOUNDED:-} == "$0" ]] || LEGATO_BOUNDED=$0 exec timeout "$1" "$0" "${@:2}"
cd "$(dirname "$0")/../.."
work=$PWD/target/peers
legato=${LEGATO:-$PWD/${CARGO_TARGET_DIR:-target}/debug/legato}
export NODE_PATH=$work/node_modules
pids=()

# start NAME COMMAND...: runs it and waits for its first line, which goes to $first.
start() {
    local name=$1
    shift
    : > "$runs/$name.out"
    "$@" > "$runs/$name.out" 2> "$runs/$name.err" &
    pids+=($!)
    for _ in {1..200}; do
        first=$(head -n 1 "$runs/$name.out")
        [[ -n $first ]] && return
        sleep 0.1
    done
    die "$name did not start: $(cat "$runs/$name.err")"
}

stop() {
    for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
}
trap stop EXIT

die() {
    printf '%s: %s\n' "$(basename "$0" .sh)" "$1" >&2
    exit 1
}

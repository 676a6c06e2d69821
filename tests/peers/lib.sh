# Sourced by the other scripts: processes that run until the script ends. What they print goes to files in $runs.
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

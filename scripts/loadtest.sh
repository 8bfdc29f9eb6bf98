#!/usr/bin/env bash
# A capture in the middle of a load test, and a verdict: does a function take more time of its own per call than it may?
# Exit 0: all within budget; 7: one is over; else as tscap(1).
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=${here%/*}

usage() {
    cat <<'END'
Usage: scripts/loadtest.sh [OPTION]... [-- LOAD COMMAND...]

Starts a small HTTP service and a process that drives load on it over loopback, waits until it is warm, records it
with tscap, and compares functions with their budgets. With --pid, records a service of yours instead; what follows
"--" is run to drive load on it, and ended afterwards.

  --budget NAME=TIME  self time per call that the function may take, in ns or with a unit (us, ms); may be repeated
                      NAME is as in `tscap dump`, with or without its module
  --duration SECS     how long to record (default 10)
  --warmup SECS       how long to drive load before (default 3)
  --pid PID           a running process with timestamp_capture, as tscap takes it: number, auto, part of a command line
  --python PYTHON     interpreter of the small service (default python3)
  --clients N         connections that drive load at the same time (default 4)
  --json FILE         keep the recorded profile

Example, against the small service:
  scripts/loadtest.sh --budget handle=400us --budget score=50us
Example, against your own:
  scripts/loadtest.sh --pid myservice.py --duration 30 --budget Orders.total=20us -- wrk -d 60 http://127.0.0.1:8000/
END
}

fail() { # CODE WHAT WHY TRY
    printf 'loadtest: %s\n  %s\n  try: %s\n' "$2" "$3" "$4" >&2
    exit "$1"
}

# --- what is wanted ---

budgets=() duration=10 warmup=3 pid='' python=python3 clients=4 json='' load=()
while [ $# != 0 ]; do
    case $1 in
    --budget | --duration | --warmup | --pid | --python | --clients | --json)
        [ $# -ge 2 ] || fail 2 "$1 needs a value" "nothing follows it" "scripts/loadtest.sh --help"
        case $1 in
        --budget) budgets+=("$2") ;;
        --duration) duration=$2 ;;
        --warmup) warmup=$2 ;;
        --pid) pid=$2 ;;
        --python) python=$2 ;;
        --clients) clients=$2 ;;
        --json) json=$2 ;;
        esac
        shift 2
        ;;
    --help | -h) usage && exit 0 ;;
    --) shift && load=("$@") && break ;;
    *) fail 2 "'$1' is not an option" "the options are --budget, --duration, --warmup, --pid, --python, --clients, --json" "scripts/loadtest.sh --help" ;;
    esac
done
number='^[0-9]*\.?[0-9]+$'
for value in "$duration" "$warmup" "$clients"; do
    [[ $value =~ $number ]] || fail 2 "'$value' is not a number" "--duration and --warmup take seconds, --clients a number" "scripts/loadtest.sh --help"
done
[ -n "$pid" ] || [ ${#load[@]} = 0 ] || fail 2 "a load command without --pid" "the small service brings its own load" "scripts/loadtest.sh --pid PID -- ${load[*]}"
"$python" "$here/loadtest/budget.py" --check "${budgets[@]}" || exit

# --- tscap, and timestamp_capture for the small service ---

tscap=${TSCAP:-}
for candidate in "$root/build/release/tscap" tscap; do
    [ -n "$tscap" ] || tscap=$(command -v "$candidate")
done
[ -n "$tscap" ] || fail 1 "no tscap" "it is neither in PATH nor built" "make"

if [ -z "$pid" ] && ! "$python" -c 'import timestamp_capture' 2>/dev/null; then
    tag=$("$python" -I "$here/python_probe.py" --line | cut -f4)
    export PYTHONPATH=$root/build/release/python/$tag${PYTHONPATH:+:$PYTHONPATH}
    "$python" -c 'import timestamp_capture' 2>/dev/null ||
        fail 5 "$python has no timestamp_capture" "it is neither installed nor built for this interpreter" "make PYTHON=$python"
fi

# --- whatever happens, what we started ends with us ---

started=() scratch=''
finish() {
    local process
    for process in "${started[@]}"; do kill "$process" 2>/dev/null; done
    for process in "${started[@]}"; do wait "$process" 2>/dev/null; done
    started=()
    [ -z "$scratch" ] || rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
scratch=$(mktemp -d) || exit 1
profile=${json:-$scratch/profile.json}

start_service() {
    local port
    # It chooses a free port and prints it: no number can be taken already.
    exec {service_output}< <(exec "$python" "$here/loadtest/service.py")
    pid=$!
    started+=("$pid")
    read -r -t 60 port <&"$service_output" || fail 1 "the small service did not start" "it printed no port" "$python $here/loadtest/service.py"
    load=("$python" "$here/loadtest/driver.py" "$port" "$clients")
}

step() { # WHAT COMMAND...
    echo "loadtest: $1" >&2
    shift
    "$@" || exit
}

# --- the test ---

[ -n "$pid" ] || start_service
if [ ${#load[@]} != 0 ]; then
    "${load[@]}" >&2 &
    started+=($!)
fi
step "load for $warmup s, until everything is warm" sleep "$warmup"
step "forget what came before" "$tscap" reset "$pid"
step "record for $duration s" "$tscap" start "$pid"
sleep "$duration"
step "end recording" "$tscap" stop "$pid"
"$tscap" dump "$pid" --json >"$profile" || exit
"$python" "$here/loadtest/budget.py" "$profile" "${budgets[@]}"

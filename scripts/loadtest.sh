#!/usr/bin/env bash
# A capture in the middle of a load test, and a verdict: does a function take more time of its own per call than it may, or
# than it took before? Exit 0: no; 7: one does; else as tscap(1).
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=${here%/*}

usage() {
    cat <<'END'
Usage: scripts/loadtest.sh [OPTION]... [-- LOAD COMMAND...]

Starts a small HTTP service and a process that drives load on it over loopback, waits until it is warm, records it
with tscap, and compares functions with their budgets and with a baseline, which is a capture of an earlier run. With --pid, records a service of yours instead; what follows
"--" is run to drive load on it, and ended afterwards.

  --budget [METRIC:]NAME=TIME
                      what a call of the function may take, in ns or with a unit (us, ms, s); may be repeated
                      METRIC is self (default), inclusive or elapsed: the mean of that; or p50, p95, p99 of inclusive
                      NAME is as in `tscap dump`, with or without its module
  --capture FILE      keep the capture, the baseline of later runs; --force writes over one
  --baseline FILE     compare with this capture, by `tscap diff`; may be repeated, for several runs
  --fail-over N%      with --baseline: what a function may take more of its own time per call (default 10%)
  --duration SECS     how long to record (default 10)
  --warmup SECS       how long to drive load before (default 3)
  --pid PID           a running process with timestamp_capture, as tscap takes it: number, auto, part of a command line
  --subprocesses      all processes that descend from it, too
  --attach            the process need not be prepared: attaches to it, and detaches at the end
  --match GLOB        with --attach: functions named so; may be repeated (default: as `tscap attach`)
  --python PYTHON     interpreter of the small service (default python3)
  --clients N         connections that drive load at the same time (default 4)
  --json FILE         keep the recorded profile

Example, against the small service:
  scripts/loadtest.sh --budget handle=400us --budget score=50us
Example, against your own:
  scripts/loadtest.sh --pid myservice.py --duration 30 --budget Orders.total=20us -- wrk -d 60 http://127.0.0.1:8000/
Example, a baseline, and after a change a verdict:
  scripts/loadtest.sh --capture before.tscap
  scripts/loadtest.sh --baseline before.tscap --fail-over 10%
Example, against the workers of a server that was not prepared:
  scripts/loadtest.sh --pid 4711 --attach --match 'shop.*' --budget p95:handle=20ms -- wrk -d 60 http://127.0.0.1:8000/

Only what the same machine recorded under the same load can be compared; scripts/loadtest/performance.yml does so for pull requests.
The load has to last until the recording ends: if it ends before, that is said; if it fails, its exit status is, and there is
no verdict (exit 1).
END
}

fail() { # CODE WHAT WHY TRY
    printf 'loadtest: %s\n  %s\n  try: %s\n' "$2" "$3" "$4" >&2
    exit "$1"
}

# Without a slash tscap would take it for a part of a command line.
as_file() {
    case $1 in
    */*) printf '%s\n' "$1" ;;
    *) printf './%s\n' "$1" ;;
    esac
}

# --- what is wanted ---

budgets=() duration=10 warmup=3 pid='' python=python3 clients=4 json='' load=() family=() attach='' rules=()
capture='' force=() baselines=() fail_over=''
while [ $# != 0 ]; do
    case $1 in
    --budget | --duration | --warmup | --pid | --python | --clients | --json | --match | --capture | --baseline | --fail-over)
        [ $# -ge 2 ] || fail 2 "$1 needs a value" "nothing follows it" "scripts/loadtest.sh --help"
        case $1 in
        --budget) budgets+=("$2") ;;
        --duration) duration=$2 ;;
        --warmup) warmup=$2 ;;
        --pid) pid=$2 ;;
        --python) python=$2 ;;
        --clients) clients=$2 ;;
        --json) json=$2 ;;
        --capture) capture=$2 ;;
        --baseline) baselines+=("$(as_file "$2")") ;;
        --fail-over) fail_over=$2 ;;
        --match) rules+=(--match "$2") ;;
        esac
        shift 2
        ;;
    --subprocesses) family=(-s) && shift ;;
    --attach) attach=yes && shift ;;
    --force) force=(--force) && shift ;;
    --help | -h) usage && exit 0 ;;
    --) shift && load=("$@") && break ;;
    *) fail 2 "'$1' is not an option" "the options are --budget, --capture, --force, --baseline, --fail-over, --duration, --warmup, --pid, --subprocesses, --attach, --match, --python, --clients, --json" "scripts/loadtest.sh --help" ;;
    esac
done
number='^[0-9]*\.?[0-9]+$'
for value in "$duration" "$warmup" "$clients"; do
    [[ $value =~ $number ]] || fail 2 "'$value' is not a number" "--duration and --warmup take seconds, --clients a number" "scripts/loadtest.sh --help"
done
[ -n "$pid" ] || [ ${#load[@]} = 0 ] || fail 2 "a load command without --pid" "the small service brings its own load" "scripts/loadtest.sh --pid PID -- ${load[*]}"
[ -z "$attach" ] || [ -n "$pid" ] || fail 2 "--attach without --pid" "the small service is prepared" "scripts/loadtest.sh --pid PID --attach"
[ ${#rules[@]} = 0 ] || [ -n "$attach" ] || fail 2 "--match without --attach" "what a prepared program records is its own affair" "scripts/loadtest.sh --pid PID --attach ${rules[*]}"
for baseline in "${baselines[@]}"; do
    [ -r "$baseline" ] || fail 2 "--baseline $baseline cannot be read" "a baseline is a capture of an earlier run" "scripts/loadtest.sh --capture $baseline"
done
[ -z "$fail_over" ] || [ ${#baselines[@]} != 0 ] || fail 2 "--fail-over without --baseline" "it says by how much a run may be slower than that" "scripts/loadtest.sh --baseline FILE --fail-over $fail_over"
fail_over=${fail_over:-10%}
[[ ${fail_over%"%"} =~ $number && $fail_over == *% ]] || fail 2 "--fail-over '$fail_over' is not a percentage" "it is a number with % behind it" "--fail-over 10%"
[ -z "$capture" ] || [ ! -e "$capture" ] || [ ${#force[@]} != 0 ] ||
    fail 2 "will not write over $capture" "the file exists" "--capture elsewhere, or with --force"
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

started=() scratch='' attached='' load_pid=''
finish() {
    local process
    [ -z "$attached" ] || "$tscap" detach "$attached"
    attached=''
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
recorded=$(as_file "${capture:-$scratch/recorded.tscap}")

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

# The load runs in the background. Once it has ended its status is known, and it is not asked again.
check_load() { # WHEN
    local status
    [ -n "$load_pid" ] && ! kill -0 "$load_pid" 2>/dev/null || return 0
    wait "$load_pid"
    status=$?
    load_pid=''
    [ $status = 0 ] || fail 1 "the load failed $1" "it ended with status $status: ${load[*]}" "the load command alone"
    echo "loadtest: the load ended $1: what came after was recorded without any" >&2
}

wait_with_load() { # SECONDS WHEN
    local tenths
    tenths=$(awk -v seconds="$1" 'BEGIN { printf "%d", seconds * 10 + 0.999 }')
    for ((i = 0; i < tenths; i++)); do
        check_load "$2"
        sleep 0.1
    done
    check_load "$2"
}

# By budgets and baselines; without either, what there is is listed.
judge() {
    local code=0 compared
    if [ ${#budgets[@]} != 0 ] || [ ${#baselines[@]} = 0 ]; then
        "$python" "$here/loadtest/budget.py" "$profile" "${budgets[@]}"
        code=$?
    fi
    [ ${#baselines[@]} != 0 ] || return $code
    "$tscap" diff "${baselines[@]}" -- "$recorded" --fail-over "$fail_over"
    compared=$?
    [ $code != 0 ] || code=$compared
    return $code
}

# --- the test ---

[ -n "$pid" ] || start_service
if [ ${#load[@]} != 0 ]; then
    "${load[@]}" >&2 &
    load_pid=$!
    started+=("$load_pid")
fi
echo "loadtest: load for $warmup s, until everything is warm" >&2
wait_with_load "$warmup" "while the service was warming up"
if [ -n "$attach" ]; then
    step "attach" "$tscap" attach --no-start "${rules[@]}" "$pid"
    attached=$pid
fi
step "forget what came before" "$tscap" reset "${family[@]}" "$pid"
step "record for $duration s" "$tscap" start "${family[@]}" "$pid"
wait_with_load "$duration" "before the recording did"
step "end recording" "$tscap" stop "${family[@]}" "$pid"
"$tscap" save "${family[@]}" "$pid" --output "$recorded" "${force[@]}" || exit
"$tscap" dump "$recorded" --json >"$profile" || exit
judge

# shellcheck shell=bash
# For the scripts that run tests: sourced, after make has set TSCAP, TSCAP_BUILD, TSCAP_ROOT, O and FLAVOUR.

cd "$TSCAP_ROOT" || exit 1
# Seconds that one program or one suite may take: only what hangs shall come to that, however loaded the machine is.
TEST_TIMEOUT=${TEST_TIMEOUT:-3600}
export TSCAP TSCAP_BUILD TSCAP_ROOT

# The lines by which a runner says what it ran: Criterion, pytest, and plain "N passed, N failed".
closing_lines() { # FILE...
    grep -hE -e '^\[====\] Synthesis: ' \
        -e '^(=+ )?([0-9]+ (passed|failed|skipped|deselected|xfailed|xpassed|errors?|warnings?)(, )?)+ in [0-9.]+s' \
        -e '^(=+ )?no tests ran in ' \
        -e '^([a-z-]+: )?[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$@"
}

# Segments of a test belong in nobody else's directory: $TSCAP_DIR is made empty by fresh_tscap_dir and is gone
# afterwards. It lies on a memory file system, as in real life, and has a short name, for it holds sockets.
make_scratch() {
    local parent=/dev/shm
    [ -w $parent ] || parent=${TMPDIR:-/tmp}
    scratch=$(mktemp -d "$parent/tscap-test.XXXXXX") || exit 1
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT TERM
    export TSCAP_DIR=$scratch/d
}

fresh_tscap_dir() { rm -rf "$TSCAP_DIR" && mkdir -m 700 "$TSCAP_DIR"; }

# On a terminal ^C must reach the test; elsewhere a test that takes too long is ended with all its children.
run_limited() { # SECONDS COMMAND...
    local foreground=()
    if { : </dev/tty; } 2>/dev/null; then foreground=(--foreground); fi
    timeout "${foreground[@]}" -k 10 "$@"
}

# A test may run make or another build itself: it must not see our variables or our job server.
hide_make() { unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL MAKE O FLAVOUR PYTHON PYTHONS; }

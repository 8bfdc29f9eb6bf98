# tscap: one Makefile, not recursive over directories. `make help` lists the targets.
#
# Everything made goes to build/<flavour>/: release (default), asan, ubsan, tsan, cov; fuzz and replay are the
# two ways to build the fuzzers. New sources are picked up by wildcard; a new folder is not.

.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules --no-print-directory

# --- what you may set (environment or command line) ---

O            ?= build
FLAVOUR      ?= release
PYTHON       ?= python3
PREFIX       ?= /usr/local
DESTDIR      ?=
CFLAGS       ?= $(OPTIMIZE)
WERROR       ?=
V            ?=
BOOTSTRAP    ?= yes
FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 60
STRESS_SECONDS ?= 3
SOAK_SECONDS ?= 600

$(if $(O),,$(error O is empty: it names the folder for everything made))
B := $(O)/$(FLAVOUR)
Q := $(if $(filter-out 0,$(V)),,@)
say = $(if $(Q),@printf '  %-7s %s\n' $(1) $(2:$(O)/%=%))

# --- flags ---

OPTIMIZE         := -O2 -g
FLAVOURS         := release asan ubsan tsan cov fuzz replay
SANITIZE_release :=
SANITIZE_asan    := -fsanitize=address -fno-omit-frame-pointer
SANITIZE_ubsan   := -fsanitize=undefined,float-cast-overflow -fno-sanitize-recover=all
SANITIZE_tsan    := -fsanitize=thread
SANITIZE_cov     := -O0 --coverage -fprofile-update=atomic
SANITIZE_replay  := -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=undefined,float-cast-overflow -fno-omit-frame-pointer
SANITIZE_fuzz    := -fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow -fno-sanitize-recover=undefined,float-cast-overflow
ifeq ($(filter $(FLAVOUR),$(FLAVOURS)),)
$(error FLAVOUR=$(FLAVOUR): must be one of $(FLAVOURS))
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
WARNINGS += $(if $(filter-out 0,$(WERROR)),-Werror)
COMPILE   = $(CC) -std=c11 -D_GNU_SOURCE -pthread $(WARNINGS) $(CFLAGS) $(SANITIZE_$(FLAVOUR)) -MMD -MP $(CPPFLAGS)
LINK      = $(CC) -pthread $(CFLAGS) $(SANITIZE_$(FLAVOUR)) $(LDFLAGS)
# pkg-config is asked when it is first needed: bootstrap may have to install it before, and the library.
NCURSES_CFLAGS = $(eval NCURSES_CFLAGS := $$(shell pkg-config --cflags ncursesw))$(NCURSES_CFLAGS)
CLI_LIBS = $(eval CLI_LIBS := -lelf -lz $$(shell pkg-config --libs libunwind-generic libzstd ncursesw))$(CLI_LIBS)

# Headers are included by their bare names, and the rooms a source can see are those it may use, so that an
# include against the direction cli -> inject -> shared <- ext does not compile. Its room: the first part of its path;
# each folder of cli/ is a room, too.
room      = $(patsubst %/,%,$(if $(filter cli/%,$<),$(dir $<),$(firstword $(subst /, ,$<))))
INCLUDES  = -iquote shared $(INCLUDES_$(room))
in_cli    = -iquote inject -iquote export $(addprefix -iquote cli/,$(1))
INCLUDES_ext         := -iquote export
INCLUDES_cli/user    := -iquote export
INCLUDES_cli/find    := $(call in_cli,user)
INCLUDES_cli/tell    := $(call in_cli,user find)
INCLUDES_cli/view    := $(call in_cli,user find)
INCLUDES_cli/diff    := $(call in_cli,user find view)
INCLUDES_cli/attach  := $(call in_cli,user find tell)
INCLUDES_cli/top     := $(call in_cli,user find tell view attach)
INCLUDES_cli/run     := $(call in_cli,user find tell view attach)
INCLUDES_cli/command := $(call in_cli,user find tell view diff attach top run)
INCLUDES_tests       := $(call in_cli,user find tell view diff attach top run command)
# shared/ and export/ end up in the extension as well as in programs. Thread-local variables are on the hot path, and
# initial-exec spares it a call per access; so the extension is never unloaded (nodelete).
FLAGS_shared    := -fPIC -fvisibility=hidden -ftls-model=initial-exec
FLAGS_export    := $(FLAGS_shared)
FLAGS_ext       := $(FLAGS_shared)
FLAGS_cli/top    = $(NCURSES_CFLAGS)

# --- sources ---

objects      = $(patsubst %.c,$(B)/%.o,$(sort $(wildcard $(1))))
programs     = $(patsubst %.c,$(B)/%,$(sort $(wildcard $(1))))
SHARED_OBJ  := $(call objects,shared/*.c)
INJECT_OBJ  := $(call objects,inject/*.c)
EXPORT_OBJ  := $(call objects,export/*.c)
CLI_OBJ     := $(call objects,cli/*/*.c)
UNIT        := $(call programs,tests/unit/*.c)
MODEL       := $(call programs,tests/model/*.c)
STRESS      := $(call programs,tests/stress/*.c)
BENCH       := $(call programs,tests/bench/*.c)
FUZZ        := $(call programs,tests/fuzz/fuzz_*.c)
CLI_HELPERS := $(call programs,tests/cli/*.c)
PROGRAMS    := $(UNIT) $(MODEL) $(STRESS) $(BENCH) $(FUZZ) $(CLI_HELPERS)
PACKAGE     := $(shell find ext/timestamp_capture -name '*.py' -o -name '*.pyi' -o -name py.typed 2>/dev/null | sort)
MAN         := $(sort $(wildcard man/*.[1-9]))
SCHEMAS     := $(sort $(wildcard man/*.schema.json))

TSCAP       := $(B)/tscap
LIB_SHARED  := $(B)/libtscap-shared.a
LIB_INJECT  := $(B)/libtscap-inject.a
LIB_EXPORT  := $(B)/libtscap-export.a
# cli/ without its main(), for tests of single files of it.
LIB_CLI     := $(B)/libtscap-cli.a
ARCHIVES    := $(LIB_CLI) $(LIB_INJECT) $(LIB_EXPORT) $(LIB_SHARED)

# --- the interpreter: its facts are asked once per run of make, and kept to notice when they change ---

PYTHON_GOALS := all ext objects graph check-graph demo bench install uninstall check-published check-speedscope check-formats check-endian
ifneq ($(filter $(PYTHON_GOALS),$(or $(MAKECMDGOALS),all)),)
PYTHON_FACTS := $(O)/python/$(subst /,_,$(PYTHON)).mk
include $(PYTHON_FACTS)
$(PYTHON_FACTS): FORCE | $(O)/bootstrap/build
	@mkdir -p $(@D)
	@$(PYTHON) -I scripts/python_probe.py --make >$@.new || { rm -f $@.new; exec >&2; \
	    echo "PYTHON=$(PYTHON) cannot be used: choose another with make PYTHON=/path/to/python3"; exit 1; }
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

E           := $(B)/ext/$(PY_TAG)
EXT_OBJ     := $(patsubst ext/%.c,$(E)/%.o,$(sort $(wildcard ext/*.c)))
PY_ROOT     := $(B)/python/$(PY_TAG)
PY_CORE     := $(PY_ROOT)/timestamp_capture/_core$(PY_SUFFIX)
PY_FILES    := $(PY_CORE) $(PACKAGE:ext/%=$(PY_ROOT)/%)
PYTHONDIR   ?= $(PY_SITE)
endif

# --- main targets ---

##@ Build
.PHONY: all all-pythons cli ext
all: cli ext ## the command and the extension for $(PYTHON) (default)
all-pythons: cli ## the command, and the extension for every supported Python found (or PYTHONS="/path/a /path/b")
	+@set -e; found=$$(PYTHON='$(PYTHON)' scripts/find-pythons $(PYTHONS)); printf '%s\n' "$$found" | cut -f 1 | \
	    while read -r python; do $(MAKE) ext PYTHON="$$python"; done
cli: $(TSCAP) ## only the tscap command
ext: $(PY_FILES) ## only the Python package, for PYTHON=/path/to/python3

# Nothing is linked: for a machine whose libraries are not here.
.PHONY: objects
objects: $(SHARED_OBJ) $(INJECT_OBJ) $(EXPORT_OBJ) $(CLI_OBJ) $(EXT_OBJ)

# --- rules ---

# A file that changes only when the text in STAMP does: what depends on it is made again then.
define write_stamp
@mkdir -p $(@D)
@printf '%s\n' "$$STAMP" | cmp -s - $@ || printf '%s\n' "$$STAMP" >$@
endef
.PHONY: FORCE
FORCE:
$(B)/flags: export STAMP = $(COMPILE) / $(LINK) / $(AR) / $(FLAGS_shared)
$(B)/sources: export STAMP = $(SHARED_OBJ) $(INJECT_OBJ) $(EXPORT_OBJ) $(CLI_OBJ) $(CLI_LIBS)
$(E)/flags: export STAMP = $(PY_INCLUDES)
$(E)/sources: export STAMP = $(EXT_OBJ)
$(B)/flags $(B)/sources $(if $(E),$(E)/flags $(E)/sources): FORCE | $(O)/bootstrap/build
	$(write_stamp)

$(B)/%.o: %.c $(B)/flags | $(O)/bootstrap/build
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(INCLUDES) $(FLAGS_$(room)) -c $< -o $@

$(LIB_SHARED): $(SHARED_OBJ)
$(LIB_INJECT): $(INJECT_OBJ)
$(LIB_EXPORT): $(EXPORT_OBJ)
$(LIB_CLI): $(filter-out $(B)/cli/command/main.o,$(CLI_OBJ))
$(ARCHIVES): $(B)/sources
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

LIBS        := $(LIB_INJECT) $(LIB_EXPORT) $(LIB_SHARED)
$(TSCAP): $(CLI_OBJ) $(LIBS) $(B)/sources
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(CLI_OBJ) $(LIBS) $(CLI_LIBS)

ifdef PY_TAG
$(E)/%.o: ext/%.c $(B)/flags $(E)/flags | $(O)/bootstrap/build
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(INCLUDES) $(FLAGS_ext) $(PY_INCLUDES) -c $< -o $@

# Of the archives it takes what it calls, and that needs neither libzstd nor zlib: tests/python/test_captures.py looks.
$(PY_CORE): $(EXT_OBJ) $(LIB_EXPORT) $(LIB_SHARED) $(E)/sources
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -shared -Wl,-z,nodelete -o $@ $(EXT_OBJ) $(LIB_EXPORT) $(LIB_SHARED)

$(PY_ROOT)/timestamp_capture/%: ext/timestamp_capture/%
	@mkdir -p $(@D)
	$(Q)cp -f $< $@
endif

$(UNIT): private TEST_LIBS := -lcriterion
# Exported names are all that it has, as an interpreter that was stripped.
$(B)/tests/unit/test_native_frames: private TEST_LIBS := -lcriterion -rdynamic -s
$(FUZZ): private TEST_LIBS := $(if $(filter fuzz,$(FLAVOUR)),-fsanitize=fuzzer)
$(FUZZ): $(if $(filter fuzz,$(FLAVOUR)),,$(B)/tests/fuzz/replay.o)
$(PROGRAMS): %: %.o $(ARCHIVES) $(B)/sources
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(ARCHIVES) $(TEST_LIBS) $(CLI_LIBS)

# Dependencies are looked for once per checkout (`make clean` forgets) and never with BOOTSTRAP=no.
BOOTSTRAPS := $(addprefix $(O)/bootstrap/,build check fuzz)
$(BOOTSTRAPS): scripts/bootstrap
ifneq ($(BOOTSTRAP),no)
	@PYTHON='$(PYTHON)' scripts/bootstrap $(@F)
	@mkdir -p $(@D) && touch $@
endif
# Headers that only tests need must be there before a test is compiled.
$(PROGRAMS:=.o): | $(O)/bootstrap/check

-include $(patsubst %.o,%.d,$(SHARED_OBJ) $(INJECT_OBJ) $(EXPORT_OBJ) $(CLI_OBJ) $(EXT_OBJ) $(PROGRAMS:=.o) $(B)/tests/fuzz/replay.o)

# The command less what gets into processes: it reads captures on a machine that the rest is not made for. Where it
# would need the rest it has no code to go to.
.PHONY: reader
READER     := $(B)/tscap-reader
READER_OBJ := $(filter-out $(B)/cli/attach/%,$(CLI_OBJ))
reader: $(READER)
$(READER): $(READER_OBJ) $(LIB_EXPORT) $(LIB_SHARED) $(B)/sources
	$(call say,LINK,$@)
	$(Q)$(LINK) -Wl,--unresolved-symbols=ignore-all -o $@ $(READER_OBJ) $(LIB_EXPORT) $(LIB_SHARED) -lncursesw -ltinfo -lzstd -lz

# --- running ---

TEST_ENV = TSCAP_ROOT='$(CURDIR)' TSCAP_BUILD='$(abspath $(B))' TSCAP='$(abspath $(TSCAP))' \
           FLAVOUR='$(FLAVOUR)' O='$(O)' PYTHON='$(PYTHON)' MAKE='$(MAKE)'
RUN      = +@$(TEST_ENV) scripts/run-programs

##@ Try, and the usual tests: make check, or one group of it
.PHONY: demo check check-model check-unit check-stress check-fuzz check-scripts check-python check-cli check-inject
demo: all ## a real program, recorded and read from a second process
	+@$(TEST_ENV) PYTHON='$(PY_EXE)' PYTHONPATH='$(abspath $(PY_ROOT))' scripts/demo

check: $(O)/bootstrap/build $(O)/bootstrap/check ## all of the following, on every supported Python found
	+@$(TEST_ENV) scripts/check

check-model: $(MODEL) ## model checks of the ring protocol
	$(RUN) model $(MODEL)

check-unit: $(UNIT) ## unit tests of shared/, inject/, export/ and cli/
	$(RUN) unit $(UNIT)

# The release build meets the processor's real reorderings, the TSan build is told about every race.
STRESS_FLAVOURS = $(if $(filter release,$(FLAVOUR)),release tsan,$(FLAVOUR))
check-stress: stress-programs ## stress programs, short (STRESS_SECONDS=3 each), plain and under TSan
	$(RUN) stress $(foreach f,$(STRESS_FLAVOURS),$(STRESS:$(B)/%=$(O)/$(f)/%))
.PHONY: stress-programs
stress-programs: $(STRESS)
	+@$(if $(filter release,$(FLAVOUR)),$(MAKE) FLAVOUR=tsan stress-programs,:)

check-fuzz: ## the committed fuzz corpus, replayed under ASan and UBSan
	+@$(MAKE) FLAVOUR=replay replay-corpus
.PHONY: replay-corpus
replay-corpus: $(FUZZ)
	$(RUN) fuzz $(FUZZ)

check-scripts: $(O)/bootstrap/check ## lint of the scripts and the manual pages
	@scripts/check-scripts

.PHONY: graph check-graph
graph: cli ext ## which unit (.c file) of a room calls which; fails where calls go in a cycle
	@scripts/graph $(B)
check-graph: cli ext ## the same, in a few lines
	@scripts/graph --quiet $(B)

check-python: cli $(O)/bootstrap/check ## the Python suite on every interpreter (or PYTHONS="/path/a /path/b")
	+@$(TEST_ENV) scripts/run-python-tests python

check-cli: cli $(CLI_HELPERS) $(O)/bootstrap/check ## the command's suite on two interpreters
	+@$(TEST_ENV) scripts/run-python-tests cli

check-inject: cli $(O)/bootstrap/check ## attaching to programs in all sorts of trouble, short, on every interpreter
	+@$(TEST_ENV) scripts/run-python-tests inject

##@ Longer tests, with programs of others
# Not part of `check`: it fetches compilers and servers, and they take their time.
.PHONY: check-programs
check-programs: cli $(O)/bootstrap/check ## programs made or run by Cython, Nuitka, PyInstaller, uWSGI, joblib, gevent (needs network)
	+@$(TEST_ENV) scripts/run-python-tests programs

# Nor this: latencies are compared, for which the machine has to be quiet.
.PHONY: check-servers
check-servers: cli $(O)/bootstrap/check ## gunicorn, uvicorn, Celery and pools, attached to under load: counts and latencies (needs network)
	+@$(TEST_ENV) PYTHON_JOBS=1 scripts/run-python-tests servers

# One at a time: it reports for how long threads were stopped.
.PHONY: soak-inject
soak-inject: cli $(O)/bootstrap/check ## the same, TSCAP_CYCLES=100 times each, and a web server under load
	+@$(TEST_ENV) PYTHON_JOBS=1 TSCAP_CYCLES="$${TSCAP_CYCLES:-100}" TEST_TIMEOUT="$${TEST_TIMEOUT:-7200}" scripts/run-python-tests inject

# Nor this.
.PHONY: check-endian
check-endian: all ## captures of this machine, read on a big-endian one: qemu (needs Debian's packages)
	+@$(TEST_ENV) PYTHON='$(PY_EXE)' scripts/check-endian

.PHONY: check-newest
check-newest: ## suites with Python on what only Debian unstable has yet, debug builds too (as root; DEBIAN_MIRROR=)
	+@$(TEST_ENV) scripts/check-newest

# Not part of `check`: it fetches headers when it first runs.
.PHONY: check-aarch64
check-aarch64: ## compiles everything for aarch64, on any machine with Debian's packages (links and runs nothing)
	+@$(TEST_ENV) scripts/check-aarch64

# Not part of `check`: the tests are fetched.
.PHONY: check-published
check-published: all $(O)/bootstrap/check ## the tests that OSBot-Utils, stichotrope and yappi publish, against ours on $(PYTHON) (needs network)
	+@$(TEST_ENV) scripts/run-python-tests --venv '$(PY_EXE)' '$(PY_TAG)' published
	+@$(TEST_ENV) scripts/published-tests '$(abspath $(O))/venv/$(PY_TAG)-published/bin/python' '$(abspath $(PY_ROOT))'

# Nor this. Once the schema has been fetched, `check` holds the files to it, too.
.PHONY: check-speedscope
check-speedscope: cli ext $(O)/bootstrap/check ## speedscope files against the schema that speedscope publishes, on $(PYTHON) (needs network, npm)
	+@$(TEST_ENV) scripts/run-python-tests --venv '$(PY_EXE)' '$(PY_TAG)'
	+@$(TEST_ENV) scripts/speedscope-schema '$(abspath $(O))/venv/$(PY_TAG)/bin/python' '$(abspath $(PY_ROOT))'

# Nor this: it fetches and compiles those programs when it first runs.
.PHONY: check-formats
check-formats: cli ext $(O)/bootstrap/check ## files for other programs, opened by those programs, on $(PYTHON) (needs network, go, npm, cargo, Chromium)
	+@$(TEST_ENV) scripts/run-python-tests --venv '$(PY_EXE)' '$(PY_TAG)'
	+@$(TEST_ENV) scripts/check-formats '$(abspath $(O))/venv/$(PY_TAG)/bin/python' '$(abspath $(PY_ROOT))'

PYPY ?= pypy3
.PHONY: check-pypy
check-pypy: cli ## the Python suite on PYPY=pypy3, which has the recorder in pure Python
	+@$(TEST_ENV) scripts/check-pypy '$(PYPY)'

##@ Sanitizers, coverage, long runs
.PHONY: asan ubsan tsan cov soak fuzz bench
asan ubsan: ## build with that sanitizer, run unit and stress tests, and the command's suite on $(PYTHON)
	+@$(MAKE) FLAVOUR=$@ cli check-unit
	+@$(MAKE) FLAVOUR=$@ check-stress
	+@$(MAKE) FLAVOUR=$@ PYTHONS='$(PYTHON)' check-cli
tsan: ## build with TSan, run the stress tests (Criterion cannot run under it)
	+@$(MAKE) FLAVOUR=$@ cli check-stress

# Tests look at stderr: what a process that may write no file says of its counters does not belong there.
cov: ## line coverage per source file, of all suites on $(PYTHON)
	+@find $(O)/cov -name '*.gcda' -delete 2>/dev/null; for group in unit stress python cli; do \
	    GCOV_ERROR_FILE=/dev/null $(MAKE) FLAVOUR=cov PYTHONS='$(PYTHON)' check-$$group || echo "cov: check-$$group failed" >&2; done
	@scripts/coverage '$(O)/cov'

soak: check-soak ## long tests on every interpreter; stress programs for SOAK_SECONDS=600 each
	+@$(MAKE) STRESS_SECONDS='$(SOAK_SECONDS)' check-stress

.PHONY: check-soak
check-soak: cli $(O)/bootstrap/check
	+@$(TEST_ENV) TEST_TIMEOUT="$${TEST_TIMEOUT:-7200}" scripts/run-python-tests soak

fuzz: $(O)/bootstrap/fuzz ## fuzz each parser for FUZZ_SECONDS=60, from the committed corpus
	+@$(MAKE) FLAVOUR=fuzz CC='$(FUZZ_CC)' run-fuzzers
.PHONY: run-fuzzers
run-fuzzers: $(FUZZ)
	$(RUN) libfuzzer $(FUZZ)

bench: all $(BENCH) ## benchmarks: tests/bench/*.c and tests/bench/bench_*.py
	$(RUN) bench $(BENCH)
	+@set -e; for bench in $(sort $(wildcard tests/bench/bench_*.py)); do echo "== $$bench"; \
	    $(TEST_ENV) PYTHONPATH='$(abspath $(PY_ROOT))' '$(PY_EXE)' "$$bench"; done

export FUZZ_SECONDS STRESS_SECONDS PYTHONS

# --- installing: uninstall removes exactly what install wrote ---

BINDIR  = $(DESTDIR)$(PREFIX)/bin
MANDIR  = $(DESTDIR)$(PREFIX)/share/man
DATADIR = $(DESTDIR)$(PREFIX)/share/tscap
PKGDIR  = $(DESTDIR)$(PYTHONDIR)/timestamp_capture
# A staging folder shall be empty again. On a live system empty folders may belong to somebody else: those that install
# made are listed there.
MADE    = $(DATADIR)/made-folders
install_file = scripts/install-file $(1) $(2) $(3) >>'$(B)/made-folders'

##@ Install, clean
.PHONY: install uninstall clean help
install: all ## command, manual and JSON schemas to PREFIX, package to PYTHONDIR (default: PYTHON's site-packages)
	$(Q)rm -f '$(B)/made-folders'
	$(call say,INSTALL,$(BINDIR)/tscap)
	$(Q)$(call install_file,755,'$(TSCAP)','$(BINDIR)/tscap')
	$(Q)set -e; for page in $(notdir $(MAN)); do \
	    $(call install_file,644,"man/$$page",'$(MANDIR)'/man$${page##*.}/"$$page"); done
	$(Q)set -e; for schema in $(notdir $(SCHEMAS)); do $(call install_file,644,"man/$$schema",'$(DATADIR)'/"$$schema"); done
	$(call say,INSTALL,$(PKGDIR))
	$(Q)set -e; for file in $(PY_FILES:$(PY_ROOT)/%=%); do case $$file in *.so) mode=755 ;; *) mode=644 ;; esac; \
	    $(call install_file,$$mode,"$(PY_ROOT)/$$file",'$(DESTDIR)$(PYTHONDIR)'/"$$file"); done
	$(Q)$(if $(DESTDIR),:,if [ -s '$(B)/made-folders' ]; then cat '$(B)/made-folders' >>'$(MADE)'; fi)

uninstall: ## what install wrote, and nothing else
	$(Q)rm -f '$(BINDIR)/tscap'
	$(Q)for page in $(notdir $(MAN)); do rm -f '$(MANDIR)'/man$${page##*.}/"$$page"; done
	$(Q)rm -rf '$(PKGDIR)'
	$(Q)made=$$(cat '$(MADE)' 2>/dev/null); rm -rf '$(DATADIR)'; \
	    printf '%s\n' "$$made" | LC_ALL=C sort -r | while read -r folder; do rmdir "$$folder" 2>/dev/null; done; :
	$(Q)$(if $(DESTDIR),cd '$(DESTDIR)' 2>/dev/null && find . -depth -mindepth 1 -type d -empty -delete || :,:)

clean: ## what was built; build/pythons and what comes from Debian stay, for they take long to make
	$(Q)rm -rf $(addprefix $(O)/,$(FLAVOURS) bootstrap python venv wheel newest/build aarch64/build s390x/build)

help: ## this list
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z][a-z -]*:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile
	@echo; echo "Variables: V=1 WERROR=1 FLAVOUR= O= CC= CFLAGS= CPPFLAGS= LDFLAGS= AR= PREFIX= DESTDIR= PYTHON= PYTHONDIR="
	@echo "           PYTHONS= BOOTSTRAP=no (install no dependencies) TEST_TIMEOUT= PYTHON_JOBS="

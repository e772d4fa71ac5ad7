# Vouch: build, install and test.  docs/building.md is the guide to the targets.

EXTENSION  = vouch
MODULE_big = vouch
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" vouch.control)

OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*/*.c)))

# The pieces of the extension's script, in the order in which they must run.
EXTSCRIPT  = vouch--$(EXTVERSION).sql
SQL_PIECES = $(addprefix src/,$(shell sed 's/\#.*//' src/extension.list))

DATA       = $(wildcard sql/updates/vouch--*.sql)
DATA_built = $(EXTSCRIPT)
EXTRA_CLEAN = $(OBJS:.o=.d) vouch--*.sql META.json results regression.diffs regression.out \
              test/isolation/results test/isolation/regression.diffs test/isolation/regression.out \
              test/isolation/output_iso tmp_check $(TOOLS)

# Programs for people without the database: standard C and nothing else.
TOOLS = tools/vouch-receipt

PG_CPPFLAGS = -Isrc
PG_CFLAGS   = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
              -Wno-missing-field-initializers -MMD -MP
ifdef CI
PG_CFLAGS  += -Werror
endif

# "make installcheck" runs these against the server that the PG* environment names.
REGRESS       := $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS_OPTS   = --use-existing
REGRESS_PREP   = installcheck-databases
ISOLATION     := $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --use-existing --inputdir=test/isolation --outputdir=test/isolation

PG_CONFIG ?= $(shell scripts/find-pg-config)
PGXS      := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
# The scripts must find the same server as this file, on the first run too.
export PG_CONFIG

ifneq ($(wildcard $(PGXS)),)

# Bitcode takes the compiler that the server was built with, which need not be here.
PGXS_CLANG := $(shell sed -n 's/^CLANG *= *//p' $(dir $(PGXS))../Makefile.global)
ifeq ($(shell command -v $(firstword $(PGXS_CLANG) none)),)
override with_llvm = no
endif

include $(PGXS)

# src/core/digest.c, where the server has OpenSSL
SHLIB_LINK += $(filter -lcrypto,$(LIBS))

# PGXS would make databases of its own, where workers get in the way.
override CONTRIB_TESTDB   = vouch_regress
override ISOLATION_TESTDB = vouch_isolation

# PGXS does not track headers, and never depends on the flags.
-include $(OBJS:.o=.d)
$(OBJS): Makefile
$(OBJS:.o=.bc): %.bc: %.o

else

all install installcheck clean:
	@echo "PostgreSQL's server headers are missing: $(PG_CONFIG). Run 'make deps' first, or set PG_CONFIG." >&2; exit 1

endif

all: META.json tools

.PHONY: tools
tools: $(TOOLS)

$(TOOLS): %: %.c
	$(or $(CC),cc) -std=c99 -D_POSIX_C_SOURCE=200809L -O2 -Wall -Wextra $(if $(CI),-Werror) -o $@ $<

$(EXTSCRIPT): $(SQL_PIECES) src/extension.list scripts/build-sql vouch.control
	scripts/build-sql src/extension.list > $@.tmp && mv $@.tmp $@

META.json: META.json.in vouch.control
	sed -e 's/@VERSION@/$(EXTVERSION)/g' $< > $@

.PHONY: installcheck-databases
installcheck-databases: export PATH := $(bindir):$(PATH)
installcheck-databases:
	scripts/fresh-database vouch_regress vouch
	scripts/fresh-database vouch_isolation vouch

# ---- everything below works in a private server inside the tree (.server) ----

TESTERS = test-regress test-isolation test-pgtap test-tap test-asl test-checks test-demo

.PHONY: deps private-install server-start server-stop server-status server-clean psql \
	test $(TESTERS) check-asl check-includes demo demo-shell bench-engine bench-log bench-metrics bench-track bench-versions

deps:
	@scripts/deps

private-install: deps
	+@scripts/server install

server-start: private-install
	@scripts/server start

server-stop:
	@scripts/server stop

server-status:
	@scripts/server status

server-clean:
	@scripts/server destroy

psql: server-start
	@scripts/server psql $(if $(DB),-d $(DB))

test: server-start
	+@scripts/test all

$(TESTERS): server-start
	+@TESTS="$(TESTS)" scripts/test $(patsubst test-%,%,$@)

# The recorded cases of a file, by the language alone and through the engine.
check-asl: server-start
	+@CASES="$(if $(CASES),$(abspath $(CASES)))" scripts/check-cases

check-includes: deps
	@scripts/check-includes

demo: server-start
	@eval "$$(scripts/server env)" && demo/run

demo-shell: server-start
	@scripts/server psql -d vouch_demo

bench-engine: server-start
	@test/bench/engine

bench-log: server-start
	@test/bench/log

bench-metrics: server-start
	@test/bench/metrics

bench-track: server-start
	@test/bench/track

bench-versions: server-start
	@test/bench/versions

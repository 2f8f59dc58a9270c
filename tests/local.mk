# A unit test is one file tests/unit/NAME.c that prints TAP.
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
AM_TESTS_ENVIRONMENT = CONTEXTQL=$(abs_builddir)/src/contextql; SRCDIR=$(abs_srcdir); WERROR_CFLAGS=$(WERROR_CFLAGS); export CONTEXTQL SRCDIR WERROR_CFLAGS;
CHECKED = tests/functions tests/unit/expressions tests/unit/base tests/unit/temporal tests/unit/parser tests/unit/graph tests/unit/pack tests/unit/groups tests/unit/vector tests/unit/gpu tests/unit/database tests/unit/segments tests/unit/isolation tests/unit/prepared tests/unit/shell tests/kill9
tests_unit_base_SOURCES = tests/unit/base.c tests/unit/test.h
tests_unit_base_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_expressions_SOURCES = tests/unit/expressions.c tests/unit/test.h
tests_unit_expressions_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_functions_SOURCES = tests/functions.c tests/unit/test.h
tests_functions_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_temporal_SOURCES = tests/unit/temporal.c tests/unit/test.h
tests_unit_temporal_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_parser_SOURCES = tests/unit/parser.c tests/unit/test.h
tests_unit_parser_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_graph_SOURCES = tests/unit/graph.c tests/unit/test.h
tests_unit_graph_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_pack_SOURCES = tests/unit/pack.c tests/unit/test.h
tests_unit_pack_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_groups_SOURCES = tests/unit/groups.c tests/unit/test.h
tests_unit_groups_LDADD = src/libengine.la $(ENGINE_LIBS)
CHECKED += tests/unit/tuple
tests_unit_tuple_SOURCES = tests/unit/tuple.c tests/unit/test.h
tests_unit_tuple_LDADD = src/libengine.la $(ENGINE_LIBS)
CHECKED += tests/unit/cancel
tests_unit_cancel_SOURCES = tests/unit/cancel.c tests/unit/test.h
tests_unit_cancel_LDADD = src/libengine.la $(ENGINE_LIBS)
CHECKED += tests/unit/runtime
tests_unit_runtime_SOURCES = tests/unit/runtime.c tests/unit/test.h
tests_unit_runtime_LDADD = src/libengine.la $(ENGINE_LIBS)
CHECKED += tests/unit/ranking
tests_unit_ranking_SOURCES = tests/unit/ranking.c tests/unit/test.h
tests_unit_ranking_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_vector_SOURCES = tests/unit/vector.c tests/unit/test.h
tests_unit_vector_LDADD = src/libengine.la $(ENGINE_LIBS)
CHECKED += tests/unit/finder
tests_unit_finder_SOURCES = tests/unit/finder.c tests/unit/test.h
tests_unit_finder_LDADD = src/libengine.la $(ENGINE_LIBS)
CHECKED += tests/unit/near
tests_unit_near_SOURCES = tests/unit/near.c tests/unit/test.h
tests_unit_near_LDADD = src/libengine.la $(ENGINE_LIBS)
CHECKED += tests/unit/sieve
tests_unit_sieve_SOURCES = tests/unit/sieve.c tests/unit/test.h
tests_unit_sieve_LDADD = src/libengine.la $(ENGINE_LIBS) -lm
tests_unit_gpu_SOURCES = tests/unit/gpu.c tests/unit/test.h
tests_unit_gpu_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_database_SOURCES = tests/unit/database.c tests/unit/test.h
tests_unit_database_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_segments_SOURCES = tests/unit/segments.c tests/unit/test.h
tests_unit_segments_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_isolation_SOURCES = tests/unit/isolation.c tests/unit/test.h
tests_unit_isolation_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_prepared_SOURCES = tests/unit/prepared.c tests/unit/test.h
tests_unit_prepared_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_shell_SOURCES = tests/unit/shell.c tests/unit/test.h
tests_unit_shell_LDADD = src/libengine.la $(ENGINE_LIBS)
CHECKED += tests/unit/snapshots
tests_unit_snapshots_SOURCES = tests/unit/snapshots.c tests/unit/test.h
tests_unit_snapshots_LDADD = src/libengine.la $(ENGINE_LIBS)
CHECKED += tests/unit/dump
tests_unit_dump_SOURCES = tests/unit/dump.c tests/unit/test.h
tests_unit_dump_LDADD = src/libengine.la $(ENGINE_LIBS)
CHECKED += tests/unit/suggest
tests_unit_suggest_SOURCES = tests/unit/suggest.c tests/unit/test.h
tests_unit_suggest_LDADD = src/libengine.la $(ENGINE_LIBS)
CHECKED += tests/unit/algorithms
tests_unit_algorithms_SOURCES = tests/unit/algorithms.c tests/unit/test.h
tests_unit_algorithms_LDADD = src/libengine.la $(ENGINE_LIBS) -lm
CHECKED += tests/unit/optimizer
tests_unit_optimizer_SOURCES = tests/unit/optimizer.c tests/unit/test.h
tests_unit_optimizer_LDADD = src/libengine.la $(ENGINE_LIBS)
CHECKED += tests/unit/ordered
tests_unit_ordered_SOURCES = tests/unit/ordered.c tests/unit/test.h
tests_unit_ordered_LDADD = src/libengine.la $(ENGINE_LIBS)
CHECKED += tests/unit/log
tests_unit_log_SOURCES = tests/unit/log.c tests/unit/test.h tests/faults/disk.c tests/faults/disk.h tests/faults/disk_internal.h tests/faults/power.c
tests_unit_log_LDADD = src/libengine.la $(ENGINE_LIBS)
CHECKED += tests/unit/check
tests_unit_check_SOURCES = tests/unit/check.c tests/unit/test.h
tests_unit_check_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_kill9_SOURCES = tests/kill9.c
tests_kill9_LDADD = src/libengine.la $(ENGINE_LIBS)
dist_check_SCRIPTS = tests/conformance tests/tidy tests/tck tests/manual tests/completion tests/formats tests/reader repl-tests/run repl-tests/tty
EXTRA_DIST += tests/stored/format-1.tar.xz tests/grammar tests/tck.passing repl-tests examples
# texts is what tests/corpus asks, not a test of its own.
check_PROGRAMS = $(CHECKED) tests/texts
tests_texts_SOURCES = tests/texts.c
tests_texts_LDADD = src/libengine.la $(ENGINE_LIBS)
dist_check_SCRIPTS += tests/corpus tests/levels tests/workers tests/spill tests/embed
check_PROGRAMS += examples/c/recall
examples_c_recall_SOURCES = examples/c/recall.c
examples_c_recall_LDADD = src/libcontextql.la
TESTS = $(CHECKED) tests/embed tests/corpus tests/levels tests/workers tests/spill tests/conformance tests/tidy tests/tck tests/manual tests/completion tests/formats tests/reader repl-tests/run repl-tests/tty

# tests/fuzz/run builds the fuzz targets in a build folder of their own and runs each for FUZZ_SECONDS; without FUZZ_SECONDS, or
# without clang, it is skipped. `make fuzz-targets` alone builds them; wants --enable-fuzzing with clang.
dist_check_SCRIPTS += tests/fuzz/run
TESTS += tests/fuzz/run
FUZZ_TARGETS = tests/fuzz/statement tests/fuzz/file tests/fuzz/directory tests/fuzz/temporal tests/fuzz/log tests/fuzz/dump
# One by one: of a folder that a build has too, make dist takes what tests left there.
EXTRA_DIST += tests/fuzz/found tests/fuzz/keys

# Random keys at the prompt; with --enable-asan it finds most.
fuzz-keys: src/contextql
	CONTEXTQL=$(abs_builddir)/src/contextql SRCDIR=$(abs_srcdir) $(srcdir)/tests/fuzz/keys $(FUZZ_SECONDS)
.PHONY: fuzz-keys
.PHONY: fuzz-targets
if FUZZING
EXTRA_PROGRAMS += $(FUZZ_TARGETS)
tests_fuzz_statement_SOURCES = tests/fuzz/statement.c
tests_fuzz_statement_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_fuzz_statement_LDFLAGS = -fsanitize=fuzzer
tests_fuzz_file_SOURCES = tests/fuzz/file.c tests/fuzz/one_file.h
tests_fuzz_file_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_fuzz_file_LDFLAGS = -fsanitize=fuzzer
tests_fuzz_temporal_SOURCES = tests/fuzz/temporal.c
tests_fuzz_temporal_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_fuzz_temporal_LDFLAGS = -fsanitize=fuzzer
tests_fuzz_directory_SOURCES = tests/fuzz/directory.c
tests_fuzz_directory_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_fuzz_directory_LDFLAGS = -fsanitize=fuzzer
tests_fuzz_log_SOURCES = tests/fuzz/log.c tests/faults/disk.c tests/faults/disk.h tests/faults/disk_internal.h tests/faults/power.c
tests_fuzz_log_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_fuzz_log_LDFLAGS = -fsanitize=fuzzer
# The reader of dumps is a part of the program: with all of it but main.
tests_fuzz_dump_SOURCES = tests/fuzz/dump.c tests/fuzz/one_file.h
tests_fuzz_dump_LDADD = $(src_contextql_OBJECTS:src/main.o=) $(src_contextql_LDADD)
tests_fuzz_dump_LDFLAGS = -fsanitize=fuzzer
fuzz-targets: $(BUILT_SOURCES)
	$(MAKE) $(AM_MAKEFLAGS) $(FUZZ_TARGETS)
endif

# The disk that tests own, and what is done to it: short forms in check, the long ones on demand.
FAULT_TESTS = tests/faults/crash tests/faults/bits tests/faults/failing tests/faults/memory tests/faults/limits tests/faults/strays tests/faults/spill
FAULT_SOURCES = tests/faults/crew.c tests/faults/crew.h tests/faults/disk.c tests/faults/disk.h tests/faults/disk_internal.h tests/faults/power.c tests/faults/ledger.c tests/faults/ledger.h
EXTRA_DIST += tests/faults/README.md
CHECKED += $(FAULT_TESTS)
tests_faults_crash_SOURCES = tests/faults/crash.c $(FAULT_SOURCES)
tests_faults_crash_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_faults_crash_LDFLAGS = -Wl,--wrap=checksum_fits
tests_faults_bits_SOURCES = tests/faults/bits.c $(FAULT_SOURCES)
tests_faults_bits_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_faults_bits_LDFLAGS = -Wl,--wrap=checksum_fits
tests_faults_failing_SOURCES = tests/faults/failing.c $(FAULT_SOURCES)
tests_faults_failing_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_faults_memory_SOURCES = tests/faults/memory.c
tests_faults_memory_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_faults_memory_LDFLAGS = -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc -Wl,--wrap=posix_memalign
tests_faults_limits_SOURCES = tests/faults/limits.c
tests_faults_limits_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_faults_spill_SOURCES = tests/faults/spill.c tests/unit/test.h $(FAULT_SOURCES)
tests_faults_spill_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_faults_strays_SOURCES = tests/faults/strays.c $(FAULT_SOURCES)
tests_faults_strays_LDADD = src/libengine.la $(ENGINE_LIBS)
check-faults:
	FAULTS_LONG=1 $(MAKE) $(AM_MAKEFLAGS) check TESTS="$(FAULT_TESTS) tests/kill9"
.PHONY: check-faults

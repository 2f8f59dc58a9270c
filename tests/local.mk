# A unit test is one file tests/unit/NAME.c that prints TAP.
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
AM_TESTS_ENVIRONMENT = CONTEXTQL=$(abs_builddir)/src/contextql; SRCDIR=$(abs_srcdir); export CONTEXTQL SRCDIR;
check_PROGRAMS = tests/unit/base tests/unit/parser tests/unit/graph tests/unit/vector tests/unit/database tests/kill9
tests_unit_base_SOURCES = tests/unit/base.c tests/unit/test.h
tests_unit_base_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_parser_SOURCES = tests/unit/parser.c tests/unit/test.h
tests_unit_parser_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_graph_SOURCES = tests/unit/graph.c tests/unit/test.h
tests_unit_graph_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_vector_SOURCES = tests/unit/vector.c tests/unit/test.h
tests_unit_vector_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_unit_database_SOURCES = tests/unit/database.c tests/unit/test.h
tests_unit_database_LDADD = src/libengine.la $(ENGINE_LIBS)
tests_kill9_SOURCES = tests/kill9.c
tests_kill9_LDADD = src/libengine.la $(ENGINE_LIBS)
dist_check_SCRIPTS = tests/tidy tests/tck tests/manual repl-tests/run
EXTRA_DIST += tests/tck.passing repl-tests examples
TESTS = $(check_PROGRAMS) tests/tidy tests/tck tests/manual repl-tests/run

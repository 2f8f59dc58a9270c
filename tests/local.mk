# A unit test is one file tests/unit/NAME.c that includes its module's .c files and prints TAP.
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
AM_TESTS_ENVIRONMENT = CONTEXTQL=$(abs_builddir)/src/contextql; SRCDIR=$(abs_srcdir); export CONTEXTQL SRCDIR;
check_PROGRAMS =
TESTS = $(check_PROGRAMS)

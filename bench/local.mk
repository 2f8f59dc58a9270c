# Programs that measure; `make bench` builds and runs them. One line a program in BENCHES.
BENCHES = bench/vector_scan
EXTRA_PROGRAMS += $(BENCHES)
CLEANFILES += $(BENCHES)
bench_vector_scan_SOURCES = bench/vector_scan.c
bench_vector_scan_LDADD = src/libengine.la $(ENGINE_LIBS)
bench: $(BENCHES)
	@for program in $(BENCHES); do ./$$program || exit 1; done

# Programs that measure; `make bench` builds and runs them, `make check` builds them, so that none is left behind by what it measures.
BENCHES = bench/vector_scan bench/topk bench/parse bench/prepare bench/wordnet
BENCHES += bench/range bench/cancel bench/shell bench/graph bench/commit bench/opening bench/vector
check_PROGRAMS += $(BENCHES)
bench_vector_scan_SOURCES = bench/vector_scan.c
bench_vector_scan_LDADD = src/libengine.la $(ENGINE_LIBS)
bench_vector_SOURCES = bench/vector.c
bench_vector_LDADD = src/libengine.la $(ENGINE_LIBS)
bench_range_SOURCES = bench/range.c
bench_range_LDADD = src/libengine.la $(ENGINE_LIBS)
bench_topk_SOURCES = bench/topk.c
bench_topk_LDADD = src/libengine.la $(ENGINE_LIBS)
bench_parse_SOURCES = bench/parse.c
bench_parse_LDADD = src/libengine.la $(ENGINE_LIBS)
bench_prepare_SOURCES = bench/prepare.c
bench_prepare_LDADD = src/libengine.la $(ENGINE_LIBS)
bench_wordnet_SOURCES = bench/wordnet.c
bench_wordnet_LDADD = src/libengine.la $(ENGINE_LIBS)
bench_cancel_SOURCES = bench/cancel.c
bench_cancel_LDADD = src/libengine.la $(ENGINE_LIBS)
bench_shell_SOURCES = bench/shell.c
bench_shell_LDADD = src/libengine.la $(ENGINE_LIBS)
bench_commit_SOURCES = bench/commit.c
bench_commit_LDADD = src/libengine.la $(ENGINE_LIBS)
bench_opening_SOURCES = bench/opening.c
bench_opening_LDADD = src/libengine.la $(ENGINE_LIBS)
bench_graph_SOURCES = bench/graph.c
bench_graph_LDADD = src/libengine.la $(ENGINE_LIBS)
# GRAPH: a folder with nodes.csv and edges.csv, or an archive of one (bench/graph.c says which columns). PEERS=--peers asks Kuzu and
# DuckDB, too, where npm has them, and GraphBLAS, where libgraphblas-dev is there; PEERS=--alone leaves SQLite out, PEERS='--peers --alone' does both.
bench-graph: bench/graph
	SRCDIR=$(abs_srcdir) bench/graph "$(GRAPH)" $(PEERS)
# VECTORS: a folder with sift100k.base.u8bin, .query.u8bin, .gt.ibin, or those packed (.xz). Peers: bench/vector-run says which.
bench-vector: bench/vector
	BENCH=bench/vector $(srcdir)/bench/vector-run "$(VECTORS)"
bench-vector-large: bench/vector
	BENCH=bench/vector $(srcdir)/bench/vector-run 1000000
bench-load: src/contextql
	CONTEXTQL=$(abs_builddir)/src/contextql $(srcdir)/bench/load "$(GRAPH)" $(PEERS)
# LDBC: a folder with person.csv and so on, or an archive of one.
bench-ldbc: src/contextql
	CONTEXTQL=$(abs_builddir)/src/contextql SRCDIR=$(abs_srcdir) $(srcdir)/bench/ldbc "$(LDBC)" $(PEERS)
.PHONY: bench-graph bench-load bench-vector bench-vector-large bench-ldbc
bench: $(BENCHES) src/contextql
	bench/cancel
	bench/shell
	bench/commit
	bench/vector_scan
	bench/topk
	bench/range
	bench/opening
	$(srcdir)/tests/corpus --texts | bench/parse
	$(srcdir)/tests/corpus --texts | bench/prepare
	CONTEXTQL=$(abs_builddir)/src/contextql SRCDIR=$(abs_srcdir) bench/wordnet
	CONTEXTQL=$(abs_builddir)/src/contextql SRCDIR=$(abs_srcdir) $(srcdir)/bench/prompt
	CONTEXTQL=$(abs_builddir)/src/contextql $(srcdir)/bench/csv
	CONTEXTQL=$(abs_builddir)/src/contextql SRCDIR=$(abs_srcdir) $(srcdir)/bench/conformance
EXTRA_DIST += bench/vector-run bench/vector-usearch bench/vector_peers.cpp bench/load bench/load-peers bench/graph-peers bench/graph_blas.c bench/ldbc bench/ldbc-peers bench/ldbc.cql bench/prompt bench/csv bench/conformance bench/measure.h bench/session.h bench/sum.h

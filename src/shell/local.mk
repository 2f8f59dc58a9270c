src_contextql_SOURCES += %D%/shell.c %D%/shell.h %D%/shell_internal.h %D%/run.c %D%/command.c %D%/command.h %D%/command_internal.h %D%/command_session.c %D%/command_time.c %D%/command_look.c %D%/care.c %D%/last.c %D%/tutorial.c %D%/expand.c %D%/command_work.c %D%/complete.c %D%/complete.h \
    %D%/jsonl.c %D%/jsonl.h \
    %D%/dump.c %D%/dump.h %D%/import.c %D%/progress.c %D%/progress.h

# The guide, as C.
GUIDE = contextql/guide/1-graph.md contextql/guide/2-vectors.md contextql/guide/3-files.md contextql/guide/4-memory.md contextql/guide/5-past.md contextql/guide/6-import.md
nodist_src_contextql_SOURCES += %D%/guide.h
BUILT_SOURCES += %D%/guide.h
CLEANFILES += %D%/guide.h
%D%/guide.h: $(GUIDE) build-aux/embed
	$(AM_V_GEN)$(MKDIR_P) %D% && cd $(srcdir) && sh build-aux/embed guide $(GUIDE) >$(abs_builddir)/$@
EXTRA_DIST += %D%/README.md

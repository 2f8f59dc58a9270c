src_libengine_la_SOURCES += %D%/ast.c %D%/ast.h %D%/levels.c %D%/conditions.c %D%/lexer.c %D%/parser.c %D%/parser_internal.h
# The grammar lives in contextql/; its parser is made in the build tree, neither committed nor distributed.
nodist_src_libengine_la_SOURCES += %D%/grammar.c
BUILT_SOURCES += %D%/grammar.h
CLEANFILES += %D%/grammar.c %D%/grammar.h
%D%/grammar.c: contextql/grammar.y
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(LEMON) -c -l -q -d$(@D) $(srcdir)/contextql/grammar.y
%D%/grammar.h: %D%/grammar.c
	@test -f $@ || { rm -f $<; $(MAKE) $<; }
EXTRA_DIST += %D%/README.md

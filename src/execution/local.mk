src_libengine_la_SOURCES += %D%/execution.h %D%/operator_internal.h %D%/execution.c \
    %D%/adjacent.h %D%/count.c %D%/intersect.c %D%/search.c %D%/past.c %D%/scan.c %D%/expand.c %D%/rows.c %D%/group.c %D%/apply.c %D%/write.c %D%/morsels.c \
    %D%/score.c %D%/score_leg.c %D%/score_scan.c %D%/score_each.c %D%/score_internal.h
EXTRA_DIST += %D%/README.md

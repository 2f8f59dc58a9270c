src_libengine_la_SOURCES += %D%/plan.h %D%/planner_internal.h %D%/planner.c %D%/binder.c %D%/bind_expression.c %D%/match.c %D%/range.c %D%/range.h %D%/moment.c %D%/order.c %D%/order.h %D%/estimate.c %D%/estimate.h %D%/rewrite.c %D%/subquery.c \
    %D%/projection.c %D%/write.c %D%/query.c %D%/extension.c %D%/command.c %D%/explain.c
EXTRA_DIST += %D%/README.md

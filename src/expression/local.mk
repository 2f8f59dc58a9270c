src_libengine_la_SOURCES += %D%/expression.c %D%/expression.h %D%/evaluate.c %D%/operators.c %D%/operators.h %D%/program.c %D%/check.c \
    %D%/functions.c %D%/functions.h %D%/functions_internal.h %D%/functions_value.c %D%/functions_scalar.c %D%/functions_temporal.c %D%/aggregate.c %D%/json.c %D%/json.h %D%/reader.h
EXTRA_DIST += %D%/README.md

src_libengine_la_SOURCES += %D%/value.c %D%/compare.c %D%/print.c %D%/encode.c %D%/encode.h %D%/options.c %D%/options.h %D%/value.h %D%/batch.c %D%/groups.c %D%/groups.h %D%/batch.h %D%/best.c %D%/best.h \
    %D%/calendar.c %D%/calendar.h %D%/zone.c %D%/zone.h %D%/temporal.c %D%/temporal.h %D%/temporal_internal.h \
    %D%/temporal_text.c %D%/temporal_fields.c %D%/temporal_compute.c %D%/tuple.c %D%/tuple.h
EXTRA_DIST += %D%/README.md

src_libengine_la_SOURCES += %D%/value.c %D%/compare.c %D%/print.c %D%/temporal.c %D%/temporal.h %D%/zone.h %D%/encode.c %D%/encode.h %D%/value.h %D%/batch.c %D%/batch.h

src_libengine_la_SOURCES += %D%/machine.c %D%/machine.h %D%/lane.c %D%/lane.h %D%/workers.c %D%/workers.h
EXTRA_DIST += %D%/README.md

src_libengine_la_SOURCES += %D%/wal.c %D%/wal.h %D%/catalog.c %D%/catalog.h %D%/lock.c %D%/lock.h

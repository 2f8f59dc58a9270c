src_libengine_la_SOURCES += %D%/io.h %D%/io_posix.c %D%/segment.h %D%/segment_internal.h %D%/segment.c %D%/segment_writer.c %D%/pack.c %D%/pack.h %D%/pack_internal.h %D%/unpack.c
src_libengine_la_SOURCES += %D%/wal.c %D%/wal_replay.c %D%/wal.h %D%/wal_internal.h %D%/catalog.c %D%/catalog.h %D%/catalog_vfs.c %D%/catalog_vfs.h %D%/lock.c %D%/lock.h %D%/inspect.c %D%/inspect.h
EXTRA_DIST += %D%/README.md

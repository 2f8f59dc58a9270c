src_libengine_la_SOURCES += %D%/database.c %D%/database.h %D%/database_internal.h %D%/directory.c %D%/log.c %D%/log.h \
    %D%/checkpoint.c %D%/past.c %D%/check.c %D%/backup.c %D%/recover.c %D%/finder.c %D%/aside.c %D%/finder.h
EXTRA_DIST += %D%/README.md

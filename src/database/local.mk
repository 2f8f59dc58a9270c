src_libengine_la_SOURCES += %D%/database.c %D%/database.h %D%/log.c %D%/log.h

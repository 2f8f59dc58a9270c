src_libengine_la_SOURCES += %D%/value.h %D%/batch.h

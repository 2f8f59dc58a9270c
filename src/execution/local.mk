src_libengine_la_SOURCES += %D%/execution.h

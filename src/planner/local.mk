src_libengine_la_SOURCES += %D%/plan.h

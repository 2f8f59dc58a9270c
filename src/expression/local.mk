src_libengine_la_SOURCES += %D%/expression.h %D%/functions.h %D%/reader.h

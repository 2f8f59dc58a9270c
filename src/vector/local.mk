src_libengine_la_SOURCES += %D%/kernel.c %D%/kernel.h %D%/kernel_template.h

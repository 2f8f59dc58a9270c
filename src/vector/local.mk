src_libengine_la_SOURCES += %D%/kernel.c %D%/kernel.h %D%/kernel_internal.h %D%/kernel_scalar.c %D%/kernel_avx2.c %D%/kernel_avx512.c \
    %D%/near.c %D%/near_build.c %D%/near.h %D%/near_internal.h %D%/near_template.h %D%/quantize.c %D%/quantize.h %D%/codes.h %D%/codes_internal.h %D%/codes_template.h %D%/pick_template.h %D%/codes_scalar.c %D%/codes_avx2.c %D%/codes_avx512.c \
    %D%/topk.c %D%/topk.h %D%/scan.c %D%/scan.h %D%/bound.c %D%/bound.h %D%/sieve.c %D%/sieve.h %D%/device.c %D%/device.h
EXTRA_DIST += %D%/README.md

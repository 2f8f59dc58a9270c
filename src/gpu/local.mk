# With Vulkan: the shaders of shaders/ become arrays of SPIR-V in the build tree, neither committed nor distributed.
GPU_VULKAN = %D%/gpu.c %D%/gpu_internal.h %D%/loader.c %D%/device.c %D%/memory.c %D%/submit.c %D%/pipeline.c %D%/resident.c \
    %D%/topk.c %D%/selftest.c
src_libengine_la_SOURCES += %D%/gpu.h
SHADERS = shaders/common.glsl shaders/select.glsl shaders/scan.comp shaders/merge.comp
EXTRA_DIST += $(SHADERS) shaders/README.md %D%/README.md
if VULKAN
src_libengine_la_SOURCES += $(GPU_VULKAN)
GLSL = $(MKDIR_P) $(@D) && $(GLSLANG) -V --quiet --target-env vulkan1.2 -g0 -I$(srcdir)/shaders
SHADERS_BUILT = shaders/scan.h shaders/scan_controls.h shaders/merge.h
BUILT_SOURCES += $(SHADERS_BUILT)
CLEANFILES += $(SHADERS_BUILT)
shaders/scan.h: $(SHADERS)
	$(AM_V_GEN)$(GLSL) --vn shader_scan -o $@ $(srcdir)/shaders/scan.comp
shaders/scan_controls.h: $(SHADERS)
	$(AM_V_GEN)$(GLSL) -DFLOAT_CONTROLS --vn shader_scan_controls -o $@ $(srcdir)/shaders/scan.comp
shaders/merge.h: $(SHADERS)
	$(AM_V_GEN)$(GLSL) --vn shader_merge -o $@ $(srcdir)/shaders/merge.comp
else
src_libengine_la_SOURCES += %D%/none.c
EXTRA_DIST += $(GPU_VULKAN)
endif
EXTRA_DIST += %D%/none.c

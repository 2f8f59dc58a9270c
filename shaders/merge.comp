#version 460
#extension GL_GOOGLE_include_directive : require
/* merge.comp - the k best of each run of keys: how the lists of scan.comp's workgroups become one. */
#include "common.glsl"
#include "select.glsl"

layout(push_constant, scalar) uniform Arguments
{
    uint64_t from, to;
    uint key_count, k, keys_per_group;
}
arguments;

void main()
{
    select_init();
    uint first = gl_WorkGroupID.x * arguments.keys_per_group,
         end = min(first + arguments.keys_per_group, arguments.key_count);
    for (uint at = first; at < end; at += gl_WorkGroupSize.x) {
        if (at + invocation() < end) select_push(Keys(arguments.from).at[at + invocation()]);
        select_settle(gl_WorkGroupSize.x, arguments.k);
    }
    select_flush(arguments.k);
    for (uint i = invocation(); i < arguments.k; i += gl_WorkGroupSize.x)
        Keys(arguments.to).at[gl_WorkGroupID.x * arguments.k + i] = best[i];
}

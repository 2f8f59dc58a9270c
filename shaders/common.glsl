/* common.glsl - what all shaders share: buffers by address, and the key of vector/kernel.h. */
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#ifdef FLOAT_CONTROLS
/* Where a device can be told to keep denormals, signed zeros, NaN and infinities of f32 and to round
 * to the nearest even, it is told so: SPIR-V modes 4459, 4461, 4462 with their capabilities. */
#extension GL_EXT_spirv_intrinsics : require
spirv_execution_mode(capabilities = [4464], 4459, 32);
spirv_execution_mode(capabilities = [4466], 4461, 32);
spirv_execution_mode(capabilities = [4467], 4462, 32);
#endif

layout(buffer_reference, std430, buffer_reference_align = 16) readonly buffer Vec4s { vec4 at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Floats { float at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Words { uint at[]; };
layout(buffer_reference, std430, buffer_reference_align = 8) buffer Keys { uint64_t at[]; };

layout(local_size_x_id = 0) in;

/* Not gl_LocalInvocationIndex: that one need not run through a subgroup lane by lane. */
uint invocation()
{
    return gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID;
}

/* Larger is better; NaN is 0, -0 and +0 are one. */
uint orderable(float score)
{
    uint bits = floatBitsToUint(score);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0u;
    if (bits == 0x80000000u) bits = 0u;
    return (bits & 0x80000000u) != 0u ? ~bits : bits | 0x80000000u;
}

/* Ties go to the lower row; 0 is no row. */
uint64_t key_of(float score, uint row)
{
    return (uint64_t(orderable(score)) << 32) | uint64_t(~row);
}

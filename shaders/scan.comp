#version 460
#extension GL_GOOGLE_include_directive : require
/* scan.comp - scores rows of f32 against a query and leaves the k best keys of each workgroup.
 *
 * Eight invocations share a row: invocation l takes component 4l..4l+3 of every block of 32 as a
 * vec4, which is lane l of the canonical order (vector/kernel.h), and the lanes fold by shuffles +4,
 * +2, +1. A row is lines of 16 floats: a last one without a second adds to the lanes 0 to 3.
 * `precise` keeps products and sums apart and in order, so the bits are the CPU's. */
#include "common.glsl"
#include "select.glsl"
layout(constant_id = 2) const uint LINES = 4u;       /* of 16 floats a row */
layout(constant_id = 3) const uint METRIC = 0u;      /* GpuMetric: dot, l2, cosine */
layout(constant_id = 4) const uint QUERY_LINES = 4u; /* LINES if the query fits in shared memory, else 1 */

layout(push_constant, scalar) uniform Arguments
{
    uint64_t rows, query, factors, present, keys;
    uint row_count, first_row, k, rows_per_group; /* keys and bits count from first_row */
    float query_factor;
}
arguments;

shared vec4 query[QUERY_LINES * 4u];

vec4 query_at(uint i)
{
    if (QUERY_LINES == LINES) return query[i];
    return Vec4s(arguments.query).at[i];
}

vec4 term_of(Vec4s rows, uint i)
{
    precise vec4 term = rows.at[i];
    if (METRIC == 1u) {
        precise vec4 difference = term - query_at(i);
        term = difference * difference;
    } else {
        term = term * query_at(i);
    }
    return term;
}

float score(uint row, uint lane)
{
    Vec4s rows = Vec4s(arguments.rows + uint64_t(row) * uint64_t(LINES * 64u));
    precise vec4 sum = vec4(0.0);
    for (uint block = 0u; block < LINES / 2u; block++)
        sum = sum + term_of(rows, block * 8u + lane);
    if ((LINES & 1u) != 0u && lane < 4u) sum = sum + term_of(rows, LINES * 4u - 4u + lane);
    precise float total = (sum.x + sum.y) + (sum.z + sum.w);
    total = total + subgroupShuffleXor(total, 4u);
    total = total + subgroupShuffleXor(total, 2u);
    total = total + subgroupShuffleXor(total, 1u);
    return METRIC == 1u ? -total : total;
}

/* Does the row take part? Under cosine a factor of 0 says that it has no direction. */
bool takes_part(uint row, float factor)
{
    if (METRIC == 2u && factor == 0.0) return false;
    if (arguments.present == 0ul) return true;
    uint bit = arguments.first_row + row;
    return (Words(arguments.present).at[bit >> 5] >> (bit & 31u) & 1u) != 0u;
}

void main()
{
    uint lane = invocation() & 7u, group = invocation() >> 3, group_count = gl_WorkGroupSize.x >> 3;
    if (QUERY_LINES == LINES)
        for (uint i = invocation(); i < LINES * 4u; i += gl_WorkGroupSize.x)
            query[i] = Vec4s(arguments.query).at[i];
    select_init();
    uint from = gl_WorkGroupID.x * arguments.rows_per_group,
         to = min(from + arguments.rows_per_group, arguments.row_count);
    for (uint first = from; first < to; first += group_count) {
        /* Rows beyond the end are clamped, not skipped: control flow stays uniform before shuffles
         * and barriers. */
        uint row = min(first + group, to - 1u);
        precise float result = score(row, lane);
        float factor = 1.0;
        if (METRIC == 2u) {
            factor = Floats(arguments.factors).at[row];
            precise float scaled = result * factor;
            result = scaled * arguments.query_factor;
            if (result > 1.0) result = 1.0; /* what rounding may say; NaN stays */
            if (result < -1.0) result = -1.0;
        }
        if (lane == 0u && first + group < to && takes_part(row, factor))
            select_push(key_of(result, arguments.first_row + row));
        select_settle(group_count, arguments.k);
    }
    select_flush(arguments.k);
    for (uint i = invocation(); i < arguments.k; i += gl_WorkGroupSize.x)
        Keys(arguments.keys).at[gl_WorkGroupID.x * arguments.k + i] = best[i];
}

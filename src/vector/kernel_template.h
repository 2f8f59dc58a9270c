/* kernel_template.h - one level of kernel.c: LEVEL is its suffix, TARGET its attribute. The loops
 * over 32 partial sums become two (AVX-512), four (AVX2) or eight registers; the order of
 * operations is the same in all. */
#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)

TARGET static float JOIN(fold_, LEVEL)(const float *partial)
{
    float lanes[8];
    for (size_t i = 0; i < 8; i++)
        lanes[i] =
            (partial[4 * i] + partial[4 * i + 1]) + (partial[4 * i + 2] + partial[4 * i + 3]);
    for (size_t half = 4; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lanes[i] = lanes[i] + lanes[i + half];
    return lanes[0];
}

TARGET static float JOIN(dot_, LEVEL)(const float *row, const float *query, size_t stride)
{
    float partial[VECTOR_BLOCK_FLOATS] = {0};
    for (size_t at = 0; at < stride; at += VECTOR_BLOCK_FLOATS)
        for (size_t j = 0; j < VECTOR_BLOCK_FLOATS; j++)
            partial[j] += row[at + j] * query[at + j];
    return JOIN(fold_, LEVEL)(partial);
}

TARGET static float JOIN(l2_, LEVEL)(const float *row, const float *query, size_t stride)
{
    float partial[VECTOR_BLOCK_FLOATS] = {0};
    for (size_t at = 0; at < stride; at += VECTOR_BLOCK_FLOATS)
        for (size_t j = 0; j < VECTOR_BLOCK_FLOATS; j++) {
            float difference = row[at + j] - query[at + j];
            partial[j] += difference * difference;
        }
    return -JOIN(fold_, LEVEL)(partial);
}
#undef JOIN
#undef JOIN_

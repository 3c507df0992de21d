/* ---- Products of float32 weights -------------------------------------------------------------------------------- */
/* Weights lie in blocks of 16 rows, [block][column][16], so that the rows of a block are the lanes of a vector.
   A tile is `frames` inputs times `blocks` blocks whose sums stay in registers. */

#define EK_FV (16 / EK_F)
#if defined(EK_AVX512)
#define EK_FLOAT_ROW 16 /* blocks at once for one input */
#define EK_FLOAT_FRAMES 5 /* inputs and blocks at once for many */
#define EK_FLOAT_BLOCKS 4
#elif defined(EK_AVX2)
#define EK_FLOAT_ROW 5
#define EK_FLOAT_FRAMES 3
#define EK_FLOAT_BLOCKS 2
#elif defined(EK_NEON) && defined(__aarch64__)
#define EK_FLOAT_ROW 5
#define EK_FLOAT_FRAMES 5
#define EK_FLOAT_BLOCKS 1
#elif defined(EK_SSE2) || defined(EK_WASM)
#define EK_FLOAT_ROW 2
#define EK_FLOAT_FRAMES 2
#define EK_FLOAT_BLOCKS 1
#else
#define EK_FLOAT_ROW 1
#define EK_FLOAT_FRAMES 1
#define EK_FLOAT_BLOCKS 1
#endif

/* out[t][r] = start[t][r] + sum over k of w[r][k] x[t][k], summed in the order of k. */
EK_INLINE void ek_float_tile(float *out, size_t out_stride, const float *start, size_t start_stride, const float *w,
                             const float *x, size_t x_stride, const int columns, const int frames, const int blocks)
{
#if EK_F == 1
    int t, b, k, r;
    for (t = 0; t < frames; t++)
        for (b = 0; b < blocks; b++) {
            const float *row = w + (size_t)b * 16 * (size_t)columns, *one = x + (size_t)t * x_stride;
            float sums[16];
            memcpy(sums, start + (size_t)t * start_stride + 16 * b, sizeof sums);
            for (k = 0; k < columns; k++, row += 16)
                for (r = 0; r < 16; r++)
                    sums[r] = one[k] * row[r] + sums[r];
            memcpy(out + (size_t)t * out_stride + 16 * b, sums, sizeof sums);
        }
#else
    ek_f sums[EK_FLOAT_ROW * EK_FV > EK_FLOAT_FRAMES * EK_FLOAT_BLOCKS * EK_FV ? EK_FLOAT_ROW * EK_FV
                                                                              : EK_FLOAT_FRAMES * EK_FLOAT_BLOCKS * EK_FV];
    const int across = blocks * EK_FV;
    int t, k, i;
    EK_UNROLL
    for (t = 0; t < frames; t++)
        EK_UNROLL
        for (i = 0; i < across; i++)
            sums[t * across + i] = ek_load(start + (size_t)t * start_stride + i * EK_F);
    for (k = 0; k < columns; k++)
        EK_UNROLL
        for (t = 0; t < frames; t++) {
            const ek_f one = ek_set(x[(size_t)t * x_stride + (size_t)k]);
            EK_UNROLL
            for (i = 0; i < across; i++) {
                const float *row = w + ((size_t)(i / EK_FV) * (size_t)columns + (size_t)k) * 16 + i % EK_FV * EK_F;
                sums[t * across + i] = ek_madd(one, ek_load(row), sums[t * across + i]);
            }
        }
    EK_UNROLL
    for (t = 0; t < frames; t++)
        EK_UNROLL
        for (i = 0; i < across; i++)
            ek_store(out + (size_t)t * out_stride + i * EK_F, sums[t * across + i]);
#endif
}

/* All blocks for one input; `rows` is a multiple of 16. out may be start. */
EK_INLINE void ek_float_rows(float *out, const float *start, const float *w, const float *x, const int columns,
                             const int rows)
{
    const int blocks = rows / 16, parts = (blocks + EK_FLOAT_ROW - 1) / EK_FLOAT_ROW;
    const int each = (blocks + parts - 1) / parts, rest = blocks % each;
    const size_t step = (size_t)each * 16 * (size_t)columns;
    int b;
    for (b = 0; b + each <= blocks; b += each, w += step)
        ek_float_tile(out + b * 16, 0, start + b * 16, 0, w, x, 0, columns, 1, each);
    if (rest)
        ek_float_tile(out + b * 16, 0, start + b * 16, 0, w, x, 0, columns, 1, rest);
}

/* `blocks` blocks for all frames: out[t][r], r counted within the blocks. */
EK_INLINE void ek_float_strip(float *out, size_t out_stride, const float *bias, const float *w, const float *x,
                              size_t x_stride, const int columns, const int frames, const int blocks)
{
    const int rest = frames % EK_FLOAT_FRAMES;
    int t;
    for (t = 0; t + EK_FLOAT_FRAMES <= frames; t += EK_FLOAT_FRAMES)
        ek_float_tile(out + (size_t)t * out_stride, out_stride, bias, 0, w, x + (size_t)t * x_stride, x_stride,
                      columns, EK_FLOAT_FRAMES, blocks);
    if (rest)
        ek_float_tile(out + (size_t)t * out_stride, out_stride, bias, 0, w, x + (size_t)t * x_stride, x_stride,
                      columns, rest, blocks);
}

/* The whole matrix for all frames of x [frames][x_stride]; out [frames][rows]. */
EK_INLINE void ek_float_project(float *out, const float *bias, const float *w, const float *x, size_t x_stride,
                                const int columns, const int rows, const int frames)
{
    const int blocks = rows / 16, rest = blocks % EK_FLOAT_BLOCKS;
    int b;
    for (b = 0; b + EK_FLOAT_BLOCKS <= blocks; b += EK_FLOAT_BLOCKS)
        ek_float_strip(out + b * 16, (size_t)rows, bias + b * 16, w + (size_t)b * 16 * (size_t)columns, x, x_stride,
                       columns, frames, EK_FLOAT_BLOCKS);
    if (rest)
        ek_float_strip(out + b * 16, (size_t)rows, bias + b * 16, w + (size_t)b * 16 * (size_t)columns, x, x_stride,
                       columns, frames, rest);
}

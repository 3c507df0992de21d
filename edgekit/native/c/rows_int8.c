#define EK_IV (16 / EK_I)
/* EK_INT_ROW: blocks at once for one input; EK_INT_FRAMES, EK_INT_BLOCKS: inputs and blocks at once for many. */
#if defined(EK_TILES)
#define EK_INT_BLOCKS 1
#elif EK_I == 16 && !defined(EK_PLAIN)
#define EK_INT_ROW 16
#define EK_INT_FRAMES 5
#define EK_INT_BLOCKS 4
#elif EK_I == 8
#define EK_INT_ROW 5
#define EK_INT_FRAMES 2
#define EK_INT_BLOCKS 2
#elif defined(EK_PLAIN) || defined(EK_NEON)
#define EK_INT_ROW 1
#define EK_INT_FRAMES 1
#define EK_INT_BLOCKS 1
#else
#define EK_INT_ROW 2
#define EK_INT_FRAMES 2
#define EK_INT_BLOCKS 1
#endif

/* A matrix of int8 weights: rows a multiple of 16, columns of 8; the number that a weight stands for is w * scale. */
typedef struct {
    const signed char *w;
    const int32_t *fix;
    const float *scale;
} ek_matrix;

#if !defined(EK_LIGHT)
#if !defined(EK_TILES)
typedef char ek_light;
#endif
EK_INLINE void ek_weigh(ek_light *light, const signed char *x, const int columns)
{
    (void)light, (void)x, (void)columns;
}
#endif

/* The sums of `frames` inputs and `blocks` blocks: sums[t][i]. light: what ek_weigh says of the inputs. */
EK_INLINE void ek_int_sums(ek_i *sums, ek_matrix m, const signed char *x, size_t x_stride, const ek_light *light,
                           const int columns, const int frames, const int blocks)
{
#if defined(EK_TILES)
    ek_sums(sums, m.w, (size_t)columns * 16, x, x_stride, light, columns / 8, frames, blocks);
#else
    const int across = blocks * EK_IV, eights = columns / 8;
    int t, k, i;
    (void)light;
    EK_UNROLL
    for (t = 0; t < frames; t++)
        EK_UNROLL
        for (i = 0; i < across; i++)
#if defined(EK_FIXED)
            sums[t * across + i] = ek_begin(m.fix + i * EK_I);
#else
            sums[t * across + i] = ek_begin(NULL);
#endif
    for (k = 0; k < eights; k++) {
        ek_x v[EK_INT_FRAMES];
        EK_UNROLL
        for (t = 0; t < frames; t++)
            v[t] = ek_spread(x + (size_t)t * x_stride + 8 * k);
        EK_UNROLL
        for (i = 0; i < across; i++) {
            const signed char *w = m.w + (size_t)(i / EK_IV * eights + k) * 128 + i % EK_IV * EK_I * 4;
            EK_UNROLL
            for (t = 0; t < frames; t++)
                sums[t * across + i] = ek_dot(sums[t * across + i], w, v[t]);
        }
    }
#endif
}

/* out[t][r] = start[t][r] + (sum over k of w[r][k] x[t][k]) * (scale[r] * factor[t]) */
EK_INLINE void ek_int_tile(float *out, size_t out_stride, const float *start, size_t start_stride, ek_matrix m,
                           const signed char *x, size_t x_stride, const ek_light *light, const float *factor,
                           const int columns, const int frames, const int blocks)
{
    ek_i sums[EK_INT_ROW * EK_IV > EK_INT_FRAMES * EK_INT_BLOCKS * EK_IV ? EK_INT_ROW * EK_IV
                                                                        : EK_INT_FRAMES * EK_INT_BLOCKS * EK_IV];
    const int across = blocks * EK_IV;
    int t, i;
    ek_int_sums(sums, m, x, x_stride, light, columns, frames, blocks);
    EK_UNROLL
    for (t = 0; t < frames; t++)
        EK_UNROLL
        for (i = 0; i < across; i++)
            ek_settle(out + (size_t)t * out_stride + i * EK_I, sums[t * across + i],
                      start + (size_t)t * start_stride + i * EK_I, m.scale + i * EK_I, factor[t]);
}

/* The matrix from block b on. */
EK_INLINE ek_matrix ek_from(ek_matrix m, int b, const int columns)
{
    m.w += (size_t)b * 16 * (size_t)columns;
#if defined(EK_FIXED)
    m.fix += 16 * b;
#endif
    m.scale += 16 * b;
    return m;
}

/* All blocks for one input. out may be start. */
EK_INLINE void ek_int_rows(float *out, const float *start, ek_matrix m, const signed char *x, float factor,
                           const int columns, const int rows)
{
    const int blocks = rows / 16, parts = (blocks + EK_INT_ROW - 1) / EK_INT_ROW;
    const int each = (blocks + parts - 1) / parts, rest = blocks % each;
    ek_light light;
    int b;
    ek_weigh(&light, x, columns);
    for (b = 0; b + each <= blocks; b += each)
        ek_int_tile(out + b * 16, 0, start + b * 16, 0, ek_from(m, b, columns), x, 0, &light, &factor, columns, 1, each);
    if (rest)
        ek_int_tile(out + b * 16, 0, start + b * 16, 0, ek_from(m, b, columns), x, 0, &light, &factor, columns, 1, rest);
}

/* `blocks` blocks for all frames: out[t][r], r counted within the blocks. */
EK_INLINE void ek_int_strip(float *out, size_t out_stride, const float *bias, ek_matrix m, const signed char *x,
                            const float *factor, const int columns, const int frames, const int blocks)
{
    const int rest = frames % EK_INT_FRAMES;
    const size_t stride = (size_t)columns;
    int t;
    for (t = 0; t + EK_INT_FRAMES <= frames; t += EK_INT_FRAMES)
        ek_int_tile(out + (size_t)t * out_stride, out_stride, bias, 0, m, x + (size_t)t * stride, stride, NULL, factor + t,
                    columns, EK_INT_FRAMES, blocks);
    if (rest)
        ek_int_tile(out + (size_t)t * out_stride, out_stride, bias, 0, m, x + (size_t)t * stride, stride, NULL, factor + t,
                    columns, rest, blocks);
}

/* The whole matrix for all frames of x [frames][columns]; out [frames][rows]; factor [frames]. */
EK_INLINE void ek_int_project(float *out, const float *bias, ek_matrix m, const signed char *x,
                                        const float *factor, const int columns, const int rows, const int frames)
{
#if defined(EK_LIGHT)
    int t;
    for (t = 0; t < frames; t++)
        ek_int_rows(out + (size_t)t * rows, bias, m, x + (size_t)t * columns, factor[t], columns, rows);
#else
    const int blocks = rows / 16, rest = blocks % EK_INT_BLOCKS;
    int b;
    for (b = 0; b + EK_INT_BLOCKS <= blocks; b += EK_INT_BLOCKS)
        ek_int_strip(out + b * 16, (size_t)rows, bias + b * 16, ek_from(m, b, columns), x, factor, columns, frames,
                     EK_INT_BLOCKS);
    if (rest)
        ek_int_strip(out + b * 16, (size_t)rows, bias + b * 16, ek_from(m, b, columns), x, factor, columns, frames,
                     rest);
#endif
}

/* Added to a number below 2^22 in size, it rounds it to a whole one, half to even, whose bits are the lowest. A code is
   its low byte; where codes are kept 128 too large, that is added along. */
#if defined(EK_FIXED)
#define EK_ZERO 128
#else
#define EK_ZERO 0
#endif
#define EK_WHOLE 12582912.0f
#define EK_CODE (EK_WHOLE + (float)EK_ZERO)
/* Frames that stay below it are zeros: dividing by less could overflow. */
#define EK_TINY 1e-30f

#if defined(EK_NEON) && defined(__aarch64__)
/* Eight numbers times unit, rounded to whole ones: the lower halves of their bits. */
EK_INLINE int16x8_t ek_shorts(const float *x, float unit)
{
    float32x4_t front = vaddq_f32(vmulq_n_f32(vld1q_f32(x), unit), vdupq_n_f32(EK_WHOLE));
    float32x4_t back = vaddq_f32(vmulq_n_f32(vld1q_f32(x + 4), unit), vdupq_n_f32(EK_WHOLE));
    return vuzp1q_s16(vreinterpretq_s16_f32(front), vreinterpretq_s16_f32(back));
}
#endif

/* codes[i] = round(x[i] * unit), which the caller keeps within -127..127; count: a multiple of 16. */
EK_INLINE void ek_codes(signed char *codes, const float *x, float unit, const int count)
{
    int i;
#if defined(EK_NEON) && defined(__aarch64__)
    for (i = 0; i < count; i += 16) {
        int16x8_t front = ek_shorts(x + i, unit), back = ek_shorts(x + i + 8, unit);
        vst1q_s8(codes + i, vuzp1q_s8(vreinterpretq_s8_s16(front), vreinterpretq_s8_s16(back)));
    }
#else
    EK_UNROLL
    for (i = 0; i < count; i += EK_F)
        ek_store_bytes(codes + i, ek_add(ek_mul(ek_load(x + i), ek_set(unit)), ek_set(EK_CODE)));
#endif
}

/* A frame in 8 bits, in steps of its own: its largest number becomes 127. Returns the step. */
EK_INLINE float ek_encode(signed char *codes, const float *x, float peak, const int count)
{
    ek_codes(codes, x, peak > EK_TINY ? 127.0f / peak : 0.0f, count);
    return peak / 127.0f;
}

/* The number that a code stands for. */
EK_INLINE int ek_number(signed char code)
{
#if defined(EK_FIXED)
    return (unsigned char)code - EK_ZERO;
#else
    return code;
#endif
}

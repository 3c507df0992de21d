/* ---- Products of int8 weights on Arm ---------------------------------------------------------------------------- */
#if defined(EK_NEON) && defined(__aarch64__)
/* A whole block of 16 rows, all columns: in assembler, because compilers move what one load puts into four registers.
   Weights are read eight columns after eight: four rows of the front four columns each in v0 to v3, of the back four
   in v4 to v7. */
#define EK_I 16
#define EK_TILES
#define EK_WEIGHTS(w) "ld1 {v0.16b - v3.16b}, [%[" w "]], #64\n\tld1 {v4.16b - v7.16b}, [%[" w "]], #64\n\t"
#define EK_AGAIN "subs %w[left], %w[left], #1\n\tb.ne 1b\n\t"

#if defined(__ARM_FEATURE_DOTPROD)
typedef struct {
    int32x4_t four[4];
} ek_i;
#define EK_NUMBERS(x) "ldr d16, [%[" x "]], #8\n\t"
#define EK_DOTS(p)                                                                                                     \
    "sdot %[" p "0].4s, v0.16b, v16.4b[0]\n\tsdot %[" p "1].4s, v1.16b, v16.4b[0]\n\t"                                 \
    "sdot %[" p "2].4s, v2.16b, v16.4b[0]\n\tsdot %[" p "3].4s, v3.16b, v16.4b[0]\n\t"                                 \
    "sdot %[" p "0].4s, v4.16b, v16.4b[1]\n\tsdot %[" p "1].4s, v5.16b, v16.4b[1]\n\t"                                 \
    "sdot %[" p "2].4s, v6.16b, v16.4b[1]\n\tsdot %[" p "3].4s, v7.16b, v16.4b[1]\n\t"
#define EK_SUMS(p, s)                                                                                                  \
    [p##0] "=&w"((s).four[0]), [p##1] "=&w"((s).four[1]), [p##2] "=&w"((s).four[2]), [p##3] "=&w"((s).four[3])
#define EK_ZEROS(p)                                                                                                    \
    "movi %[" p "0].4s, #0\n\tmovi %[" p "1].4s, #0\n\tmovi %[" p "2].4s, #0\n\tmovi %[" p "3].4s, #0\n\t"
#define EK_TOUCHED "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "cc", "memory"

/* One block, one input. */
EK_INLINE ek_i ek_one(const signed char *w, const signed char *x, int left)
{
    ek_i s;
    __asm__(EK_ZEROS("a") "1:\n\t" EK_NUMBERS("x") EK_WEIGHTS("w") EK_DOTS("a") EK_AGAIN
            : EK_SUMS(a, s), [w] "+r"(w), [x] "+r"(x), [left] "+r"(left)
            :
            : EK_TOUCHED);
    return s;
}

/* Four blocks, `apart` bytes apart, one input. */
EK_INLINE void ek_four_blocks(ek_i *s, const signed char *w, size_t apart, const signed char *x, int left)
{
    const signed char *w1 = w + apart, *w2 = w1 + apart, *w3 = w2 + apart;
    ek_i a, b, c, d;
    __asm__(EK_ZEROS("a") EK_ZEROS("b") EK_ZEROS("c") EK_ZEROS("d") "1:\n\t" EK_NUMBERS("x") EK_WEIGHTS("w") EK_DOTS("a") EK_WEIGHTS("w1")
                EK_DOTS("b") EK_WEIGHTS("w2") EK_DOTS("c")
                    EK_WEIGHTS("w3") EK_DOTS("d") EK_AGAIN
            : EK_SUMS(a, a), EK_SUMS(b, b), EK_SUMS(c, c), EK_SUMS(d, d), [w] "+r"(w), [w1] "+r"(w1), [w2] "+r"(w2),
              [w3] "+r"(w3), [x] "+r"(x), [left] "+r"(left)
            :
            : EK_TOUCHED);
    s[0] = a, s[1] = b, s[2] = c, s[3] = d;
}

/* One block, four inputs, `apart` bytes apart. */
EK_INLINE void ek_four_inputs(ek_i *s, const signed char *w, const signed char *x, size_t apart, int left)
{
    const signed char *x1 = x + apart, *x2 = x1 + apart, *x3 = x2 + apart;
    ek_i a, b, c, d;
    __asm__(EK_ZEROS("a") EK_ZEROS("b") EK_ZEROS("c") EK_ZEROS("d") "1:\n\t" EK_WEIGHTS("w") EK_NUMBERS("x") EK_DOTS("a")
                EK_NUMBERS("x1") EK_DOTS("b") EK_NUMBERS("x2")
                    EK_DOTS("c") EK_NUMBERS("x3")
                        EK_DOTS("d") EK_AGAIN
            : EK_SUMS(a, a), EK_SUMS(b, b), EK_SUMS(c, c), EK_SUMS(d, d), [w] "+r"(w), [x] "+r"(x), [x1] "+r"(x1),
              [x2] "+r"(x2), [x3] "+r"(x3), [left] "+r"(left)
            :
            : EK_TOUCHED);
    s[0] = a, s[1] = b, s[2] = c, s[3] = d;
}
#define EK_INT_ROW 4
#define EK_INT_FRAMES 4
EK_INLINE void ek_sums(ek_i *s, const signed char *w, size_t w_apart, const signed char *x, size_t x_apart,
                       const int eights, const int frames, const int blocks)
{
    int k;
    if (blocks == 4)
        ek_four_blocks(s, w, w_apart, x, eights);
    else if (frames == 4)
        ek_four_inputs(s, w, x, x_apart, eights);
    else
        EK_UNROLL
        for (k = 0; k < frames * blocks; k++)
            s[k] = ek_one(w + (size_t)(k % blocks) * w_apart, x + (size_t)(k / blocks) * x_apart, eights);
}
EK_INLINE int32x4_t ek_total(ek_i s, int q) { return s.four[q]; }
#else
/* Two lanes a row: products of two fours are added in int16, at most 2 * 128 * 127, then in pairs into int32. */
typedef struct {
    int32x4_t low[4], high[4];
} ek_i;
/* Both fours of x, four times each; sums of eight rows: of v0 and v4, then v1 and v5. */
#define EK_NUMBERS(x) "ld2r {v16.4s, v17.4s}, [%[" x "]], #8\n\t"
#define EK_EIGHT(add, a, b, f, k, g, l)                                                                                \
    "smull v20.8h, " f ".8b, v16.8b\n\tsmull2 v21.8h, " f ".16b, v16.16b\n\t"                                            \
    "smull v22.8h, " g ".8b, v16.8b\n\tsmull2 v23.8h, " g ".16b, v16.16b\n\t"                                            \
    "smlal v20.8h, " k ".8b, v17.8b\n\tsmlal2 v21.8h, " k ".16b, v17.16b\n\t"                                            \
    "smlal v22.8h, " l ".8b, v17.8b\n\tsmlal2 v23.8h, " l ".16b, v17.16b\n\t" add " %[" a "l].4s, v20.8h\n\t" add          \
    " %[" a "h].4s, v21.8h\n\t" add " %[" b "l].4s, v22.8h\n\t" add " %[" b "h].4s, v23.8h\n\t"
#define EK_DOTS(add, a, b, c, d) EK_EIGHT(add, a, b, "v0", "v4", "v1", "v5") EK_EIGHT(add, c, d, "v2", "v6", "v3", "v7")
#define EK_SUMS(p, s)                                                                                                  \
    [p##0l] "=&w"((s).low[0]), [p##0h] "=&w"((s).high[0]), [p##1l] "=&w"((s).low[1]), [p##1h] "=&w"((s).high[1]),      \
        [p##2l] "=&w"((s).low[2]), [p##2h] "=&w"((s).high[2]), [p##3l] "=&w"((s).low[3]), [p##3h] "=&w"((s).high[3])
#define EK_TOUCHED                                                                                                     \
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v20", "v21", "v22", "v23", "cc", "memory"
/* The first eight columns begin the sums, then `again` as often as there are more. */
#define EK_LOOP(columns) columns("saddlp") "cbz %w[left], 2f\n\t1:\n\t" columns("sadalp") EK_AGAIN "2:\n\t"

/* One block, one input. */
EK_INLINE ek_i ek_one(const signed char *w, const signed char *x, int eights)
{
    int left = eights - 1;
    ek_i s;
#define EK_COLUMNS(add) EK_NUMBERS("x") EK_WEIGHTS("w") EK_DOTS(add, "a0", "a1", "a2", "a3")
    __asm__(EK_LOOP(EK_COLUMNS) : EK_SUMS(a, s), [w] "+r"(w), [x] "+r"(x), [left] "+r"(left) : : EK_TOUCHED);
#undef EK_COLUMNS
    return s;
}

/* Two blocks, `apart` bytes apart, one input. */
EK_INLINE void ek_two_blocks(ek_i *s, const signed char *w, size_t apart, const signed char *x, int eights)
{
    const signed char *v = w + apart;
    int left = eights - 1;
    ek_i a, b;
#define EK_COLUMNS(add)                                                                                                \
    EK_NUMBERS("x") EK_WEIGHTS("w") EK_DOTS(add, "a0", "a1", "a2", "a3") EK_WEIGHTS("v")                               \
        EK_DOTS(add, "b0", "b1", "b2", "b3")
    __asm__(EK_LOOP(EK_COLUMNS)
            : EK_SUMS(a, a), EK_SUMS(b, b), [w] "+r"(w), [v] "+r"(v), [x] "+r"(x), [left] "+r"(left)
            :
            : EK_TOUCHED);
#undef EK_COLUMNS
    s[0] = a, s[1] = b;
}

/* One block, two inputs, `apart` bytes apart. */
EK_INLINE void ek_two_inputs(ek_i *s, const signed char *w, const signed char *x, size_t apart, int eights)
{
    const signed char *y = x + apart;
    int left = eights - 1;
    ek_i a, b;
#define EK_COLUMNS(add)                                                                                                \
    EK_NUMBERS("x") EK_WEIGHTS("w") EK_DOTS(add, "a0", "a1", "a2", "a3") EK_NUMBERS("y")                               \
        EK_DOTS(add, "b0", "b1", "b2", "b3")
    __asm__(EK_LOOP(EK_COLUMNS)
            : EK_SUMS(a, a), EK_SUMS(b, b), [w] "+r"(w), [x] "+r"(x), [y] "+r"(y), [left] "+r"(left)
            :
            : EK_TOUCHED);
#undef EK_COLUMNS
    s[0] = a, s[1] = b;
}
#define EK_INT_ROW 2
#define EK_INT_FRAMES 2
EK_INLINE void ek_sums(ek_i *s, const signed char *w, size_t w_apart, const signed char *x, size_t x_apart,
                       const int eights, const int frames, const int blocks)
{
    if (blocks == 2)
        ek_two_blocks(s, w, w_apart, x, eights);
    else if (frames == 2)
        ek_two_inputs(s, w, x, x_apart, eights);
    else
        s[0] = ek_one(w, x, eights);
}
EK_INLINE int32x4_t ek_total(ek_i s, int q) { return vpaddq_s32(s.low[q], s.high[q]); }
#endif

EK_INLINE void ek_settle(float *out, ek_i sums, const float *start, const float *scale, float factor)
{
    int q;
    EK_UNROLL
    for (q = 0; q < 4; q++) {
        float32x4_t unit = vmulq_n_f32(vld1q_f32(scale + 4 * q), factor);
        vst1q_f32(out + 4 * q, vaddq_f32(vld1q_f32(start + 4 * q), vmulq_f32(vcvtq_f32_s32(ek_total(sums, q)), unit)));
    }
}
#elif defined(EK_NEON)
/* 32 bits, whose registers are half as many: a quarter of a block at once. */
#define EK_I 4
#define EK_NARROW
typedef struct {
    int32x4_t low, high;
} ek_i;
typedef struct {
    int8x8_t front, back;
} ek_x;
EK_INLINE ek_i ek_begin(const int32_t *fix)
{
    ek_i sums;
    (void)fix;
    sums.low = sums.high = vdupq_n_s32(0);
    return sums;
}
EK_INLINE int16x8_t ek_low(int8x16_t a, int8x16_t b, ek_x x)
{
    return vmlal_s8(vmull_s8(vget_low_s8(a), x.front), vget_low_s8(b), x.back);
}
EK_INLINE int16x8_t ek_high(int8x16_t a, int8x16_t b, ek_x x)
{
    return vmlal_s8(vmull_s8(vget_high_s8(a), x.front), vget_high_s8(b), x.back);
}
EK_INLINE ek_x ek_spread(const signed char *x)
{
    int32_t four[2];
    ek_x v;
    memcpy(four, x, 8);
    v.front = vreinterpret_s8_s32(vdup_n_s32(four[0]));
    v.back = vreinterpret_s8_s32(vdup_n_s32(four[1]));
    return v;
}
EK_INLINE ek_i ek_dot(ek_i sums, const signed char *w, ek_x x)
{
    int8x16_t a = vld1q_s8(w), b = vld1q_s8(w + 64);
    sums.low = vpadalq_s16(sums.low, ek_low(a, b, x));
    sums.high = vpadalq_s16(sums.high, ek_high(a, b, x));
    return sums;
}
/* float32 one by one: its vectors do not round as IEEE 754 says. */
EK_INLINE void ek_settle(float *out, ek_i sums, const float *start, const float *scale, float factor)
{
    int32_t four[4];
    int r;
    vst1q_s32(four, vcombine_s32(vpadd_s32(vget_low_s32(sums.low), vget_high_s32(sums.low)),
                                 vpadd_s32(vget_low_s32(sums.high), vget_high_s32(sums.high))));
    for (r = 0; r < 4; r++)
        out[r] = start[r] + (float)four[r] * (scale[r] * factor);
}
#endif

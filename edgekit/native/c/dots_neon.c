/* ---- Products of int8 weights on Arm ---------------------------------------------------------------------------- */
#if defined(EK_NEON) && defined(__aarch64__)
/* A whole block of 16 rows, all columns: in assembler, because compilers move what one load puts into four registers.
   Weights are read eight columns after eight: four rows of the front four columns each in v0 to v3, of the back four
   in v4 to v7. */
#define EK_I 16
#define EK_TILES
#if defined(__ARM_FEATURE_DOTPROD)
typedef char ek_light;
#define EK_WEIGHTS(w) "ld1 {v0.16b - v3.16b}, [%[" w "]], #64\n\tld1 {v4.16b - v7.16b}, [%[" w "]], #64\n\t"
#define EK_AGAIN "subs %w[left], %w[left], #1\n\tb.ne 1b\n\t"
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
#define EK_INT_WIDE 2
#define EK_INT_FRAMES 4
EK_INLINE void ek_sums(ek_i *s, const signed char *w, size_t w_apart, const signed char *x, size_t x_apart,
                       const ek_light *light, const int eights, const int frames, const int blocks)
{
    int k;
    (void)light;
    if (blocks == 4)
        ek_four_blocks(s, w, w_apart, x, eights);
    else if (frames == 4)
        ek_four_inputs(s, w, x, x_apart, eights);
    else
        EK_UNROLL
        for (k = 0; k < frames * blocks; k++)
            s[k] = ek_one(w + (size_t)(k % blocks) * w_apart, x + (size_t)(k / blocks) * x_apart, eights);
}
EK_INLINE ek_i ek_join(ek_i low, ek_i high)
{
    int q;
    EK_UNROLL
    for (q = 0; q < 4; q++)
        low.four[q] = vmlaq_n_s32(low.four[q], high.four[q], 64);
    return low;
}
EK_INLINE int32x4_t ek_total(ek_i s, int q) { return s.four[q]; }
#else
/* Two lanes a row. Products are added in int16, then in pairs into int32: those of two fours, at most 2 * 128 * 127;
   those of four fours where the sizes of the numbers allow it, because 127 * 258 is below 2^15. */
#define EK_LIGHT
#define EK_GROUPS 256 /* of 16 columns, in the widest matrix */
typedef struct {
    int32x4_t low[4], high[4];
} ek_i;
typedef struct {
    uint16_t group[2][EK_GROUPS];
} ek_light;

/* Which groups of 16 columns are light: not 0 where |x[c]| + |x[c + 4]| + |x[c + 8]| + |x[c + 12]| <= 258 for each of
   four c. An odd eight columns come before the first. x: -127..127 */
EK_INLINE void ek_weigh(ek_light *light, const signed char *x, size_t stride, const int inputs, const int columns)
{
    int t, g, k;
    for (t = 0; t < inputs; t++, x += stride) {
        const signed char *at = x + columns % 16;
        for (g = 0; g + 4 <= columns / 16; g += 4, at += 64) {
            uint64x2_t v[4];
            uint8x16_t a, b;
            uint16x8_t most;
            for (k = 0; k < 4; k++)
                v[k] = vreinterpretq_u64_s8(vabsq_s8(vld1q_s8(at + 16 * k)));
            a = vaddq_u8(vreinterpretq_u8_u64(vtrn1q_u64(v[0], v[1])), vreinterpretq_u8_u64(vtrn2q_u64(v[0], v[1])));
            b = vaddq_u8(vreinterpretq_u8_u64(vtrn1q_u64(v[2], v[3])), vreinterpretq_u8_u64(vtrn2q_u64(v[2], v[3])));
            v[0] = vreinterpretq_u64_u32(vuzp1q_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b)));
            v[1] = vreinterpretq_u64_u32(vuzp2q_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b)));
            a = vreinterpretq_u8_u64(v[0]), b = vreinterpretq_u8_u64(v[1]);
            most = vpmaxq_u16(vaddl_u8(vget_low_u8(a), vget_low_u8(b)), vaddl_high_u8(a, b));
            most = vcleq_u16(vpmaxq_u16(most, most), vdupq_n_u16(258));
            vst1_u16(light->group[t] + g, vget_low_u16(most));
        }
        for (; g < columns / 16; g++, at += 16) {
            uint8x16_t a = vreinterpretq_u8_s8(vabsq_s8(vld1q_s8(at)));
            uint16x8_t two = vaddl_u8(vget_low_u8(a), vget_high_u8(a));
            light->group[t][g] = vmaxv_u16(vadd_u16(vget_low_u16(two), vget_high_u16(two))) <= 258;
        }
    }
}

/* Steps in assembler: four rows a register of v28 to v31, their sums of eight times two rows in v20 to v27. */
#define EK_EACH(op, x)                                                                                                 \
    op " v20.8h, v28.8b, " x ".8b\n\t" op "2 v21.8h, v28.16b, " x ".16b\n\t" op " v22.8h, v29.8b, " x ".8b\n\t" op       \
       "2 v23.8h, v29.16b, " x ".16b\n\t" op " v24.8h, v30.8b, " x ".8b\n\t" op "2 v25.8h, v30.16b, " x ".16b\n\t" op   \
       " v26.8h, v31.8b, " x ".8b\n\t" op "2 v27.8h, v31.16b, " x ".16b\n\t"
#define EK_FOURS(op, w, x) "ld1 {v28.16b - v31.16b}, [%[" w "]], #64\n\t" EK_EACH(op, x)
#define EK_WIDEN(op, p)                                                                                                \
    op " %[" p "0].4s, v20.8h\n\t" op " %[" p "1].4s, v21.8h\n\t" op " %[" p "2].4s, v22.8h\n\t" op                      \
       " %[" p "3].4s, v23.8h\n\t" op " %[" p "4].4s, v24.8h\n\t" op " %[" p "5].4s, v25.8h\n\t" op                      \
       " %[" p "6].4s, v26.8h\n\t" op " %[" p "7].4s, v27.8h\n\t"
/* Eight columns of a block, and 16 in either way; `op` begins sums or adds to them. */
#define EK_EIGHT(op, p, w, x, y) EK_FOURS("smull", w, x) EK_FOURS("smlal", w, y) EK_WIDEN(op, p)
#define EK_SIXTEEN(op, p, w) EK_EIGHT(op, p, w, "v16", "v17") EK_EIGHT("sadalp", p, w, "v18", "v19")
#define EK_LIGHTLY(op, p, w)                                                                                           \
    EK_FOURS("smull", w, "v16") EK_FOURS("smlal", w, "v17") EK_FOURS("smlal", w, "v18") EK_FOURS("smlal", w, "v19")    \
    EK_WIDEN(op, p)
#define EK_READ_EIGHT "ld2r {v16.4s, v17.4s}, [%[x]], #8\n\t"
#define EK_READ_SIXTEEN "ldrh %w[is], [%[light]], #2\n\tld4r {v16.4s - v19.4s}, [%[x]], #16\n\t"
#define EK_MORE "subs %w[left], %w[left], #1\n\tb.ne 1b\n\t"
/* eight(op), heavy(op) and light(op) for all blocks. An odd eight columns begin, else the first 16 do. */
#define EK_LOOP(heavy, light)                                                                                          \
    "cbz %w[left], 4f\n\t1:\n\t" EK_READ_SIXTEEN "cbz %w[is], 2f\n\t" light("sadalp") EK_MORE "b 4f\n\t2:\n\t" heavy(    \
        "sadalp") EK_MORE "4:\n\t"
#define EK_ODD(eight, heavy, light) EK_READ_EIGHT eight("saddlp") EK_LOOP(heavy, light)
#define EK_EVEN(heavy, light)                                                                                          \
    EK_READ_SIXTEEN "sub %w[left], %w[left], #1\n\tcbz %w[is], 5f\n\t" light("saddlp") "b 6f\n\t5:\n\t" heavy("saddlp")  \
        "6:\n\t" EK_LOOP(heavy, light)
#define EK_SUMS(p, s)                                                                                                  \
    [p##0] "=&w"((s).low[0]), [p##1] "=&w"((s).high[0]), [p##2] "=&w"((s).low[1]), [p##3] "=&w"((s).high[1]),           \
        [p##4] "=&w"((s).low[2]), [p##5] "=&w"((s).high[2]), [p##6] "=&w"((s).low[3]), [p##7] "=&w"((s).high[3])
#define EK_TOUCHED                                                                                                     \
    "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31",    \
        "cc", "memory"

/* One block. */
EK_INLINE ek_i ek_one(const signed char *w, const signed char *x, const uint16_t *light, const int eights)
{
    int left = eights / 2, is;
    ek_i s;
#define EK_E(op) EK_EIGHT(op, "a", "w", "v16", "v17")
#define EK_H(op) EK_SIXTEEN(op, "a", "w")
#define EK_L(op) EK_LIGHTLY(op, "a", "w")
#define EK_OPERANDS                                                                                                    \
    EK_SUMS(a, s), [w] "+r"(w), [x] "+r"(x), [light] "+r"(light), [left] "+r"(left), [is] "=&r"(is) : : EK_TOUCHED
    if (eights % 2)
        __asm__(EK_ODD(EK_E, EK_H, EK_L) : EK_OPERANDS);
    else
        __asm__(EK_EVEN(EK_H, EK_L) : EK_OPERANDS);
#undef EK_E
#undef EK_H
#undef EK_L
#undef EK_OPERANDS
    return s;
}

/* Two blocks, `apart` bytes apart. */
EK_INLINE void ek_two(ek_i *s, const signed char *w, size_t apart, const signed char *x, const uint16_t *light,
                      const int eights)
{
    const signed char *v = w + apart;
    int left = eights / 2, is;
    ek_i a, b;
#define EK_E(op) EK_EIGHT(op, "a", "w", "v16", "v17") EK_EIGHT(op, "b", "v", "v16", "v17")
#define EK_H(op) EK_SIXTEEN(op, "a", "w") EK_SIXTEEN(op, "b", "v")
#define EK_L(op) EK_LIGHTLY(op, "a", "w") EK_LIGHTLY(op, "b", "v")
#define EK_OPERANDS                                                                                                    \
    EK_SUMS(a, a), EK_SUMS(b, b), [w] "+r"(w), [v] "+r"(v), [x] "+r"(x), [light] "+r"(light), [left] "+r"(left),       \
        [is] "=&r"(is) : : EK_TOUCHED
    if (eights % 2)
        __asm__(EK_ODD(EK_E, EK_H, EK_L) : EK_OPERANDS);
    else
        __asm__(EK_EVEN(EK_H, EK_L) : EK_OPERANDS);
#undef EK_E
#undef EK_H
#undef EK_L
#undef EK_OPERANDS
    s[0] = a, s[1] = b;
}
#define EK_INT_ROW 2
#define EK_INT_WIDE 2
#define EK_INT_FRAMES 1
EK_INLINE void ek_sums(ek_i *s, const signed char *w, size_t w_apart, const signed char *x, size_t x_apart,
                       const ek_light *light, const int eights, const int frames, const int blocks)
{
    int t;
    EK_UNROLL
    for (t = 0; t < frames; t++) {
        if (blocks == 2)
            ek_two(s + 2 * t, w, w_apart, x + (size_t)t * x_apart, light->group[t], eights);
        else
            s[t] = ek_one(w, x + (size_t)t * x_apart, light->group[t], eights);
    }
}
EK_INLINE ek_i ek_join(ek_i low, ek_i high)
{
    int q;
    EK_UNROLL
    for (q = 0; q < 4; q++) {
        low.low[q] = vmlaq_n_s32(low.low[q], high.low[q], 64);
        low.high[q] = vmlaq_n_s32(low.high[q], high.high[q], 64);
    }
    return low;
}
EK_INLINE int32x4_t ek_total(ek_i s, int q) { return vpaddq_s32(s.low[q], s.high[q]); }
#endif

EK_INLINE void ek_settle(float *out, ek_i sums, const float *start, const float *scale, float factor)
{
    const float32x4x4_t from = vld1q_f32_x4(start), unit = vld1q_f32_x4(scale);
    int q;
    EK_UNROLL
    for (q = 0; q < 4; q++) {
        float32x4_t sum = vmulq_f32(vcvtq_f32_s32(ek_total(sums, q)), vmulq_n_f32(unit.val[q], factor));
        vst1q_f32(out + 4 * q, vaddq_f32(from.val[q], sum));
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
EK_INLINE ek_i ek_join(ek_i low, ek_i high)
{
    low.low = vaddq_s32(low.low, vshlq_n_s32(high.low, 6));
    low.high = vaddq_s32(low.high, vshlq_n_s32(high.high, 6));
    return low;
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

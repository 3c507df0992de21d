/* ---- Products of int8 weights on Arm without dot products ------------------------------------------------------- */
#if defined(EK_TILES) && !defined(__ARM_FEATURE_DOTPROD)
/* Two lanes a row. Products are added in int16, then in pairs into int32: those of two fours, at most 2 * 128 * 127;
   those of four fours where the sizes of the numbers allow it, because 127 * 258 is below 2^15. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Woverlength-strings" /* a limit of C99, not of any compiler with __asm__ */
#endif
#define EK_LIGHT
#define EK_GROUPS (EK_COLUMNS / 16 + 1) /* of 16 columns, in the widest matrix */
typedef struct {
    int32x4_t low[4], high[4];
} ek_i;
typedef struct {
    uint16_t group[EK_GROUPS];
} ek_light;

/* Which groups of 16 columns are light: not 0 where |x[c]| + |x[c + 4]| + |x[c + 8]| + |x[c + 12]| <= 258 for each of
   four c. An odd eight columns come before the first. x: -127..127. EK_HEAVY, for tests and counts: none is. */
EK_INLINE void ek_weigh(ek_light *light, const signed char *x, const int columns)
{
    const signed char *at = x + columns % 16;
    int g, k;
#if defined(EK_HEAVY)
    (void)at, (void)g, (void)k;
    memset(light, 0, sizeof *light);
#else
    for (g = 0; g < columns / 64 * 4; g += 4, at += 64) {
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
        vst1_u16(light->group + g, vget_low_u16(most));
    }
    for (g = columns / 64 * 4; g < columns / 16; g++, at += 16) {
        uint8x16_t a = vreinterpretq_u8_s8(vabsq_s8(vld1q_s8(at)));
        uint16x8_t two = vaddl_u8(vget_low_u8(a), vget_high_u8(a));
        light->group[g] = vmaxv_u16(vadd_u16(vget_low_u16(two), vget_high_u16(two))) <= 258;
    }
#endif
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
#define EK_INT_FRAMES 1
EK_INLINE void ek_sums(ek_i *s, const signed char *w, size_t w_apart, const signed char *x, size_t x_apart,
                       const ek_light *light, const int eights, const int frames, const int blocks)
{
    (void)x_apart, (void)frames; /* one */
    if (blocks == 2)
        ek_two(s, w, w_apart, x, light->group, eights);
    else
        s[0] = ek_one(w, x, light->group, eights);
}

EK_INLINE void ek_settle(float *out, ek_i sums, const float *start, const float *scale, float factor)
{
    int32x4_t fours[4];
    int q;
    EK_UNROLL
    for (q = 0; q < 4; q++)
        fours[q] = vpaddq_s32(sums.low[q], sums.high[q]);
    ek_settle_fours(out, fours, start, scale, factor);
}
#endif

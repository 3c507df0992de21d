/* ---- Products of int8 weights on Arm with dot products ---------------------------------------------------------- */
/* Weights are read eight columns after eight: four rows of the front four columns each in v0 to v3, of the back four in
   v4 to v7. Numbers are in -128..127. */
#if defined(EK_TILES) && defined(__ARM_FEATURE_DOTPROD)
typedef char ek_light;
#define EK_WEIGHTS(w) "ld1 {v0.16b - v3.16b}, [%[" w "]], #64\n\tld1 {v4.16b - v7.16b}, [%[" w "]], #64\n\t"
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
#define EK_TOUCHED "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "cc", "memory"

/* One block, one input. */
EK_INLINE ek_i ek_one(const signed char *w, const signed char *x, int left)
{
    ek_i s;
    __asm__(EK_ZEROS("a") "1:\n\t" EK_NUMBERS("x") EK_WEIGHTS("w") EK_DOTS("a") EK_MORE
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
                    EK_WEIGHTS("w3") EK_DOTS("d") EK_MORE
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
                        EK_DOTS("d") EK_MORE
            : EK_SUMS(a, a), EK_SUMS(b, b), EK_SUMS(c, c), EK_SUMS(d, d), [w] "+r"(w), [x] "+r"(x), [x1] "+r"(x1),
              [x2] "+r"(x2), [x3] "+r"(x3), [left] "+r"(left)
            :
            : EK_TOUCHED);
    s[0] = a, s[1] = b, s[2] = c, s[3] = d;
}
#define EK_INT_ROW 4
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
EK_INLINE void ek_settle(float *out, ek_i sums, const float *start, const float *scale, float factor)
{
    int32x4_t fours[4];
    int q;
    EK_UNROLL
    for (q = 0; q < 4; q++)
        fours[q] = sums.four[q];
    ek_settle_fours(out, fours, start, scale, factor);
}
#endif

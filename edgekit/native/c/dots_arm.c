/* ---- Products of int8 weights on Arm ---------------------------------------------------------------------------- */
/* 64 bits: a whole block of 16 rows, all columns, in assembler, because compilers move what one load puts into four
   registers. ek_sums does what ek_dot does elsewhere. */
#if defined(EK_NEON) && defined(__aarch64__)
#define EK_I 16
#define EK_TILES
#define EK_ZEROS(p)                                                                                                    \
    "movi %[" p "0].4s, #0\n\tmovi %[" p "1].4s, #0\n\tmovi %[" p "2].4s, #0\n\tmovi %[" p "3].4s, #0\n\t"
/* As often as `left` says. */
#define EK_MORE "subs %w[left], %w[left], #1\n\tb.ne 1b\n\t"

EK_INLINE void ek_settle_fours(float *out, const int32x4_t *sums, const float *start, const float *scale, float factor)
{
    const float32x4x4_t from = vld1q_f32_x4(start), unit = vld1q_f32_x4(scale);
    int q;
    EK_UNROLL
    for (q = 0; q < 4; q++) {
        float32x4_t sum = vmulq_f32(vcvtq_f32_s32(sums[q]), vmulq_n_f32(unit.val[q], factor));
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

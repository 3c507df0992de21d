/* ---- Input ------------------------------------------------------------------------------------------------------ */

/* The bits of the largest size among the numbers: they are in the order of sizes, then infinity, then NaN. */
static int32_t ek_largest_bits(const float *x, size_t count)
{
    int32_t bits, most = 0;
    size_t i = 0;
#if defined(EK_NEON)
    int32x4_t large = vdupq_n_s32(0), other = large;
    int32_t four[4], lane = 0;
    for (; i < count / 8 * 8; i += 8) {
        large = vmaxq_s32(large, vreinterpretq_s32_f32(vabsq_f32(vld1q_f32(x + i))));
        other = vmaxq_s32(other, vreinterpretq_s32_f32(vabsq_f32(vld1q_f32(x + i + 4))));
    }
    vst1q_s32(four, vmaxq_s32(large, other));
    for (; lane < 4; lane++)
        most = four[lane] > most ? four[lane] : most;
#endif
    for (; i < count; i++) {
        memcpy(&bits, x + i, 4);
        bits &= 0x7FFFFFFF;
        most = bits > most ? bits : most;
    }
    return most;
}

/* x = (x - mean) * unit; count: a multiple of 16. */
EK_INLINE void ek_standardise(float *x, const float *mean, const float *unit, const int count)
{
    int i;
    for (i = 0; i < count; i += EK_F)
        ek_store(x + i, ek_mul(ek_sub(ek_load(x + i), ek_load(mean + i)), ek_load(unit + i)));
}

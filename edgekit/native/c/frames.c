/* ---- Input ------------------------------------------------------------------------------------------------------ */

/* Whether all numbers are finite, by their bits. */
static int ek_finite(const float *x, size_t count)
{
    uint32_t bits, bad = 0;
    size_t i;
    for (i = 0; i < count; i++) {
        memcpy(&bits, x + i, 4);
        bad |= (bits & 0x7F800000u) == 0x7F800000u;
    }
    return !bad;
}

/* x = (x - mean) * unit; count: a multiple of 16. */
EK_INLINE void ek_standardise(float *x, const float *mean, const float *unit, const int count)
{
    int i;
    for (i = 0; i < count; i += EK_F)
        ek_store(x + i, ek_mul(ek_sub(ek_load(x + i), ek_load(mean + i)), ek_load(unit + i)));
}

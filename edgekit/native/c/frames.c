/* ---- Input ------------------------------------------------------------------------------------------------------ */

/* The bits of the largest size among the numbers: they are in the order of sizes, then infinity, then NaN. */
static int32_t ek_largest_bits(const float *x, size_t count)
{
    int32_t bits, most = 0;
    size_t i;
    for (i = 0; i < count; i++) {
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

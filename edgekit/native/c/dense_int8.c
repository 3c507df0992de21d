/* ---- Dense layers in int8 ---------------------------------------------------------------------------------------- */
/* A layer of int8 weights on whole numbers of -4063..4063, of which 4161 products fit into int32. Where there are no
   products of 16 bits, a number is 64 times a digit of -63..63 plus one of -32..31. */
#if defined(EK_SHORTS)
EK_INLINE void ek_int_dense(float *out, const float *bias, ek_matrix m, const float *x, signed char *codes,
                            const int count, const int columns, const int rows, const float wide)
{
    const float peak = ek_peak(x, count), unit = peak > EK_TINY ? wide / peak : 0.0f, step = peak / wide;
    int16_t last[8] = {0};
    int i;
    for (i = 0; i + 8 <= count; i += 8)
        vst1q_s8(codes + 2 * i, vreinterpretq_s8_s16(ek_shorts(x + i, unit)));
    if (i < columns) {
        float rest[8] = {0.0f};
        memcpy(rest, x + i, (size_t)(count - i) * sizeof *rest);
        vst1q_s16(last, ek_shorts(rest, unit));
        memcpy(codes + 2 * i, last, sizeof last);
    }
    for (i = 0; i < rows / 16; i += 2)
        ek_short_rows(out + 16 * i, bias + 16 * i, m.shorts + (size_t)i * 16 * columns, m.scale + 16 * i, codes, step,
                      columns, rows / 16 - i > 1 ? 2 : 1);
}
#else
EK_INLINE void ek_int_dense(float *out, const float *bias, ek_matrix m, const float *x, signed char *codes,
                            const int count, const int columns, const int rows, const float wide)
{
    const float peak = ek_peak(x, count), unit = peak > EK_TINY ? wide / peak : 0.0f, step = peak / wide;
    const int blocks = rows / 16, rest = blocks % EK_INT_WIDE;
    signed char *low = codes, *high = codes + columns;
    int i = 0;
#if defined(EK_NEON) && defined(__aarch64__)
    for (; i + 8 <= count; i += 8) {
        int16x8_t eight = ek_shorts(x + i, unit);
        int8x8_t upper = vrshrn_n_s16(eight, 6);
        vst1_s8(low + i, vsub_s8(vmovn_s16(eight), vshl_n_s8(upper, 6)));
        vst1_s8(high + i, upper);
    }
#endif
    for (; i < count; i++) {
        float whole = x[i] * unit + EK_WHOLE;
        int32_t bits, below;
        memcpy(&bits, &whole, 4);
        bits -= 0x4B400000;
        below = (bits + 4096 + 32) % 64 - 32;
        low[i] = ek_code(below);
        high[i] = ek_code((bits - below) / 64);
    }
    for (; i < columns; i++)
        low[i] = high[i] = ek_code(0);
    for (i = 0; i + EK_INT_WIDE <= blocks; i += EK_INT_WIDE)
        ek_int_digits(out + 16 * i, bias + 16 * i, ek_from(m, i, columns), codes, step, columns, EK_INT_WIDE);
    if (rest)
        ek_int_digits(out + 16 * i, bias + 16 * i, ek_from(m, i, columns), codes, step, columns, rest);
}
#endif

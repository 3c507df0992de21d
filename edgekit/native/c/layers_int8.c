/* ---- Layers in int8 --------------------------------------------------------------------------------------------- */
/* h is in -1..1, so its step is 1 / 127 at every moment, and what goes from layer to layer needs no scale. That step
   is in the scales of recurrent weights. */
#define EK_OUTPUT ek_int_output
#if defined(EK_FIXED)
#define EK_MATRIX(name) ek_matrix_of(name, name##_fix, name##_scale)
#else
#define EK_MATRIX(name) ek_matrix_of(name, NULL, name##_scale)
#endif
#define EK_UP(units) (((units) + 15) / 16 * 16)

EK_INLINE ek_matrix ek_matrix_of(const signed char *w, const int32_t *fix, const float *scale)
{
    ek_matrix m;
    m.w = w;
    m.fix = fix;
    m.scale = scale;
    return m;
}

EK_INLINE void ek_sum(int *total, const signed char *codes, const int count)
{
    int j;
    for (j = 0; j < count; j++)
        total[j] += ek_number(codes[j]);
}

/* The mean of h over `frames` frames, of the sums of its codes. */
EK_INLINE void ek_int_mean(float *mean, const int *total, const int count, const int frames)
{
    const float unit = 1.0f / (127.0f * (float)frames);
    int j;
    for (j = 0; j < count; j++)
        mean[j] = (float)total[j] * unit;
}

/* What one direction of a layer leaves: `total` the sum of its codes over time or NULL, `sequence` [frames][stride] its
   codes or NULL. `state` is scratch: codes, h, c and a GRU's gates. */
typedef struct {
    int *total;
    signed char *sequence;
    size_t stride;
} ek_int_output;

#if EK_HAS_LSTM
/* gates [frames][rows] and 16 more: W x + bias, which is used up. */
EK_INLINE void ek_int_lstm(ek_int_output to, float *gates, ek_matrix recurrent, float *cell, float *hidden,
                           signed char *codes, const int units, const int columns, const int rows, const int frames,
                           const int backwards)
{
    int s;
    memset(cell, 0, EK_UP(units) * sizeof *cell);
    memset(hidden, 0, EK_UP(units) * sizeof *hidden);
    for (s = 0; s < frames; s++) {
        const int t = backwards ? frames - 1 - s : s;
        float *pre = gates + (size_t)t * rows;
        if (s)
            ek_int_rows(pre, pre, recurrent, codes, 1.0f, columns, rows);
        ek_lstm_cell(pre, cell, hidden, units);
        ek_codes(codes, hidden, 127.0f, EK_UP(units));
        if (to.sequence)
            memcpy(to.sequence + (size_t)t * to.stride, codes, units);
        if (to.total)
            ek_sum(to.total, codes, EK_UP(units));
    }
}
#endif

#if EK_HAS_GRU
/* gates as for the LSTM; bias [rows]: of the recurrent part, inside the reset gate. state [rows] and 16 more. */
EK_INLINE void ek_int_gru(ek_int_output to, float *gates, ek_matrix recurrent, const float *bias, float *state,
                          float *hidden, signed char *codes, const int units, const int columns, const int rows,
                          const int frames, const int backwards)
{
    int s;
    memset(hidden, 0, EK_UP(units) * sizeof *hidden);
    memset(codes, EK_ZERO, EK_UP(units));
    memset(state + rows, 0, 16 * sizeof *state);
    for (s = 0; s < frames; s++) {
        const int t = backwards ? frames - 1 - s : s;
        ek_int_rows(state, bias, recurrent, codes, 1.0f, columns, rows);
        ek_gru_cell(gates + (size_t)t * rows, state, hidden, units);
        ek_codes(codes, hidden, 127.0f, EK_UP(units));
        if (to.sequence)
            memcpy(to.sequence + (size_t)t * to.stride, codes, units);
        if (to.total)
            ek_sum(to.total, codes, EK_UP(units));
    }
}
#endif

/* ---- Layers in float32 ------------------------------------------------------------------------------------------ */
#define EK_OUTPUT ek_float_output
#define EK_UP(units) (((units) + 15) / 16 * 16)

EK_INLINE void ek_sum(float *total, const float *x, const int count)
{
    int j;
    for (j = 0; j < count; j += EK_F)
        ek_store(total + j, ek_add(ek_load(total + j), ek_load(x + j)));
}

/* What one direction of a layer leaves: `total` the sum of its h over time or NULL, `sequence` [frames][stride] its
   h or NULL. */
typedef struct {
    float *total, *sequence;
    size_t stride;
} ek_float_output;

#if EK_HAS_LSTM
/* gates [frames][rows] and 16 more: W x + bias, which is used up. */
EK_INLINE void ek_float_lstm(ek_float_output to, float *gates, const float *recurrent, float *cell, float *hidden,
                             const int units, const int rows, const int frames, const int backwards)
{
    int s;
    memset(cell, 0, EK_UP(units) * sizeof *cell);
    memset(hidden, 0, EK_UP(units) * sizeof *hidden);
    for (s = 0; s < frames; s++) {
        const int t = backwards ? frames - 1 - s : s;
        float *pre = gates + (size_t)t * rows;
        if (s)
            ek_float_rows(pre, pre, recurrent, hidden, units, rows);
        ek_lstm_cell(pre, cell, hidden, units);
        if (to.sequence)
            memcpy(to.sequence + (size_t)t * to.stride, hidden, units * sizeof *hidden);
        if (to.total)
            ek_sum(to.total, hidden, EK_UP(units));
    }
}
#endif

#if EK_HAS_GRU
/* gates as for the LSTM; bias [rows]: of the recurrent part, inside the reset gate. state [rows] and 16 more. */
EK_INLINE void ek_float_gru(ek_float_output to, float *gates, const float *recurrent, const float *bias, float *state,
                            float *hidden, const int units, const int rows, const int frames, const int backwards)
{
    int s;
    memset(hidden, 0, EK_UP(units) * sizeof *hidden);
    memset(state + rows, 0, 16 * sizeof *state);
    for (s = 0; s < frames; s++) {
        const int t = backwards ? frames - 1 - s : s;
        ek_float_rows(state, bias, recurrent, hidden, units, rows);
        ek_gru_cell(gates + (size_t)t * rows, state, hidden, units);
        if (to.sequence)
            memcpy(to.sequence + (size_t)t * to.stride, hidden, units * sizeof *hidden);
        if (to.total)
            ek_sum(to.total, hidden, EK_UP(units));
    }
}
#endif

/* One step of an LSTM for EK_F units: their gates i, o, f, c lie `apart` numbers apart at pre. c' = f c + i g over one
   denominator, h = o tanh(c') over another. */
EK_INLINE void ek_lstm_units(const float *pre, const int apart, float *cell, float *hidden)
{
    ek_ratio in = ek_twice_sigmoid(ek_load(pre)), out = ek_twice_sigmoid(ek_load(pre + apart));
    ek_ratio keep = ek_twice_sigmoid(ek_load(pre + 2 * apart)), fresh = ek_tanh(ek_load(pre + 3 * apart));
    ek_f low = ek_mul(in.low, fresh.low), gained = ek_mul(ek_mul(in.top, fresh.top), keep.low);
    ek_f kept = ek_mul(keep.top, ek_load(cell));
    ek_f twice = ek_add(keep.low, keep.low);
    ek_f state = ek_div(ek_madd(kept, low, gained), ek_mul(twice, low));
    ek_ratio shown = ek_tanh(state);
    ek_store(cell, state);
    ek_store(hidden, ek_div(ek_mul(out.top, shown.top), ek_mul(ek_add(out.low, out.low), shown.low)));
}

/* All units. Gates of 16 units lie together, [units / 16][4][16]; those of the rest behind them, [4][rest], where the
   rest is rounded up to 4. At least 15 numbers more can be read there. cell, hidden: rounded up to 16. */
EK_INLINE void ek_lstm_cell(const float *pre, float *cell, float *hidden, const int units)
{
    const int most = units / 16 * 16, rest = (units - most + 3) / 4 * 4;
    int j;
#if defined(EK_NEON) && defined(__aarch64__)
    int i;
    for (j = 0; j < most; j += 16)
        for (i = 0; i < 16; i += EK_F)
            ek_lstm_units(pre + 4 * j + i, 16, cell + j + i, hidden + j + i);
#else
    for (j = 0; j < most; j += EK_F)
        ek_lstm_units(pre + j / 16 * 64 + j % 16, 16, cell + j, hidden + j);
#endif
    for (; j < units; j += EK_F)
        ek_lstm_units(pre + 4 * most + j - most, rest, cell + j, hidden + j);
}

/* One step of a GRU with linear_before_reset for EK_F units. frame, state: what the frame and the hidden state send
   into the gates z, r, h, `apart` numbers apart. h' = (1 - z) n + z h over one denominator, with
   n = tanh(frame_h + r state_h). */
EK_INLINE void ek_gru_units(const float *frame, const float *state, const int apart, float *hidden)
{
    ek_ratio keep = ek_twice_sigmoid(ek_add(ek_load(frame), ek_load(state)));
    ek_ratio reset = ek_twice_sigmoid(ek_add(ek_load(frame + apart), ek_load(state + apart)));
    ek_f part = ek_mul(ek_div(reset.top, ek_add(reset.low, reset.low)), ek_load(state + 2 * apart));
    ek_ratio fresh = ek_tanh(ek_add(ek_load(frame + 2 * apart), part));
    ek_f twice = ek_add(keep.low, keep.low), gained = ek_mul(ek_sub(twice, keep.top), fresh.top);
    ek_f kept = ek_mul(keep.top, ek_load(hidden));
    ek_store(hidden, ek_div(ek_madd(kept, fresh.low, gained), ek_mul(twice, fresh.low)));
}

/* All units. Gates of 16 units lie together, [units / 16][3][16]; those of the rest behind them, [3][rest], where the
   rest is rounded up to 4. At least 15 numbers more can be read there. hidden: rounded up to 16. */
EK_INLINE void ek_gru_cell(const float *frame, const float *state, float *hidden, const int units)
{
    const int most = units / 16 * 16, rest = (units - most + 3) / 4 * 4;
    int j;
    for (j = 0; j < most; j += EK_F)
        ek_gru_units(frame + j / 16 * 48 + j % 16, state + j / 16 * 48 + j % 16, 16, hidden + j);
    for (; j < units; j += EK_F)
        ek_gru_units(frame + 3 * most + j - most, state + 3 * most + j - most, rest, hidden + j);
}

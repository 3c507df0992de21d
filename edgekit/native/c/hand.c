/* ---- Hands ------------------------------------------------------------------------------------------------------ */
/* One hand of 21 landmarks in 63 numbers a frame: relative to its wrist (landmark 0), divided by the distance of
   landmark 9 from it, zeros where nothing was seen. With `path` the wrist's own place holds its way since the first
   frame with a hand, from `start` [4]: that wrist, and 1 once there was one. x [frames][x_stride], out
   [frames][stride]. */
EK_INLINE void ek_hand(float *out, const int stride, const float *x, const int x_stride, const int frames,
                       const int path, float *start)
{
    ek_f wrist[3];
    int t, i;
    for (t = 0; t < frames; t++, x += x_stride, out += stride) {
        const int seen = ek_peak(x, 63) > 0.0f;
        float across = x[27] - x[0], down = x[28] - x[1], deep = x[29] - x[2];
        float size = sqrtf(across * across + down * down + deep * deep);
        float unit = size > 1e-3f ? 1.0f / size : 1.0f / 1e-3f;
        if (path && seen && start[3] == 0.0f) {
            memcpy(start, x, 3 * sizeof *start);
            start[3] = 1.0f;
        }
        if (!seen) {
            memset(out, 0, 63 * sizeof *out);
            continue;
        }
        wrist[0] = ek_threes(x, 0), wrist[1] = ek_threes(x, 1), wrist[2] = ek_threes(x, 2);
        EK_UNROLL
        for (i = 0; i < 63; i += EK_F) {
            const int at = i + EK_F > 63 ? 63 - EK_F : i;
            ek_store(out + at, ek_mul(ek_sub(ek_load(x + at), wrist[at % 3]), ek_set(unit)));
        }
        for (i = 0; i < 3; i++)
            out[i] = path ? (x[i] - start[i]) * unit : 0.0f;
    }
}

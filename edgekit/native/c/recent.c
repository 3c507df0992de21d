/* ---- The mean over a stream ------------------------------------------------------------------------------------- */
/* Puts h into `recent` [frames][stride], in turn. next: where; count: how many there are, at most `frames`. */
EK_INLINE void ek_keep(float *recent, const float *h, const int stride, const int frames, int *next, int *count)
{
    memcpy(recent + (size_t)*next * stride, h, stride * sizeof *h);
    *next = *next + 1 < frames ? *next + 1 : 0;
    *count += *count < frames;
}

/* Their mean: added up oldest first, as a take's. */
EK_INLINE void ek_recent(float *mean, const float *recent, const int stride, const int frames, const int next,
                         const int count)
{
    const ek_f part = ek_set(1.0f / (float)count);
    int i, j;
    for (j = 0; j < stride; j += EK_F) {
        ek_f sum = ek_set(0.0f);
        for (i = count < frames ? frames : next; i < frames; i++)
            sum = ek_add(sum, ek_load(recent + (size_t)i * stride + j));
        for (i = 0; i < (count < frames ? count : next); i++)
            sum = ek_add(sum, ek_load(recent + (size_t)i * stride + j));
        ek_store(mean + j, ek_mul(sum, part));
    }
}

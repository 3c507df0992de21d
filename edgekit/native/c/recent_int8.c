/* ---- The mean over a stream ------------------------------------------------------------------------------------- */
/* Puts the codes of h into `recent` [frames][stride], in turn, where nothing but zeros was before; `total` [stride] is
   their sum. next: where; count: how many there are, at most `frames`. */
EK_INLINE void ek_keep_codes(signed char *recent, int *total, const signed char *codes, const int stride,
                             const int frames, int *next, int *count)
{
    signed char *place = recent + (size_t)*next * stride;
    int j;
    for (j = 0; j < stride; j++) {
        const int number = ek_number(codes[j]);
        total[j] += number - place[j];
        place[j] = (signed char)number;
    }
    *next = *next + 1 < frames ? *next + 1 : 0;
    *count += *count < frames;
}

/* Features of the hands in a frame, first and behind the last; none where nobody knows which they are. */
#define EK_HANDS @hands@
#if EK_HANDS
static const size_t ek_hands[EK_HANDS][2] = {@parts@};
#endif

int @name@_hand_seen(const float *landmarks, size_t frames)
{
#if EK_HANDS
    size_t frame, hand, i;
    for (frame = 0; landmarks && frame < frames; frame++, landmarks += @NAME@_FEATURES)
        for (hand = 0; hand < EK_HANDS; hand++)
            for (i = ek_hands[hand][0]; i < ek_hands[hand][1]; i++)
                if (landmarks[i] < 0.0f || landmarks[i] > 0.0f)
                    return 1;
    return 0;
#else
    return landmarks && frames;
#endif
}

@rule@

const char *@name@_label(const float *logits, int hand)
{
    size_t best;
    if (!logits || !ek_strong(logits))
        return NULL;
    best = @name@_largest(logits);
    return hand@silent@ ? @name@_class_name(best) : NULL;
}

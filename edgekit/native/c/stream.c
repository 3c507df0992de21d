/* ---- One frame of a stream -------------------------------------------------------------------------------------- */

/* In a stream that was reset. */
#define EK_READY 0x5EA1

#if defined(EK_VARIANT) || defined(EK_LIBRARY)
__attribute__((visibility("hidden"))) int EK_STEP(@name@_stream *c, const float *landmarks, size_t features,
                                                  float *logits, size_t classes);
#endif

int EK_STEP(@name@_stream *c, const float *landmarks, size_t features, float *logits, size_t classes)
{
    const float largest = @NAME@_LARGEST;
    int32_t allowed, most;
    int t;
    if (!c || !landmarks || (!logits && classes))
        return @NAME@_ERROR_NULL;
    if (features != @NAME@_FEATURES || (logits && classes != @NAME@_CLASSES))
        return @NAME@_ERROR_SHAPE;
    if (c->ready != EK_READY)
        return @NAME@_ERROR_RESET;
    memcpy(&allowed, &largest, 4);
    most = ek_largest_bits(landmarks, (size_t)@NAME@_FEATURES);
    if (most > allowed)
        return most >= 0x7F800000 ? @NAME@_ERROR_NOT_FINITE : @NAME@_ERROR_RANGE;
@step@
    return @NAME@_OK;
}

#if !defined(EK_VARIANT)
int @name@_reset(@name@_stream *stream)
{
    if (!stream)
        return @NAME@_ERROR_NULL;
    memset(stream, 0, sizeof *stream);
    stream->ready = EK_READY;
    return @NAME@_OK;
}
#endif

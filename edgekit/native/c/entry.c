/* ---- One prediction --------------------------------------------------------------------------------------------- */

#if defined(EK_VARIANT) || defined(EK_LIBRARY)
__attribute__((visibility("hidden"))) int EK_PREDICT(@name@_context *c, const float *landmarks, size_t frames,
                                                     size_t features, float *logits, size_t classes);
#endif

int EK_PREDICT(@name@_context *c, const float *landmarks, size_t frames, size_t features, float *logits, size_t classes)
{
    const float largest = @NAME@_LARGEST;
    int32_t allowed, most;
    EK_OUTPUT to;
    int t;
    if (!c || !landmarks || !logits)
        return @NAME@_ERROR_NULL;
    if (frames != @NAME@_FRAMES || features != @NAME@_FEATURES || classes != @NAME@_CLASSES)
        return @NAME@_ERROR_SHAPE;
    memcpy(&allowed, &largest, 4);
    most = ek_largest_bits(landmarks, (size_t)@NAME@_FRAMES * @NAME@_FEATURES);
    if (most > allowed)
        return most >= 0x7F800000 ? @NAME@_ERROR_NOT_FINITE : @NAME@_ERROR_RANGE;
@body@
    return @NAME@_OK;
}

#if !defined(EK_VARIANT)
const char *@name@_class_name(size_t index) { return index < @NAME@_CLASSES ? ek_class_names[index] : NULL; }

size_t @name@_largest(const float *logits)
{
    size_t i, best = 0;
    for (i = 1; i < @NAME@_CLASSES; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

@signing@

const char *@name@_status_text(int status)
{
    switch (status) {
    case @NAME@_OK:
        return "done";
    case @NAME@_ERROR_NULL:
        return "a pointer is NULL";
    case @NAME@_ERROR_SHAPE:
        return "the input or the output has another size than the model";
    case @NAME@_ERROR_NOT_FINITE:
        return "NaN or infinity in the landmarks";
    case @NAME@_ERROR_RANGE:
        return "a number is too large: beyond @limit@, or too far from the mean for float32";
    case @NAME@_ERROR_VARIANT:
        return "no such variant, or not for this CPU";
    case @NAME@_ERROR_RESET:
        return "a stream that was never reset";
    default:
        return "no status of this library";
    }
}
#endif

/* What JavaScript sees of @name@.c in a WebAssembly module: one context, one take and its logits, at fixed places. */
#include "@name@.h"

#define EXPORTED(name) __attribute__((export_name(#name)))

static @name@_context context;
static float landmarks[@NAME@_FRAMES * @NAME@_FEATURES], logits[@NAME@_CLASSES];

EXPORTED(landmarks) float *ek_module_landmarks(void) { return landmarks; }
EXPORTED(logits) float *ek_module_logits(void) { return logits; }
EXPORTED(frames) int ek_module_frames(void) { return @NAME@_FRAMES; }
EXPORTED(features) int ek_module_features(void) { return @NAME@_FEATURES; }
EXPORTED(classes) int ek_module_classes(void) { return @NAME@_CLASSES; }
EXPORTED(class_name) const char *ek_module_class_name(int index) { return @name@_class_name((size_t)index); }
EXPORTED(status_text) const char *ek_module_status_text(int status) { return @name@_status_text(status); }
EXPORTED(largest) int ek_module_largest(void) { return (int)@name@_largest(logits); }
/* Whether the last prediction was of a sign. */
EXPORTED(is_sign) int ek_module_is_sign(void)
{
    return @name@_label(logits, @name@_hand_seen(landmarks, @NAME@_FRAMES)) != NULL;
}
EXPORTED(predict) int ek_module_predict(void)
{
    return @name@_predict(&context, landmarks, @NAME@_FRAMES, @NAME@_FEATURES, logits, @NAME@_CLASSES);
}

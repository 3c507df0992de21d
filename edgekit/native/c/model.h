/* @name@: a recurrent sequence classifier as plain C, written by `edgekit compile`.

   Made from the ONNX file of SHA-256 @sha256@
   (@scheme@), in @arithmetic@ arithmetic. No allocation, no global state, nothing but the C library's memcpy and memset
   and sqrtf of math.h. Sizes: @weights@ bytes of constant weights, @context@ bytes of buffers in the context. */
#ifndef @NAME@_H
#define @NAME@_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define @NAME@_ABI @abi@
#define @NAME@_FRAMES @frames@
#define @NAME@_FEATURES @features@
#define @NAME@_CLASSES @classes@
#define @NAME@_WEIGHT_BYTES @weights@
#define @NAME@_CONTEXT_BYTES @context@
/* Numbers beyond it, of either sign, are refused. */
#define @NAME@_LARGEST @largest@

/* What a prediction answers. Nothing is written to the logits unless it is @NAME@_OK. */
enum {
    @NAME@_OK = 0,
    @NAME@_ERROR_NULL = 1,       /* a pointer is NULL */
    @NAME@_ERROR_SHAPE = 2,      /* not @NAME@_FRAMES frames of @NAME@_FEATURES numbers, or room for other classes */
    @NAME@_ERROR_NOT_FINITE = 3, /* NaN or infinity in the landmarks */
    @NAME@_ERROR_RANGE = 4,      /* a number beyond @NAME@_LARGEST, or too far from the mean for float32 */
    @NAME@_ERROR_VARIANT = 5,    /* of the shared library: no such variant, or not for this CPU */
    @NAME@_ERROR_RESET = 6       /* a stream that was never reset */
};

/* Scratch of one prediction, which needs no initialisation; one for each thread that predicts. */
typedef struct {
@fields@
} @name@_context;

/* landmarks: float32 [frames][features], as recorded; logits: room for `classes` numbers. Returns one of the above. */
int @name@_predict(@name@_context *context, const float *landmarks, size_t frames, size_t features, float *logits,
                   size_t classes);

@streaming@

/* What is signed, in UTF-8; NULL where nobody signs: no hand is seen, or the answer is weaker than the ONNX file's rule
   asks for (@rule@). hand: whether one is seen in the take, as @name@_hand_seen says; of a stream, in one of
   the last @NAME@_LOST_FRAMES frames: trackers lose a hand that is there for up to four. */
const char *@name@_label(const float *logits, int hand);
#define @NAME@_LOST_FRAMES @lost@

/* Whether a hand is in one of the frames: its numbers are all 0 where it was not found. 1 where nobody knows which of the
   numbers are a hand's. */
int @name@_hand_seen(const float *landmarks, size_t frames);

/* Name of a class in UTF-8, NULL beyond the last; the class of the largest logit, whether anybody signs or not; and what
   a status means. */
const char *@name@_class_name(size_t index);
size_t @name@_largest(const float *logits);
const char *@name@_status_text(int status);

#ifdef __cplusplus
}
#endif

#endif

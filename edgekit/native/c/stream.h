#define @NAME@_STREAMS 1
#define @NAME@_STREAM_BYTES @stream@

/* A stream: what is kept from frame to frame, and scratch. One for each stream; a context is not needed. */
typedef struct {
@stream_fields@
} @name@_stream;

/* Begin anew: what comes next is a first frame. Needed once before the first step. */
int @name@_reset(@name@_stream *stream);

/* One more frame: float32 [features], as recorded, zeros where no hand was found. The logits are those of a model whose
   takes are exactly the frames since the reset, however many@beyond@. Whatever is answered
   but @NAME@_OK, the stream is as it was. With NULL and 0 for logits and classes, the frame is taken in without an answer,
   which is about half of the work. */
int @name@_step(@name@_stream *stream, const float *frame, size_t features, float *logits, size_t classes);
/* Times calls of a compiled model in C, for of_edgekit.py and of_emx.py: nanoseconds of each into `ns`. */
#include <stddef.h>
#include <time.h>

static long long now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

typedef int (*predict_with)(int, void *, const float *, size_t, size_t, float *, size_t);

void time_edgekit(predict_with predict, int variant, void *context, const float *take, size_t frames, size_t features,
                  float *logits, size_t classes, long calls, long long *ns)
{
    for (long k = 0; k < calls; k++) {
        long long start = now();
        predict(variant, context, take, frames, features, logits, classes);
        ns[k] = now() - start;
    }
}

typedef void (*two_buffers)(const float *, float *);

static void nothing(const float *take, float *logits) { logits[0] = take[0]; }

/* run: NULL for a function that copies one number */
void time_two_buffers(two_buffers run, const float *take, float *logits, long calls, long long *ns)
{
    volatile two_buffers called = run ? run : nothing;
    for (long k = 0; k < calls; k++) {
        long long start = now();
        called(take, logits);
        ns[k] = now() - start;
    }
}

/* @name@.c: written by `edgekit compile`; see @name@.h. C99.

   cc -std=c99 -O3 -c @name@.c                    for any machine; add -march=native or alike for vector instructions
   cc -std=c99 -O3 -DEK_PORTABLE -c @name@.c      plain C whatever the machine has

   -std=c99 matters with gcc: without it, gcc may round products and sums together where this file must not. Don't use
   -ffast-math. */
#include "@name@.h"

#include <float.h>
#include <stdint.h>
#if defined(__wasm__) /* no C library there; clang makes instructions of these */
#define memcpy __builtin_memcpy
#define memset __builtin_memset
#define sqrtf __builtin_sqrtf
#else
#include <math.h>
#include <string.h>
#endif

/* Parts of a shared library: EK_LIBRARY has the weights and chooses at run time, EK_VARIANT=name is one way. */
#define EK_PASTE(a, b) a##_##b
#define EK_JOIN(a, b) EK_PASTE(a, b)
#if defined(EK_VARIANT)
#define EK_DATA extern __attribute__((visibility("hidden")))
#define EK_PREDICT EK_JOIN(@name@_predict, EK_VARIANT)
#define EK_STEP EK_JOIN(@name@_step, EK_VARIANT)
#elif defined(EK_LIBRARY)
#define EK_DATA __attribute__((visibility("hidden")))
#define EK_PREDICT @name@_predict_baseline
#define EK_STEP @name@_step_baseline
#else
#define EK_DATA static
#define EK_PREDICT @name@_predict
#define EK_STEP @name@_step
#endif

#define EK_OK @NAME@_OK
#define EK_RANGE @NAME@_ERROR_RANGE

/* ---- What the compiler may use ---------------------------------------------------------------------------------- */

#if defined(__GNUC__)
#define EK_INLINE static inline __attribute__((always_inline, unused))
#define EK_ALIGNED __attribute__((aligned(64)))
#define EK_UNUSED __attribute__((unused))
#else
#define EK_INLINE static inline
#define EK_ALIGNED
#define EK_UNUSED
#endif

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

/* EK_PORTABLE asks for plain C whatever the machine has. */
#if defined(EK_PORTABLE)
#elif defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#define EK_AVX512
#define EK_AVX2
#elif defined(__AVX2__) && defined(__FMA__)
#define EK_AVX2
#elif defined(__SSE2__)
#define EK_SSE2
#elif defined(__ARM_NEON)
#define EK_NEON
#elif defined(__wasm_simd128__)
#define EK_WASM
#endif

#if defined(EK_AVX2)
#include <immintrin.h>
#elif defined(EK_SSE2)
#include <emmintrin.h>
#elif defined(EK_NEON)
#include <arm_neon.h>
#elif defined(EK_WASM)
#include <wasm_simd128.h>
#endif

/* Sums stay in registers only when loops over them are unrolled; plain C is better left to the compiler's vectoriser. */
#if defined(__GNUC__) && !defined(__clang__) && (defined(EK_AVX2) || defined(EK_SSE2) || defined(EK_NEON))
#define EK_UNROLL _Pragma("GCC unroll 32")
#else
#define EK_UNROLL
#endif

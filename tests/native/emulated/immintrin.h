/* In place of the compiler's <immintrin.h>: AVX2, AVX-512 and VNNI in portable C by SIMDe (SIMD Everywhere), so that the
   ways through model.c for such CPUs run on any machine. Intrinsics that a release of SIMDe has not are written out
   here. */
#if !defined(EK_EMULATED_H)
#define EK_EMULATED_H

#define SIMDE_NO_NATIVE
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx2.h>
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>

/* Wherever both CPU features are there, _mm256_dpbusd_avx_epi32 is what AVX-512 VL calls _mm256_dpbusd_epi32. */
#if !defined(_mm256_dpbusd_avx_epi32)
#define _mm256_dpbusd_avx_epi32(sums, bytes, weights) simde_mm256_dpbusd_epi32(sums, bytes, weights)
#endif

#if !defined(_mm512_cvtepi32_ps)
static inline __attribute__((unused)) simde__m512 ek_emulated_cvtepi32_ps(simde__m512i a)
{
    simde__m512i_private from = simde__m512i_to_private(a);
    simde__m512_private to;
    int i;
    for (i = 0; i < 16; i++)
        to.f32[i] = (float)from.i32[i];
    return simde__m512_from_private(to);
}
#define _mm512_cvtepi32_ps(a) ek_emulated_cvtepi32_ps(a)
#endif

#if !defined(_mm512_cvtepi32_epi8)
static inline __attribute__((unused)) simde__m128i ek_emulated_cvtepi32_epi8(simde__m512i a)
{
    simde__m512i_private from = simde__m512i_to_private(a);
    simde__m128i_private to;
    int i;
    for (i = 0; i < 16; i++)
        to.u8[i] = (unsigned char)(from.u32[i] & 255u);
    return simde__m128i_from_private(to);
}
#define _mm512_cvtepi32_epi8(a) ek_emulated_cvtepi32_epi8(a)
#endif

#if !defined(_mm512_reduce_max_ps)
static inline __attribute__((unused)) float ek_emulated_reduce_max_ps(simde__m512 a)
{
    simde__m512_private from = simde__m512_to_private(a);
    float most = from.f32[0];
    int i;
    for (i = 1; i < 16; i++)
        most = from.f32[i] > most ? from.f32[i] : most;
    return most;
}
#define _mm512_reduce_max_ps(a) ek_emulated_reduce_max_ps(a)
#endif
#endif

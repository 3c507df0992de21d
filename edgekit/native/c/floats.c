/* ---- ek_f: EK_F float32 numbers at once ------------------------------------------------------------------------- */
/* ek_madd(a, b, c) is a * b + c. With EK_EXACT it rounds twice on every machine, so that all machines agree. */

#if defined(EK_AVX512)
#define EK_F 16
typedef __m512 ek_f;
EK_INLINE ek_f ek_load(const float *p) { return _mm512_loadu_ps(p); }
EK_INLINE void ek_store(float *p, ek_f a) { _mm512_storeu_ps(p, a); }
EK_INLINE ek_f ek_set(float a) { return _mm512_set1_ps(a); }
EK_INLINE ek_f ek_add(ek_f a, ek_f b) { return _mm512_add_ps(a, b); }
EK_INLINE ek_f ek_sub(ek_f a, ek_f b) { return _mm512_sub_ps(a, b); }
EK_INLINE ek_f ek_mul(ek_f a, ek_f b) { return _mm512_mul_ps(a, b); }
EK_INLINE ek_f ek_div(ek_f a, ek_f b) { return _mm512_div_ps(a, b); }
EK_INLINE ek_f ek_min(ek_f a, ek_f b) { return _mm512_min_ps(a, b); }
EK_INLINE ek_f ek_max(ek_f a, ek_f b) { return _mm512_max_ps(a, b); }
EK_INLINE ek_f ek_fused(ek_f a, ek_f b, ek_f c) { return _mm512_fmadd_ps(a, b, c); }
EK_INLINE float ek_largest(ek_f a) { return _mm512_reduce_max_ps(a); }
EK_INLINE ek_f ek_clamp(ek_f a, float limit) { return _mm512_range_ps(a, _mm512_set1_ps(limit), 2); }
/* The low byte of each number's bits. */
EK_INLINE void ek_store_bytes(signed char *p, ek_f a)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(_mm512_castps_si512(a)));
}
/* p[(phase + lane) % 3] */
EK_INLINE ek_f ek_threes(const float *p, int phase)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0);
    __m128 three = _mm_setr_ps(p[phase % 3], p[(phase + 1) % 3], p[(phase + 2) % 3], 0.0f);
    return _mm512_permutexvar_ps(lanes, _mm512_castps128_ps512(three));
}
#elif defined(EK_AVX2)
#define EK_F 8
typedef __m256 ek_f;
EK_INLINE ek_f ek_load(const float *p) { return _mm256_loadu_ps(p); }
EK_INLINE void ek_store(float *p, ek_f a) { _mm256_storeu_ps(p, a); }
EK_INLINE ek_f ek_set(float a) { return _mm256_set1_ps(a); }
EK_INLINE ek_f ek_add(ek_f a, ek_f b) { return _mm256_add_ps(a, b); }
EK_INLINE ek_f ek_sub(ek_f a, ek_f b) { return _mm256_sub_ps(a, b); }
EK_INLINE ek_f ek_mul(ek_f a, ek_f b) { return _mm256_mul_ps(a, b); }
EK_INLINE ek_f ek_div(ek_f a, ek_f b) { return _mm256_div_ps(a, b); }
EK_INLINE ek_f ek_min(ek_f a, ek_f b) { return _mm256_min_ps(a, b); }
EK_INLINE ek_f ek_max(ek_f a, ek_f b) { return _mm256_max_ps(a, b); }
EK_INLINE ek_f ek_fused(ek_f a, ek_f b, ek_f c) { return _mm256_fmadd_ps(a, b, c); }
EK_INLINE float ek_largest(ek_f a)
{
    __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(b, _mm_movehdup_ps(b)));
}
EK_INLINE void ek_store_bytes(signed char *p, ek_f a)
{
    const __m128i low = _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    __m256i bits = _mm256_castps_si256(a);
    __m128i front = _mm_shuffle_epi8(_mm256_castsi256_si128(bits), low);
    __m128i back = _mm_shuffle_epi8(_mm256_extracti128_si256(bits, 1), low);
    _mm_storel_epi64((__m128i *)(void *)p, _mm_unpacklo_epi32(front, back));
}
EK_INLINE ek_f ek_threes(const float *p, int phase)
{
    float a = p[phase % 3], b = p[(phase + 1) % 3], c = p[(phase + 2) % 3];
    return _mm256_setr_ps(a, b, c, a, b, c, a, b);
}
#elif defined(EK_SSE2)
#define EK_F 4
typedef __m128 ek_f;
EK_INLINE ek_f ek_load(const float *p) { return _mm_loadu_ps(p); }
EK_INLINE void ek_store(float *p, ek_f a) { _mm_storeu_ps(p, a); }
EK_INLINE ek_f ek_set(float a) { return _mm_set1_ps(a); }
EK_INLINE ek_f ek_add(ek_f a, ek_f b) { return _mm_add_ps(a, b); }
EK_INLINE ek_f ek_sub(ek_f a, ek_f b) { return _mm_sub_ps(a, b); }
EK_INLINE ek_f ek_mul(ek_f a, ek_f b) { return _mm_mul_ps(a, b); }
EK_INLINE ek_f ek_div(ek_f a, ek_f b) { return _mm_div_ps(a, b); }
EK_INLINE ek_f ek_min(ek_f a, ek_f b) { return _mm_min_ps(a, b); }
EK_INLINE ek_f ek_max(ek_f a, ek_f b) { return _mm_max_ps(a, b); }
EK_INLINE ek_f ek_fused(ek_f a, ek_f b, ek_f c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }
EK_INLINE float ek_largest(ek_f a)
{
    a = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(a, _mm_shuffle_ps(a, a, 1)));
}
EK_INLINE void ek_store_bytes(signed char *p, ek_f a)
{
    __m128i low = _mm_and_si128(_mm_castps_si128(a), _mm_set1_epi32(255));
    int32_t four;
    low = _mm_packs_epi32(low, low);
    four = _mm_cvtsi128_si32(_mm_packus_epi16(low, low));
    memcpy(p, &four, 4);
}
EK_INLINE ek_f ek_threes(const float *p, int phase)
{
    return _mm_setr_ps(p[phase % 3], p[(phase + 1) % 3], p[(phase + 2) % 3], p[phase % 3]);
}
#elif defined(EK_NEON) && defined(__aarch64__)
#define EK_F 4
typedef float32x4_t ek_f;
EK_INLINE ek_f ek_load(const float *p) { return vld1q_f32(p); }
EK_INLINE void ek_store(float *p, ek_f a) { vst1q_f32(p, a); }
EK_INLINE ek_f ek_set(float a) { return vdupq_n_f32(a); }
EK_INLINE ek_f ek_add(ek_f a, ek_f b) { return vaddq_f32(a, b); }
EK_INLINE ek_f ek_sub(ek_f a, ek_f b) { return vsubq_f32(a, b); }
EK_INLINE ek_f ek_mul(ek_f a, ek_f b) { return vmulq_f32(a, b); }
EK_INLINE ek_f ek_div(ek_f a, ek_f b) { return vdivq_f32(a, b); }
EK_INLINE ek_f ek_min(ek_f a, ek_f b) { return vminq_f32(a, b); }
EK_INLINE ek_f ek_max(ek_f a, ek_f b) { return vmaxq_f32(a, b); }
EK_INLINE ek_f ek_fused(ek_f a, ek_f b, ek_f c) { return vfmaq_f32(c, a, b); }
EK_INLINE float ek_largest(ek_f a) { return vmaxvq_f32(a); }
EK_INLINE void ek_store_bytes(signed char *p, ek_f a)
{
    int16x4_t half = vmovn_s32(vreinterpretq_s32_f32(a));
    int8x8_t bytes = vmovn_s16(vcombine_s16(half, half));
    int32_t four = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
    memcpy(p, &four, 4);
}
EK_INLINE ek_f ek_threes(const float *p, int phase)
{
    float32x4_t three = vdupq_n_f32(p[phase % 3]);
    return vsetq_lane_f32(p[(phase + 2) % 3], vsetq_lane_f32(p[(phase + 1) % 3], three, 1), 2);
}
#elif defined(EK_WASM)
#define EK_F 4
typedef v128_t ek_f;
EK_INLINE ek_f ek_load(const float *p) { return wasm_v128_load(p); }
EK_INLINE void ek_store(float *p, ek_f a) { wasm_v128_store(p, a); }
EK_INLINE ek_f ek_set(float a) { return wasm_f32x4_splat(a); }
EK_INLINE ek_f ek_add(ek_f a, ek_f b) { return wasm_f32x4_add(a, b); }
EK_INLINE ek_f ek_sub(ek_f a, ek_f b) { return wasm_f32x4_sub(a, b); }
EK_INLINE ek_f ek_mul(ek_f a, ek_f b) { return wasm_f32x4_mul(a, b); }
EK_INLINE ek_f ek_div(ek_f a, ek_f b) { return wasm_f32x4_div(a, b); }
EK_INLINE ek_f ek_min(ek_f a, ek_f b) { return wasm_f32x4_pmin(b, a); } /* a < b ? a : b */
EK_INLINE ek_f ek_max(ek_f a, ek_f b) { return wasm_f32x4_pmax(b, a); }
EK_INLINE ek_f ek_fused(ek_f a, ek_f b, ek_f c) { return wasm_f32x4_add(wasm_f32x4_mul(a, b), c); }
EK_INLINE float ek_largest(ek_f a)
{
    a = ek_max(a, wasm_i32x4_shuffle(a, a, 2, 3, 0, 1));
    return wasm_f32x4_extract_lane(ek_max(a, wasm_i32x4_shuffle(a, a, 1, 0, 3, 2)), 0);
}
EK_INLINE void ek_store_bytes(signed char *p, ek_f a)
{
    wasm_v128_store32_lane(p, wasm_i8x16_shuffle(a, a, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12), 0);
}
EK_INLINE ek_f ek_threes(const float *p, int phase)
{
    return wasm_f32x4_make(p[phase % 3], p[(phase + 1) % 3], p[(phase + 2) % 3], p[phase % 3]);
}
#else /* one at a time; also 32-bit Arm, whose NEON does not round as IEEE 754 says */
#define EK_F 1
typedef float ek_f;
EK_INLINE ek_f ek_load(const float *p) { return *p; }
EK_INLINE void ek_store(float *p, ek_f a) { *p = a; }
EK_INLINE ek_f ek_set(float a) { return a; }
EK_INLINE ek_f ek_add(ek_f a, ek_f b) { return a + b; }
EK_INLINE ek_f ek_sub(ek_f a, ek_f b) { return a - b; }
EK_INLINE ek_f ek_mul(ek_f a, ek_f b) { return a * b; }
EK_INLINE ek_f ek_div(ek_f a, ek_f b) { return a / b; }
EK_INLINE ek_f ek_min(ek_f a, ek_f b) { return a < b ? a : b; }
EK_INLINE ek_f ek_max(ek_f a, ek_f b) { return a > b ? a : b; }
EK_INLINE ek_f ek_fused(ek_f a, ek_f b, ek_f c) { return a * b + c; }
EK_INLINE float ek_largest(ek_f a) { return a; }
EK_INLINE void ek_store_bytes(signed char *p, ek_f a)
{
    int32_t bits;
    memcpy(&bits, &a, 4);
    bits &= 255;
    *p = (signed char)(bits > 127 ? bits - 256 : bits);
}
EK_INLINE ek_f ek_threes(const float *p, int phase) { return p[phase % 3]; }
#endif

#if defined(EK_NEON) && defined(__aarch64__)
/* A constant that stays in a register: left to themselves, compilers make it anew wherever it is used. */
EK_INLINE float32x4_t ek_kept(float32x4_t constant)
{
    __asm__("" : "+w"(constant));
    return constant;
}
EK_INLINE ek_f ek_clamp(ek_f a, float limit)
{
    return ek_max(ek_min(a, ek_kept(ek_set(limit))), ek_kept(ek_set(-limit)));
}
#elif !defined(EK_AVX512)
EK_INLINE ek_f ek_clamp(ek_f a, float limit) { return ek_max(ek_min(a, ek_set(limit)), ek_set(-limit)); }
#endif

#if EK_EXACT
EK_INLINE ek_f ek_madd(ek_f a, ek_f b, ek_f c) { return ek_add(ek_mul(a, b), c); }
#else
EK_INLINE ek_f ek_madd(ek_f a, ek_f b, ek_f c) { return ek_fused(a, b, c); }
#endif

#if defined(EK_NEON) && defined(__aarch64__)
EK_INLINE ek_f ek_size(ek_f a) { return vabsq_f32(a); }
#else
EK_INLINE ek_f ek_size(ek_f a) { return ek_max(a, ek_sub(ek_set(0.0f), a)); }
#endif

/* Largest |x[i]| of `count` numbers, 0 for none; the last vector may overlap the one before. */
EK_INLINE float ek_peak(const float *x, const int count)
{
    float peak = 0.0f;
    int i;
    if (count >= EK_F) {
        ek_f most = ek_size(ek_load(x + count - EK_F));
        for (i = 0; i + EK_F <= count; i += EK_F)
            most = ek_max(most, ek_size(ek_load(x + i)));
        return ek_largest(most);
    }
    for (i = 0; i < count; i++) {
        float size = x[i] < 0.0f ? -x[i] : x[i];
        peak = size > peak ? size : peak;
    }
    return peak;
}

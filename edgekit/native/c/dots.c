/* ---- Products of int8 weights ----------------------------------------------------------------------------------- */
/* ek_dot(sums, w, x) adds, for each of EK_I rows, eight products of int8 weights and int8 numbers. The eight columns
   of a row lie as two fours, 64 bytes apart: [block][column / 8][2][16 rows][4]. Weights are in -127..127, numbers in
   -128..127; all sums are exact. ek_settle(out, sums, start, scale, factor) leaves start + sum * (scale * factor). */

#if defined(EK_AVX512) && defined(__AVX512VNNI__)
/* Codes are kept as unsigned, 128 too large; `fix`, -128 times a row's weights, is where its sum starts. */
#define EK_I 16
#define EK_FIXED
typedef __m512i ek_i;
typedef struct {
    __m512i front, back;
} ek_x;
EK_INLINE ek_i ek_begin(const int32_t *fix) { return _mm512_loadu_si512((const void *)fix); }
EK_INLINE ek_x ek_spread(const signed char *x)
{
    int32_t four[2];
    ek_x v;
    memcpy(four, x, 8);
    v.front = _mm512_set1_epi32(four[0]);
    v.back = _mm512_set1_epi32(four[1]);
    return v;
}
EK_INLINE ek_i ek_dot(ek_i sums, const signed char *w, ek_x x)
{
    sums = _mm512_dpbusd_epi32(sums, x.front, _mm512_loadu_si512((const void *)w));
    return _mm512_dpbusd_epi32(sums, x.back, _mm512_loadu_si512((const void *)(w + 64)));
}
EK_INLINE void ek_settle(float *out, ek_i sums, const float *start, const float *scale, float factor)
{
    __m512 unit = _mm512_mul_ps(_mm512_loadu_ps(scale), _mm512_set1_ps(factor));
    _mm512_storeu_ps(out, _mm512_add_ps(_mm512_loadu_ps(start), _mm512_mul_ps(_mm512_cvtepi32_ps(sums), unit)));
}
#elif defined(EK_AVX2)
#define EK_I 8
typedef __m256i ek_i;
EK_INLINE void ek_settle(float *out, ek_i sums, const float *start, const float *scale, float factor)
{
    __m256 unit = _mm256_mul_ps(_mm256_loadu_ps(scale), _mm256_set1_ps(factor));
    _mm256_storeu_ps(out, _mm256_add_ps(_mm256_loadu_ps(start), _mm256_mul_ps(_mm256_cvtepi32_ps(sums), unit)));
}
EK_INLINE __m256i ek_read(const signed char *w) { return _mm256_loadu_si256((const __m256i *)(const void *)w); }
#if defined(__AVXVNNI__)
#define EK_FIXED
typedef struct {
    __m256i front, back;
} ek_x;
EK_INLINE ek_i ek_begin(const int32_t *fix) { return _mm256_loadu_si256((const __m256i *)(const void *)fix); }
EK_INLINE ek_x ek_spread(const signed char *x)
{
    int32_t four[2];
    ek_x v;
    memcpy(four, x, 8);
    v.front = _mm256_set1_epi32(four[0]);
    v.back = _mm256_set1_epi32(four[1]);
    return v;
}
EK_INLINE ek_i ek_dot(ek_i sums, const signed char *w, ek_x x)
{
    sums = _mm256_dpbusd_avx_epi32(sums, x.front, ek_read(w));
    return _mm256_dpbusd_avx_epi32(sums, x.back, ek_read(w + 64));
}
#else
/* maddubs takes one unsigned factor: |x|, with x's sign given to w. Two products are at most 2 * 128 * 127, in int16.
 */
typedef struct {
    __m256i front, back, front_size, back_size;
} ek_x;
EK_INLINE ek_i ek_begin(const int32_t *fix)
{
    (void)fix;
    return _mm256_setzero_si256();
}
EK_INLINE ek_x ek_spread(const signed char *x)
{
    int32_t four[2];
    ek_x v;
    memcpy(four, x, 8);
    v.front = _mm256_set1_epi32(four[0]);
    v.back = _mm256_set1_epi32(four[1]);
    v.front_size = _mm256_abs_epi8(v.front);
    v.back_size = _mm256_abs_epi8(v.back);
    return v;
}
EK_INLINE __m256i ek_fours(__m256i size, __m256i w, __m256i x)
{
    return _mm256_madd_epi16(_mm256_maddubs_epi16(size, _mm256_sign_epi8(w, x)), _mm256_set1_epi16(1));
}
EK_INLINE ek_i ek_dot(ek_i sums, const signed char *w, ek_x x)
{
    __m256i front = ek_fours(x.front_size, ek_read(w), x.front);
    __m256i back = ek_fours(x.back_size, ek_read(w + 64), x.back);
    return _mm256_add_epi32(sums, _mm256_add_epi32(front, back));
}
#endif
#elif defined(EK_SSE2)
/* Two lanes a row, in int16 factors. */
#define EK_I 4
#define EK_NARROW
typedef struct {
    __m128i low, high;
} ek_i;
typedef struct {
    __m128i front, back;
} ek_x;
EK_INLINE ek_i ek_begin(const int32_t *fix)
{
    ek_i sums;
    (void)fix;
    sums.low = sums.high = _mm_setzero_si128();
    return sums;
}
EK_INLINE __m128i ek_low(__m128i a) { return _mm_srai_epi16(_mm_unpacklo_epi8(a, a), 8); }
EK_INLINE __m128i ek_high(__m128i a) { return _mm_srai_epi16(_mm_unpackhi_epi8(a, a), 8); }
EK_INLINE ek_x ek_spread(const signed char *x)
{
    int32_t four[2];
    ek_x v;
    memcpy(four, x, 8);
    v.front = ek_low(_mm_set1_epi32(four[0]));
    v.back = ek_low(_mm_set1_epi32(four[1]));
    return v;
}
EK_INLINE ek_i ek_dot(ek_i sums, const signed char *w, ek_x x)
{
    __m128i a = _mm_loadu_si128((const __m128i *)(const void *)w);
    __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(w + 64));
    __m128i low = _mm_add_epi32(_mm_madd_epi16(ek_low(a), x.front), _mm_madd_epi16(ek_low(b), x.back));
    __m128i high = _mm_add_epi32(_mm_madd_epi16(ek_high(a), x.front), _mm_madd_epi16(ek_high(b), x.back));
    sums.low = _mm_add_epi32(sums.low, low);
    sums.high = _mm_add_epi32(sums.high, high);
    return sums;
}
EK_INLINE void ek_settle(float *out, ek_i sums, const float *start, const float *scale, float factor)
{
    __m128 low = _mm_castsi128_ps(sums.low), high = _mm_castsi128_ps(sums.high);
    __m128i even = _mm_castps_si128(_mm_shuffle_ps(low, high, 0x88));
    __m128i odd = _mm_castps_si128(_mm_shuffle_ps(low, high, 0xDD));
    __m128 unit = _mm_mul_ps(_mm_loadu_ps(scale), _mm_set1_ps(factor));
    __m128 total = _mm_cvtepi32_ps(_mm_add_epi32(even, odd));
    _mm_storeu_ps(out, _mm_add_ps(_mm_loadu_ps(start), _mm_mul_ps(total, unit)));
}
#elif defined(EK_WASM)
/* As SSE2: two lanes a row, in int16 factors. */
#define EK_I 4
#define EK_NARROW
typedef struct {
    v128_t low, high;
} ek_i;
typedef struct {
    v128_t front, back;
} ek_x;
EK_INLINE ek_i ek_begin(const int32_t *fix)
{
    ek_i sums;
    (void)fix;
    sums.low = sums.high = wasm_i32x4_const_splat(0);
    return sums;
}
EK_INLINE ek_x ek_spread(const signed char *x)
{
    v128_t eight = wasm_i16x8_load8x8(x);
    ek_x v;
    v.front = wasm_i64x2_shuffle(eight, eight, 0, 0);
    v.back = wasm_i64x2_shuffle(eight, eight, 1, 1);
    return v;
}
EK_INLINE v128_t ek_twos(const signed char *w, ek_x x)
{
    return wasm_i32x4_add(wasm_i32x4_dot_i16x8(wasm_i16x8_load8x8(w), x.front),
                          wasm_i32x4_dot_i16x8(wasm_i16x8_load8x8(w + 64), x.back));
}
EK_INLINE ek_i ek_dot(ek_i sums, const signed char *w, ek_x x)
{
    sums.low = wasm_i32x4_add(sums.low, ek_twos(w, x));
    sums.high = wasm_i32x4_add(sums.high, ek_twos(w + 8, x));
    return sums;
}
EK_INLINE void ek_settle(float *out, ek_i sums, const float *start, const float *scale, float factor)
{
    v128_t even = wasm_i32x4_shuffle(sums.low, sums.high, 0, 2, 4, 6);
    v128_t odd = wasm_i32x4_shuffle(sums.low, sums.high, 1, 3, 5, 7);
    v128_t unit = wasm_f32x4_mul(wasm_v128_load(scale), wasm_f32x4_splat(factor));
    v128_t total = wasm_f32x4_convert_i32x4(wasm_i32x4_add(even, odd));
    wasm_v128_store(out, wasm_f32x4_add(wasm_v128_load(start), wasm_f32x4_mul(total, unit)));
}
#elif !defined(EK_NEON)
#define EK_I 16
#define EK_PLAIN
typedef struct {
    int32_t row[16];
} ek_i;
typedef const signed char *ek_x;
EK_INLINE ek_i ek_begin(const int32_t *fix)
{
    static const ek_i zeros = {{0}};
    (void)fix;
    return zeros;
}
EK_INLINE ek_x ek_spread(const signed char *x) { return x; }
EK_INLINE ek_i ek_dot(ek_i sums, const signed char *w, ek_x x)
{
    int r;
    for (r = 0; r < 16; r++) {
        const signed char *a = w + 4 * r, *b = a + 64;
        sums.row[r] += a[0] * x[0] + a[1] * x[1] + a[2] * x[2] + a[3] * x[3] + b[0] * x[4] + b[1] * x[5] +
                       b[2] * x[6] + b[3] * x[7];
    }
    return sums;
}
EK_INLINE void ek_settle(float *out, ek_i sums, const float *start, const float *scale, float factor)
{
    int r;
    for (r = 0; r < 16; r++)
        out[r] = start[r] + (float)sums.row[r] * (scale[r] * factor);
}
#endif

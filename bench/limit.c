/* What this machine needs at least for a network of LSTM layers: bench/peer_limit.py compiles it once a way.

   The same number of products of weights, from as many bytes as the weights have, and the same number of sigmoids and
   tanhs, in the order that the recurrence demands: the numbers of a step depend on the step before. Nothing else is
   done: no encoding of inputs, no scales, no biases, no layout of results, so the answers mean nothing.

   WAY: FP32 (8 products an instruction), INT16 (vpmaddwd: 16), INT8 (vpmaddubsw, vpmaddwd: 32 in two), VNNI (vpdpbusd:
   32 in one). */
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FP32 1
#define INT16 2
#define INT8 3
#define VNNI 4

#if WAY == FP32
enum { BYTES = 4, LANES = 8 };
typedef __m256 sum;
#define ZERO _mm256_setzero_ps()
#define NUMBERS(s) (s)
static sum add(sum s, const char *w, __m256i x)
{
    return _mm256_fmadd_ps(_mm256_load_ps((const float *)w), _mm256_castsi256_ps(x), s);
}
#else
typedef __m256i sum;
#define ZERO _mm256_setzero_si256()
#define NUMBERS(s) _mm256_cvtepi32_ps(s)
#if WAY == INT16
enum { BYTES = 2, LANES = 16 };
#else
enum { BYTES = 1, LANES = 32 };
#endif
static sum add(sum s, const char *w, __m256i x)
{
    __m256i v = _mm256_load_si256((const __m256i *)w);
#if WAY == INT16
    return _mm256_add_epi32(s, _mm256_madd_epi16(v, x));
#elif WAY == INT8
    __m256i signed_products = _mm256_maddubs_epi16(_mm256_abs_epi8(x), _mm256_sign_epi8(v, x)); /* |x| (sign(x) w) */
    return _mm256_add_epi32(s, _mm256_madd_epi16(signed_products, _mm256_set1_epi16(1)));
#elif defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return _mm256_dpbusd_epi32(s, x, v);
#else
    return _mm256_dpbusd_avx_epi32(s, x, v);
#endif
}
#endif

static long long now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

/* count weights times numbers that all depend on x: eight independent sums, as eight blocks of rows have */
static __m256 products(const char *w, long count, __m256i x)
{
    sum s[8] = {ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO};
    long vectors = (count + LANES - 1) / LANES, k = 0;
    for (; k + 8 <= vectors; k += 8, w += 8 * BYTES * LANES)
        for (int j = 0; j < 8; j++)
            s[j] = add(s[j], w + j * BYTES * LANES, x);
    for (; k < vectors; k++, w += BYTES * LANES)
        s[k & 7] = add(s[k & 7], w, x);
    __m256 total = NUMBERS(s[0]);
    for (int j = 1; j < 8; j++)
        total = _mm256_add_ps(total, NUMBERS(s[j]));
    return total;
}

/* The same for four frames at once: a weight is read once for all of them. */
static __m256 four_products(const char *w, long count, __m256i x)
{
    sum s[8] = {ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO};
    long vectors = (count + LANES - 1) / LANES;
    __m256i frames[4];
    for (int f = 0; f < 4; f++)
        frames[f] = _mm256_xor_si256(x, _mm256_set1_epi32(f << 8));
    for (long k = 0; k < vectors; k += 2, w += 2 * BYTES * LANES)
        for (int f = 0; f < 4; f++) {
            s[f] = add(s[f], w, frames[f]);
            s[4 + f] = add(s[4 + f], w + BYTES * LANES, frames[f]);
        }
    __m256 total = NUMBERS(s[0]);
    for (int j = 1; j < 8; j++)
        total = _mm256_add_ps(total, NUMBERS(s[j]));
    return total;
}

static __m256 top(__m256 x, __m256 u)
{
    __m256 p = _mm256_fmadd_ps(u, _mm256_set1_ps(1e-4f), _mm256_set1_ps(3e-3f));
    p = _mm256_fmadd_ps(u, p, _mm256_set1_ps(0.1f));
#if WAY == FP32
    p = _mm256_fmadd_ps(u, p, _mm256_set1_ps(0.2f));
#endif
    return _mm256_mul_ps(_mm256_fmadd_ps(u, p, _mm256_set1_ps(1.0f)), x);
}

static __m256 low(__m256 u)
{
    __m256 p = _mm256_fmadd_ps(u, _mm256_set1_ps(1e-3f), _mm256_set1_ps(2e-2f));
    p = _mm256_fmadd_ps(u, p, _mm256_set1_ps(0.4f));
#if WAY == FP32
    p = _mm256_fmadd_ps(u, p, _mm256_set1_ps(0.3f));
#endif
    return _mm256_fmadd_ps(u, p, _mm256_set1_ps(1.0f));
}

static __m256 cut(__m256 x)
{
    return _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(-8.0f)), _mm256_set1_ps(8.0f));
}

/* Three sigmoids and two tanhs of eight cells, with two divisions: numerators and denominators are joined first. */
static __m256 cell(__m256 pre, __m256 *state)
{
    __m256 p[4], q[4];
    for (int k = 0; k < 4; k++) {
        __m256 x = cut(_mm256_add_ps(pre, _mm256_set1_ps(0.01f * (float)k)));
        __m256 u = _mm256_mul_ps(x, x);
        p[k] = top(x, u);
        q[k] = low(u);
    }
    __m256 below = _mm256_mul_ps(q[0], q[1]);
    __m256 gained = _mm256_mul_ps(_mm256_mul_ps(p[0], p[1]), q[2]);
    __m256 c = _mm256_fmadd_ps(_mm256_mul_ps(p[2], *state), below, gained);
    *state = c = cut(_mm256_div_ps(c, _mm256_mul_ps(below, q[2])));
    __m256 u = _mm256_mul_ps(c, c);
    return _mm256_div_ps(_mm256_mul_ps(p[3], top(c, u)), _mm256_mul_ps(q[3], low(u)));
}

/* The next step's numbers: small ones that the last step decides. */
static __m256i sent(__m256 h)
{
#if WAY == FP32
    return _mm256_castps_si256(_mm256_mul_ps(h, _mm256_set1_ps(1e-3f)));
#else
    return _mm256_and_si256(_mm256_cvtps_epi32(h), _mm256_set1_epi32(0x01010101));
#endif
}

/* One prediction. shape: frames, layers, then inputs, units and directions of each layer, then weights of dense ones. */
static float predict(const int *shape, const char *weights)
{
    static __m256 state[1024];
    int frames = shape[0], layers = shape[1];
    __m256i x = _mm256_set1_epi32(0x01010101);
    const int *layer = shape + 2;
    for (int l = 0; l < layers; l++, layer += 3)
        for (int d = 0; d < layer[2]; d++) {
            long outer = 4L * layer[0] * layer[1], inner = 4L * layer[1] * layer[1];
            const char *own = weights;
            __m256 h = _mm256_setzero_ps(), before = h;
            memset(state, 0, sizeof state);
            weights += (outer + inner + 128) / 128 * 128 * BYTES;
            int t = 0;
            for (; t + 4 <= frames; t += 4) /* all inputs are known: no step waits for another here */
                before = _mm256_add_ps(before, four_products(own, outer, x));
            for (; t < frames; t++)
                before = _mm256_add_ps(before, products(own, outer, x));
            for (t = 0; t < frames; t++) {
                __m256 pre = _mm256_add_ps(before, products(own + (outer + 31) / 32 * 32 * BYTES, inner, x));
                for (int k = 0; k < (layer[1] + 7) / 8; k++)
                    h = _mm256_add_ps(h, cell(pre, &state[k & 1023]));
                x = sent(h);
            }
        }
    __m256 read = products(weights, layer[0], x);
    return _mm256_cvtss_f32(read);
}

/* ns: of each of `calls` predictions. Returns 0, or 1 without memory. */
int limit(const int *shape, long weights, long calls, long long *ns)
{
    static char *bytes;
    volatile float seen = 0.0f;
    size_t size = (size_t)(weights + 65536) / 64 * 64 * BYTES;
    if (!bytes && (bytes = aligned_alloc(64, size)))
        memset(bytes, 0, size);
    if (!bytes)
        return 1;
    for (long k = 0; k < calls; k++) {
        long long start = now();
        seen = seen + predict(shape, bytes);
        ns[k] = now() - start;
    }
    return 0;
}

/* The core's clock in GHz: additions that wait for each other take a cycle each. */
double clock_ghz(void)
{
    long long best = 1LL << 60;
    for (int k = 0; k < 20; k++) {
        unsigned long x = 1;
        long long start = now();
        for (int j = 0; j < 100000; j++)
            __asm__ volatile("add $1, %0\n add $1, %0\n add $1, %0\n add $1, %0\n add $1, %0" : "+r"(x));
        long long took = now() - start;
        best = took < best ? took : best;
    }
    return 500000.0 / (double)best;
}

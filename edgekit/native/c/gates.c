/* ---- Gates ------------------------------------------------------------------------------------------------------ */
/* A ratio is kept as its two parts, because a division costs more than all products of a gate together: a cell of an
   LSTM needs two divisions instead of five. Every denominator is at least 0.5. */

typedef struct {
    ek_f top, low;
} ek_ratio;

/* A polynomial in u, uu = u * u: of order 2 in as few steps as can be, of order 3 or 4 in pairs, because the halves need
   not wait for each other. */
#if defined(EK_NEON) && defined(__aarch64__)
/* Coefficients lie four in a register, and each product names the one it takes; left to themselves, compilers spread
   each over a register of its own, and have none left for anything else. */
#define EK_TIMES(to, u, four, lane) __asm__("fmul %0.4s, %1.4s, %2.s[" #lane "]" : "=w"(to) : "w"(u), "w"(four))
#define EK_FUSED(to, u, four, lane) __asm__("fmla %0.4s, %1.4s, %2.s[" #lane "]" : "+w"(to) : "w"(u), "w"(four))
EK_INLINE ek_f ek_polynomial(const float *p, ek_f u, ek_f uu)
{
    const float32x4_t four = ek_kept(vld1q_f32(p));
#if EK_TANH_ORDER == 2
    ek_f back;
    (void)uu;
    EK_TIMES(back, u, four, 2);
    return ek_madd(vaddq_f32(back, ek_kept(vdupq_n_f32(p[1]))), u, ek_kept(vdupq_n_f32(p[0])));
#else
#if EK_EXACT
    ek_f front, back;
    EK_TIMES(front, u, four, 1);
    EK_TIMES(back, u, four, 3);
    front = vaddq_f32(front, ek_kept(vdupq_n_f32(p[0])));
    back = vaddq_f32(back, ek_kept(vdupq_n_f32(p[2])));
#else
    ek_f front = ek_kept(vdupq_n_f32(p[0])), back = ek_kept(vdupq_n_f32(p[2]));
    EK_FUSED(front, u, four, 1);
    EK_FUSED(back, u, four, 3);
#endif
#if EK_TANH_ORDER == 4
    back = ek_madd(ek_kept(vdupq_n_f32(p[4])), uu, back);
#endif
    return ek_madd(back, uu, front);
#endif
}
#else
EK_INLINE ek_f ek_polynomial(const float *p, ek_f u, ek_f uu)
{
#if EK_TANH_ORDER == 2
    (void)uu;
    return ek_madd(ek_madd(ek_set(p[2]), u, ek_set(p[1])), u, ek_set(p[0]));
#else
    ek_f front = ek_madd(ek_set(p[1]), u, ek_set(p[0])), back = ek_madd(ek_set(p[3]), u, ek_set(p[2]));
#if EK_TANH_ORDER == 4
    back = ek_madd(ek_set(p[4]), uu, back);
#endif
    return ek_madd(back, uu, front);
#endif
}
#endif

/* tanh(x) as x P(x^2) / Q(x^2) for |x| <= EK_TANH_LIMIT, and as tanh of the limit beyond. Off by at most
   EK_TANH_ERROR for every x. */
EK_INLINE ek_ratio ek_tanh(ek_f x)
{
    static const float p[] = EK_TANH_TOP, q[] = EK_TANH_LOW;
    ek_ratio r;
    ek_f u, uu;
    x = ek_clamp(x, EK_TANH_LIMIT);
    u = ek_mul(x, x);
    uu = ek_mul(u, u);
    r.top = ek_mul(ek_polynomial(p, u, uu), x);
    r.low = ek_polynomial(q, u, uu);
    return r;
}

/* 2 / (1 + exp(-x)) = 1 + tanh(x / 2), with P and Q of x / 2: twice the sigmoid, off by no more than tanh. */
EK_INLINE ek_ratio ek_twice_sigmoid(ek_f x)
{
    static const float p[] = EK_SIGMOID_TOP, q[] = EK_SIGMOID_LOW;
    ek_ratio r;
    ek_f u, uu;
    x = ek_clamp(x, 2.0f * EK_TANH_LIMIT);
    u = ek_mul(x, x);
    uu = ek_mul(u, u);
    r.low = ek_polynomial(q, u, uu);
    r.top = ek_madd(ek_polynomial(p, u, uu), x, r.low);
    return r;
}

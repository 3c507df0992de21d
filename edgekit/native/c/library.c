/* ---- The shared library: one function a kind of CPU, chosen when it is loaded ------------------------------------- */

#if defined(EK_LIBRARY)
#define EK_ARGUMENTS @name@_context *, const float *, size_t, size_t, float *, size_t
#define EK_STEP_ARGUMENTS @name@_stream *, const float *, size_t, float *, size_t
#define EK_EXPORT __attribute__((visibility("default")))

#if !defined(EK_ONLY_BASELINE) && (defined(__x86_64__) || (defined(__aarch64__) && defined(__linux__)))
#define EK_CHOICE
#endif

#if defined(EK_CHOICE)
#define EK_ROW(variant) __attribute__((visibility("hidden"))) int @name@_predict_##variant(EK_ARGUMENTS);
@variants@
#undef EK_ROW
#if @NAME@_STREAMS
#define EK_ROW(variant) __attribute__((visibility("hidden"))) int @name@_step_##variant(EK_STEP_ARGUMENTS);
@variants@
#undef EK_ROW
#endif
#define EK_ROW(variant) {#variant, @name@_predict_##variant, EK_STEPS(variant) ek_runs_##variant},
#endif

#if defined(EK_CHOICE) && defined(__x86_64__)
#include <cpuid.h>
static int ek_runs_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
EK_UNUSED static int ek_runs_avxvnni(void)
{
    unsigned a, b, c, d;
    return ek_runs_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}
EK_UNUSED static int ek_runs_avx512(void)
{
    return ek_runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
EK_UNUSED static int ek_runs_avx512vnni(void) { return ek_runs_avx512() && __builtin_cpu_supports("avx512vnni"); }
#elif defined(EK_CHOICE)
#include <sys/auxv.h>
/* The kernel's bit for sdot and udot. */
EK_UNUSED static int ek_runs_dotprod(void) { return getauxval(AT_HWCAP) >> 20 & 1; }
#endif
#if @NAME@_STREAMS
#define EK_STEPS(variant) @name@_step_##variant,
#else
#define EK_STEPS(variant)
#endif

static int ek_runs_baseline(void) { return 1; }

static const struct {
    const char *name;
    int (*predict)(EK_ARGUMENTS);
#if @NAME@_STREAMS
    int (*step)(EK_STEP_ARGUMENTS);
#endif
    int (*runs)(void);
} ek_variants[] = {
#if defined(EK_CHOICE)
@variants@
#endif
    {"baseline", @name@_predict_baseline, EK_STEPS(baseline) ek_runs_baseline},
};
#define EK_VARIANTS (int)(sizeof ek_variants / sizeof *ek_variants)

/* What this CPU has: asked once, because in a virtual machine each cpuid may take longer than a prediction. */
static signed char ek_available[sizeof ek_variants / sizeof *ek_variants];
static int ek_fastest;

__attribute__((constructor)) static void ek_choose(void)
{
    int variant;
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
    for (variant = EK_VARIANTS - 1; variant >= 0; variant--) {
        ek_available[variant] = (signed char)ek_variants[variant].runs();
        if (ek_available[variant])
            ek_fastest = variant;
    }
}

EK_EXPORT int ek_abi(void);
EK_EXPORT const char *ek_sha256(void);
EK_EXPORT void ek_sizes(size_t sizes[4]);
EK_EXPORT size_t ek_stream_size(void);
EK_EXPORT int ek_variant_count(void);
EK_EXPORT const char *ek_variant_name(int variant);
EK_EXPORT int ek_variant_runs(int variant);
EK_EXPORT int ek_predict_with(int variant, EK_ARGUMENTS);
EK_EXPORT const char *ek_class(size_t index);
EK_EXPORT const char *ek_status(int status);
EK_EXPORT const char *ek_no_sign(void);

int ek_abi(void) { return @NAME@_ABI; }
const char *ek_sha256(void) { return "@sha256@"; }
int ek_variant_count(void) { return EK_VARIANTS; }
const char *ek_variant_name(int variant)
{
    return variant >= 0 && variant < EK_VARIANTS ? ek_variants[variant].name : NULL;
}
int ek_variant_runs(int variant) { return variant >= 0 && variant < EK_VARIANTS && ek_available[variant]; }
const char *ek_class(size_t index) { return @name@_class_name(index); }
const char *ek_status(int status) { return @name@_status_text(status); }
const char *ek_no_sign(void) { return @no_sign@; }

void ek_sizes(size_t sizes[4])
{
    sizes[0] = @NAME@_FRAMES;
    sizes[1] = @NAME@_FEATURES;
    sizes[2] = @NAME@_CLASSES;
    sizes[3] = sizeof(@name@_context);
}

size_t ek_stream_size(void)
{
#if @NAME@_STREAMS
    return sizeof(@name@_stream);
#else
    return 0;
#endif
}

int ek_predict_with(int variant, @name@_context *context, const float *landmarks, size_t frames, size_t features,
                    float *logits, size_t classes)
{
    if (!ek_variant_runs(variant))
        return @NAME@_ERROR_VARIANT;
    return ek_variants[variant].predict(context, landmarks, frames, features, logits, classes);
}

EK_EXPORT int @name@_predict(@name@_context *context, const float *landmarks, size_t frames, size_t features,
                             float *logits, size_t classes)
{
    return ek_variants[ek_fastest].predict(context, landmarks, frames, features, logits, classes);
}

#if @NAME@_STREAMS
EK_EXPORT int ek_reset(@name@_stream *stream);
EK_EXPORT int ek_step_with(int variant, EK_STEP_ARGUMENTS);

int ek_reset(@name@_stream *stream) { return @name@_reset(stream); }

int ek_step_with(int variant, @name@_stream *stream, const float *frame, size_t features, float *logits, size_t classes)
{
    if (!ek_variant_runs(variant))
        return @NAME@_ERROR_VARIANT;
    return ek_variants[variant].step(stream, frame, features, logits, classes);
}

EK_EXPORT int @name@_step(@name@_stream *stream, const float *frame, size_t features, float *logits, size_t classes)
{
    return ek_variants[ek_fastest].step(stream, frame, features, logits, classes);
}
#endif
#endif

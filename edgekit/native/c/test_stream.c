#define STEPS @steps@
/* What a stream of these takes, one behind the other, answers after each frame. */
static const float after[STEPS * @NAME@_CLASSES] = {
@streamed@
};

static @name@_stream stream;

static int step(const float *frame) { return @name@_step(&stream, frame, @NAME@_FEATURES, logits, @NAME@_CLASSES); }

/* A stream goes on from take to take; one that was reset answers after a take's last frame as a prediction does. */
static int streamed(void)
{
    double worst = 0.0, whole = 0.0;
    int take, t, wrong = 0;
    wrong += step(landmarks) != @NAME@_ERROR_RESET || @name@_reset(NULL) != @NAME@_ERROR_NULL;
    @name@_reset(&stream);
    for (t = 0; t < STEPS; t++) {
        for (take = 0; take < @NAME@_FEATURES; take++)
            spoiled[take] = landmarks[t * @NAME@_FEATURES + take];
        spoiled[@NAME@_FEATURES - 1] = (float)NAN;
        wrong += step(spoiled) != @NAME@_ERROR_NOT_FINITE;
        spoiled[@NAME@_FEATURES - 1] = 1e30f;
        wrong += step(spoiled) != @NAME@_ERROR_RANGE || step(NULL) != @NAME@_ERROR_NULL;
        wrong += @name@_step(&stream, spoiled, @NAME@_FEATURES, logits, 0) != @NAME@_ERROR_SHAPE;
        if (t % 3 == 1) /* an answer that nobody needs */
            wrong += @name@_step(&stream, landmarks + t * @NAME@_FEATURES, @NAME@_FEATURES, NULL, 0) != @NAME@_OK;
        else if (step(landmarks + t * @NAME@_FEATURES) != @NAME@_OK)
            wrong++;
        else
            worst = off(after + t * @NAME@_CLASSES, worst);
    }
    for (take = 0; take < TAKES; take++) {
        @name@_reset(&stream);
        for (t = 0; t < @NAME@_FRAMES; t++)
            wrong += step(landmarks + (take * @NAME@_FRAMES + t) * @NAME@_FEATURES) != @NAME@_OK;
        whole = off(expected + take * @NAME@_CLASSES, whole);
    }
    printf("%d steps, largest difference of a logit %.3g; after whole takes %.3g\n", STEPS, worst, whole);
    if (wrong)
        printf("%d steps gave another status than they should\n", wrong);
    return wrong || !(worst <= ALLOWED) || !(whole <= ALLOWED);
}

static void timed_steps(long runs)
{
    long run;
    clock_t begun = clock();
    for (run = 0; run < runs; run++)
        step(landmarks + run % (TAKES * @NAME@_FRAMES) * @NAME@_FEATURES);
    printf("%.3f us a step\n", 1e6 * (double)(clock() - begun) / CLOCKS_PER_SEC / (double)runs);
}
/* Golden vectors of @name@.c, written by `edgekit compile`: `cc -std=c99 -O2 test.c @name@.c -lm && ./a.out`.
   @about@
   With a number as argument it also times that many predictions, and steps of a stream. */
#include "@name@.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TAKES @takes@
#define NUMBERS (@NAME@_FRAMES * @NAME@_FEATURES)
/* Largest difference of a logit. */
#define ALLOWED @allowed@

static const float landmarks[TAKES * NUMBERS] = {
@landmarks@
};
static const float expected[TAKES * @NAME@_CLASSES] = {
@expected@
};
/* Class of what is signed in each, then in a take without a hand; -1 nobody signs, -2 too close to tell. */
static const int signed_in[TAKES + 1] = {@called@};

static @name@_context context;
static float logits[@NAME@_CLASSES], spoiled[NUMBERS];

static int predict(const float *x) { return @name@_predict(&context, x, @NAME@_FRAMES, @NAME@_FEATURES, logits, @NAME@_CLASSES); }

/* How far the logits are from those expected, or more. */
static double off(const float *wanted, double more)
{
    int i;
    for (i = 0; i < @NAME@_CLASSES; i++) {
        double difference = fabs((double)logits[i] - (double)wanted[i]);
        more = difference <= more || more != more ? more : difference; /* NaN stays */
    }
    return more;
}

/* 1 where the answer to x is called otherwise than it should. */
static int miscalled(const float *x, int wanted)
{
    const char *label = @name@_label(logits, @name@_hand_seen(x, @NAME@_FRAMES));
    return wanted > -2 && label != (wanted < 0 ? NULL : @name@_class_name((size_t)wanted));
}

static int golden(void)
{
    double worst = 0.0;
    int i, take, wrong = 0;
    for (take = 0; take < TAKES; take++) {
        int status = predict(landmarks + take * NUMBERS);
        if (status != @NAME@_OK) {
            printf("take %d: %s\n", take, @name@_status_text(status));
            return 1;
        }
        worst = off(expected + take * @NAME@_CLASSES, worst);
        wrong += miscalled(landmarks + take * NUMBERS, signed_in[take]);
    }
    for (i = 0; i < NUMBERS; i++)
        spoiled[i] = 0.0f;
    wrong += predict(spoiled) != @NAME@_OK || miscalled(spoiled, signed_in[TAKES]);
    printf("%d takes, largest difference of a logit %.3g, allowed %.3g\n", TAKES, worst, ALLOWED);
    if (wrong)
        printf("%d takes are called otherwise than they should\n", wrong);
    return wrong || !(worst <= ALLOWED);
}

static int refused(void)
{
    const float strange[] = {(float)NAN, (float)INFINITY, -(float)INFINITY, 1e30f};
    int i, k, wrong = 0;
    for (i = 0; i < NUMBERS; i++)
        spoiled[i] = landmarks[i];
    for (k = 0; k < 4; k++) {
        spoiled[NUMBERS - 1] = strange[k];
        wrong += predict(spoiled) != (k < 3 ? @NAME@_ERROR_NOT_FINITE : @NAME@_ERROR_RANGE);
    }
    wrong += predict(NULL) != @NAME@_ERROR_NULL;
    wrong += @name@_predict(NULL, landmarks, @NAME@_FRAMES, @NAME@_FEATURES, logits, @NAME@_CLASSES) != @NAME@_ERROR_NULL;
    wrong += @name@_predict(&context, landmarks, 0, @NAME@_FEATURES, logits, @NAME@_CLASSES) != @NAME@_ERROR_SHAPE;
    wrong += @name@_predict(&context, landmarks, @NAME@_FRAMES, 1, logits, @NAME@_CLASSES) != (@NAME@_FEATURES == 1 ? @NAME@_OK : @NAME@_ERROR_SHAPE);
    wrong += @name@_predict(&context, landmarks, @NAME@_FRAMES, @NAME@_FEATURES, logits, 0) != @NAME@_ERROR_SHAPE;
    wrong += @name@_class_name(@NAME@_CLASSES) != NULL;
    if (wrong)
        printf("%d kinds of bad input were not refused\n", wrong);
    return wrong != 0;
}

@streaming@

static void timed(long runs)
{
    long run;
    clock_t begun = clock();
    for (run = 0; run < runs; run++)
        predict(landmarks + run % TAKES * NUMBERS);
    printf("%.3f us a prediction\n", 1e6 * (double)(clock() - begun) / CLOCKS_PER_SEC / (double)runs);
}

int main(int count, char **arguments)
{
    int failed = golden() || refused() || streamed();
    if (count > 1 && atol(arguments[1]) > 0)
        timed(atol(arguments[1])), timed_steps(atol(arguments[1]));
    return failed;
}

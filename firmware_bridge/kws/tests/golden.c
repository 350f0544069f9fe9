/* Host program: checks the golden vectors with the front end in fixed point and in float. */
#include <stdio.h>

#include "golden_check.h"

static int report(const char *name, const ekws_model *model)
{
    static uint64_t memory[EKWS_MODEL_MEMORY / 8];
    const ekws_golden_result r = ekws_golden_check(model, memory);
    const int passed = ekws_golden_passed(&r);
    printf("%s: %s: features off %u by at most %u, scores off %u, detections %u of %u, %u samples apart\n",
           passed ? "pass" : "FAIL", name, (unsigned)r.features_off, (unsigned)r.feature_steps,
           (unsigned)r.scores_off, (unsigned)(r.whole.count - r.whole.wrong),
           (unsigned)ekws_golden.detection_count, (unsigned)r.whole.samples_apart);
    return passed;
}

int main(void)
{
    const int fixed = report("fixed point", &ekws_model_fixed);
    const int real = report("float", &ekws_model_float);
    return fixed && real ? 0 : 1;
}

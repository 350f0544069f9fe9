/* Runs the golden vectors through front end, net, trigger and the whole, and says how far off each one is. */
#ifndef EKWS_GOLDEN_CHECK_H
#define EKWS_GOLDEN_CHECK_H

#include "golden_vectors.h"

enum {
    EKWS_GOLDEN_FEATURE_STEPS = 1, /* a value between two steps may be rounded to the other side */
    EKWS_GOLDEN_SCORE_STEPS = 16,  /* of 1/256, of a detection: what such values do to a posterior */
    EKWS_GOLDEN_SLACK = EKWS_MODEL_ROW_SAMPLES /* and a mean may so reach its threshold one row sooner or later */
};

/* What was heard, held against the golden detections. */
typedef struct {
    uint32_t count;
    uint32_t wrong;         /* of another label or place, or missing, or too many */
    uint32_t samples_apart; /* the largest difference of a place */
    uint32_t score_steps;   /* the largest difference of a score, in 1/256 */
} ekws_golden_heard;

typedef struct {
    uint32_t feature_steps;   /* the largest difference of a feature */
    uint32_t features_off;    /* how many features differ */
    uint32_t scores_off;      /* how many scores of the golden features differ: none may */
    ekws_golden_heard judged; /* in the golden scores: exact */
    ekws_golden_heard whole;  /* in the golden audio */
} ekws_golden_result;

/* Check a model in `memory`, EKWS_MODEL_MEMORY bytes aligned to 8. */
ekws_golden_result ekws_golden_check(const ekws_model *model, void *memory);

/* Tell whether all differences are within the limits above. */
int ekws_golden_passed(const ekws_golden_result *result);

#endif

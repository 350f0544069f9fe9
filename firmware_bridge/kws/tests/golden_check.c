/* Checks of the golden vectors that need no operating system: for the host, an emulator and a board. */
#include "golden_check.h"

#include <string.h>

static uint32_t distance(int32_t a, int32_t b)
{
    return (uint32_t)(a > b ? a - b : b - a);
}

static void check_features(const ekws_model *model, ekws_kws *kws, ekws_golden_result *result)
{
    const ekws_mfcc *mfcc = model->mfcc;
    int8_t row[EKWS_MODEL_COEFFICIENTS];
    for (uint32_t i = 0; i < ekws_golden.frames; i++) {
        mfcc->features_of(mfcc, ekws_golden.pcm + i * mfcc->hop, kws->work, row);
        for (uint32_t c = 0; c < EKWS_MODEL_COEFFICIENTS; c++) {
            const uint32_t off = distance(row[c], ekws_golden.features[i * EKWS_MODEL_COEFFICIENTS + c]);
            result->features_off += off > 0;
            result->feature_steps = off > result->feature_steps ? off : result->feature_steps;
        }
    }
}

/* Hold a detection against the next golden one, `slack` samples around its place. */
static void compare(ekws_golden_heard *heard, const ekws_detection *found, uint32_t slack)
{
    const uint32_t at = heard->count++;
    if (at >= ekws_golden.detection_count) {
        heard->wrong++;
        return;
    }
    const ekws_detection *wanted = &ekws_golden.detections[at];
    const uint32_t apart = distance((int32_t)found->sample, (int32_t)wanted->sample);
    const uint32_t off = distance(found->score, wanted->score) / 256U;
    heard->wrong += found->label != wanted->label || apart > slack;
    heard->samples_apart = apart > heard->samples_apart ? apart : heard->samples_apart;
    heard->score_steps = off > heard->score_steps ? off : heard->score_steps;
}

static void count_missing(ekws_golden_heard *heard)
{
    if (heard->count < ekws_golden.detection_count) {
        heard->wrong += ekws_golden.detection_count - heard->count;
    }
}

/* Judge golden scores, which end at known samples: what is heard has to be exact. */
static void check_trigger(const ekws_model *model, ekws_kws *kws, ekws_golden_heard *heard)
{
    const uint32_t first = (uint32_t)model->mfcc->window + (EKWS_MODEL_STEP_FRAMES - 1U) * model->mfcc->hop -
                           (EKWS_MODEL_SCORES_PER_STEP - 1U) * model->row_samples;
    for (uint32_t row = model->unfilled_rows; row < ekws_golden.rows; row++) {
        const int8_t *scores = ekws_golden.scores + row * EKWS_MODEL_LABELS;
        ekws_detection found = {0};
        if (ekws_trigger_push(&kws->trigger, model->trigger, scores, first + row * model->row_samples, &found)) {
            compare(heard, &found, 0);
        }
    }
    count_missing(heard);
    ekws_kws_reset(kws, 0);
}

static void check_scores(const ekws_model *model, ekws_kws *kws, ekws_golden_result *result)
{
    const uint32_t given = EKWS_MODEL_STEP_FRAMES * EKWS_MODEL_COEFFICIENTS;
    const uint32_t made = EKWS_MODEL_SCORES_PER_STEP * EKWS_MODEL_LABELS;
    for (uint32_t step = 0; step < ekws_golden.frames / EKWS_MODEL_STEP_FRAMES; step++) {
        memcpy(ekws_net_features(model->net, kws->net_memory), ekws_golden.features + step * given, given);
        const int8_t *scores = ekws_net_step(model->net, kws->net_memory);
        for (uint32_t i = 0; i < made; i++) {
            result->scores_off += scores[i] != ekws_golden.scores[step * made + i];
        }
    }
    ekws_kws_reset(kws, 0);
}

static void hear(void *context, const ekws_detection *found)
{
    compare(context, found, EKWS_GOLDEN_SLACK);
}

static void check_whole(ekws_kws *kws, ekws_golden_heard *heard)
{
    const uint32_t portion = 320; /* as a microphone gives them */
    for (uint32_t at = 0; at < ekws_golden.samples; at += portion) {
        const uint32_t left = ekws_golden.samples - at;
        ekws_kws_push(kws, ekws_golden.pcm + at, left < portion ? left : portion, hear, heard);
    }
    count_missing(heard);
}

ekws_golden_result ekws_golden_check(const ekws_model *model, void *memory)
{
    ekws_golden_result result = {0};
    ekws_kws kws;
    if (ekws_kws_init(&kws, model, memory, EKWS_MODEL_MEMORY) != EKWS_KWS_OK) {
        result.whole.wrong = 1;
        return result;
    }
    check_features(model, &kws, &result);
    check_scores(model, &kws, &result);
    check_trigger(model, &kws, &result.judged);
    check_whole(&kws, &result.whole);
    return result;
}

int ekws_golden_passed(const ekws_golden_result *result)
{
    return result->feature_steps <= EKWS_GOLDEN_FEATURE_STEPS && result->scores_off == 0 &&
           result->judged.wrong == 0 && result->judged.score_steps == 0 && result->whole.wrong == 0 &&
           result->whole.score_steps <= EKWS_GOLDEN_SCORE_STEPS;
}

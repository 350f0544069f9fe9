/* SPDX-License-Identifier: Apache-2.0 */
/* Joins front end, net and trigger. */
#include "ekws_kws.h"

#include <stddef.h>

enum { ALIGNMENT = 8 };

uint32_t ekws_kws_memory(const ekws_model *model)
{
    const ekws_mfcc *mfcc = model->mfcc;
    const ekws_trigger_table *trigger = model->trigger;
    const size_t commands = trigger->command_count, depth = trigger->depth;
    return (uint32_t)EKWS_KWS_MEMORY(mfcc->fft, mfcc->mels, mfcc->window, model->net->memory, commands, depth);
}

/* Cut a part off the front of the memory; what needs the widest alignment is cut first. */
static void *cut(unsigned char **from, size_t bytes)
{
    void *part = *from;
    *from += EKWS_KWS_ALIGNED(bytes);
    return part;
}

ekws_status ekws_kws_init(ekws_kws *kws, const ekws_model *model, void *memory, uint32_t bytes)
{
    const ekws_mfcc *mfcc = model->mfcc;
    const size_t commands = model->trigger->command_count;
    unsigned char *rest = memory;
    if (bytes < ekws_kws_memory(model)) {
        return EKWS_KWS_ERROR_MEMORY;
    }
    if ((uintptr_t)memory % ALIGNMENT != 0) {
        return EKWS_KWS_ERROR_ALIGNMENT;
    }
    kws->model = model;
    kws->work.bins = cut(&rest, (mfcc->fft / 2U + 1U) * sizeof(ekws_bin));
    kws->trigger.states = cut(&rest, commands * sizeof(ekws_trigger_state));
    kws->work.levels = cut(&rest, mfcc->mels * sizeof(ekws_level));
    kws->frames.held = cut(&rest, mfcc->window * sizeof(int16_t));
    kws->net_memory = cut(&rest, model->net->memory);
    kws->trigger.rows = cut(&rest, model->trigger->depth * commands);
    kws->trigger.next_id = 0;
    ekws_kws_reset(kws, 0);
    return EKWS_KWS_OK;
}

void ekws_kws_reset(ekws_kws *kws, uint64_t sample)
{
    const ekws_model *model = kws->model;
    kws->sample = sample + model->mfcc->window - model->mfcc->hop;
    kws->frames.count = 0;
    kws->row = 0;
    kws->unfilled = model->unfilled_rows;
    ekws_net_reset(model->net, kws->net_memory);
    ekws_trigger_reset(&kws->trigger, model->trigger);
}

/* Show the rows of scores of one step to the trigger, the newest last. */
static void judge(ekws_kws *kws, const int8_t *scores, ekws_heard heard, void *context)
{
    const ekws_tensor *shape = &kws->model->net->scores;
    for (uint32_t row = 0; row < shape->rows; row++, scores += shape->stride) {
        if (kws->unfilled > 0) {
            kws->unfilled--;
            continue;
        }
        ekws_detection found = {0};
        const uint64_t sample = kws->sample - (uint64_t)(shape->rows - 1U - row) * kws->model->row_samples;
        if (ekws_trigger_push(&kws->trigger, kws->model->trigger, scores, sample, &found)) {
            heard(context, &found);
        }
    }
}

/* Compute a frame into its row of the net's input, and run the net where that was the last row. */
static void step(ekws_kws *kws, ekws_heard heard, void *context)
{
    const ekws_model *model = kws->model;
    const ekws_tensor *shape = &model->net->features;
    int8_t *row = ekws_net_features(model->net, kws->net_memory) + (uint32_t)kws->row * shape->stride;
    model->mfcc->features_of(model->mfcc, kws->frames.held, kws->work, row);
    kws->sample += model->mfcc->hop;
    if (++kws->row == shape->rows) {
        kws->row = 0;
        judge(kws, ekws_net_step(model->net, kws->net_memory), heard, context);
    }
}

void ekws_kws_push(ekws_kws *kws, const int16_t *pcm, uint32_t count, ekws_heard heard, void *context)
{
    const ekws_mfcc *mfcc = kws->model->mfcc;
    while (count > 0) {
        const uint32_t taken = ekws_frames_take(&kws->frames, mfcc, pcm, count);
        pcm += taken;
        count -= taken;
        if (ekws_frames_full(&kws->frames, mfcc)) {
            step(kws, heard, context);
            ekws_frames_slide(&kws->frames, mfcc);
        }
    }
}

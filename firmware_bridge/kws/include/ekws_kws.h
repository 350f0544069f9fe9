/* SPDX-License-Identifier: Apache-2.0 */
/* The keyword spotter: samples in, detections out; no allocation, no clock, no I/O.
 *
 *     static uint64_t memory[EKWS_MODEL_MEMORY / 8];
 *     ekws_kws kws;
 *     ekws_kws_init(&kws, &ekws_model_fixed, memory, sizeof memory);
 *     ekws_kws_push(&kws, samples, count, heard, context);    as samples come, in any portions
 */
#ifndef EKWS_KWS_H
#define EKWS_KWS_H

#include "ekws_mfcc.h"
#include "ekws_net.h"
#include "ekws_status.h"
#include "ekws_trigger.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All of a model that is constant, as the exporter writes it. */
typedef struct {
    const ekws_mfcc *mfcc;
    const ekws_net *net;
    const ekws_trigger_table *trigger;
    const char *const *labels;
    uint16_t unfilled_rows; /* rows of scores before the first one whose window is full */
    uint16_t row_samples;   /* samples between two rows of scores */
} ekws_model;

typedef struct {
    const ekws_model *model;
    ekws_mfcc_work work;
    ekws_frames frames;
    ekws_trigger trigger;
    int8_t *net_memory;
    uint64_t sample;   /* index just after the last sample of the newest frame */
    uint16_t row;      /* the next row of the net's step */
    uint16_t unfilled; /* rows to come whose window is not full */
} ekws_kws;

/* Told of each command that is heard. */
typedef void (*ekws_heard)(void *context, const ekws_detection *detection);

/* Bytes that so many things need, each part aligned for the next one. */
#define EKWS_KWS_ALIGNED(bytes) (((bytes) + 7U) / 8U * 8U)
#define EKWS_KWS_MEMORY(fft, mels, window, net, commands, depth)                                       \
    (EKWS_KWS_ALIGNED(((fft) / 2U + 1U) * sizeof(ekws_bin)) +                                          \
     EKWS_KWS_ALIGNED((commands) * sizeof(ekws_trigger_state)) +                                       \
     EKWS_KWS_ALIGNED((mels) * sizeof(ekws_level)) + EKWS_KWS_ALIGNED((window) * sizeof(int16_t)) +    \
     EKWS_KWS_ALIGNED(net) + EKWS_KWS_ALIGNED((depth) * (commands)))

/* Return how many bytes a model needs. */
uint32_t ekws_kws_memory(const ekws_model *model);

/* Start at sample 0, with `bytes` of memory aligned to 8, which belong to `kws` from then on. */
ekws_status ekws_kws_init(ekws_kws *kws, const ekws_model *model, void *memory, uint32_t bytes);

/* Forget the stream: the next sample has this index. After a gap in the audio this is what to call. */
void ekws_kws_reset(ekws_kws *kws, uint64_t sample);

/* Take samples and tell `heard` of the commands that they complete. */
void ekws_kws_push(ekws_kws *kws, const int16_t *pcm, uint32_t count, ekws_heard heard, void *context);

#ifdef __cplusplus
}
#endif

#endif

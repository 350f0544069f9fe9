/* SPDX-License-Identifier: Apache-2.0 */
/* The int8 engine: one step of a streaming net, in the integer arithmetic of TFLite's reference kernels.
 *
 * The exporter writes an ekws_net, which is constant and may lie in flash. All that changes lies in memory of
 * the caller, `memory` bytes, aligned to 4: nothing is allocated and nothing is global. A tensor is rows (frames) of
 * channels; a convolution that looks back reads its past and its present as one run of rows, so a step ends by
 * moving the newest rows to the front.
 */
#ifndef EKWS_NET_H
#define EKWS_NET_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Factor and power of two that scale an accumulator: x * multiplier * 2^(shift - 31). */
typedef struct {
    int32_t multiplier;
    int8_t shift;
} ekws_scaling;

/* A run of rows in the caller's memory; `stride` is bytes from one row to the next. */
typedef struct {
    uint32_t offset;
    uint16_t rows;
    uint16_t channels;
    uint16_t stride;
} ekws_tensor;

/* Convolution of all channels: weights are (channels out, kernel, channels in); or of each channel by itself:
 * (kernel, channels). The zero point of the input is inside the biases. `stride` is in rows, and so is `apart`, from
 * one input of a kernel to the next. */
typedef struct {
    const int8_t *weights;
    const int32_t *biases;
    const ekws_scaling *scalings;
    uint16_t kernel;
    uint16_t stride;
    uint16_t apart;
} ekws_filter;

/* Sum of two tensors, each brought to a common scale first. */
typedef struct {
    int32_t zero_points[2];
    ekws_scaling inputs[2];
    ekws_scaling output;
} ekws_sum;

typedef struct {
    ekws_scaling beta;
    int32_t least_difference; /* from the largest input; below it a posterior is 0 */
} ekws_softmax;

typedef enum {
    EKWS_CONVOLUTION,
    EKWS_DEPTHWISE,
    EKWS_SUM,
    EKWS_MEAN,
    EKWS_MAXIMUM,
    EKWS_SOFTMAX
} ekws_kind;

/* One operator; of `filter`, `sum` and `softmax` the one that its kind needs is there. */
typedef struct {
    ekws_kind kind;
    ekws_tensor from;
    ekws_tensor also; /* the second term of a sum */
    ekws_tensor to;
    int32_t zero_point; /* of the output */
    int8_t low;         /* the output is clamped to [low, high] */
    int8_t high;
    uint16_t window; /* rows that a mean or maximum covers */
    const ekws_filter *filter;
    const ekws_sum *sum;
    const ekws_softmax *softmax;
} ekws_operator;

/* Rows that the next step needs again: `kept` bytes at `offset + moved` go to `offset`. */
typedef struct {
    uint32_t offset;
    uint32_t kept;
    uint32_t moved;
    int8_t start; /* what every byte is at the start of a stream: a zero point */
} ekws_past;

typedef struct {
    const ekws_operator *operators;
    const ekws_past *pasts;
    uint16_t operator_count;
    uint16_t past_count;
    ekws_tensor features;
    ekws_tensor scores;
    uint32_t memory;
} ekws_net;

/* Put the states in `memory` to the start of a stream. */
void ekws_net_reset(const ekws_net *net, int8_t *memory);

/* Return where the step's features go, row after row. */
int8_t *ekws_net_features(const ekws_net *net, int8_t *memory);

/* Run one step on the features that were written, and return its rows of scores. */
const int8_t *ekws_net_step(const ekws_net *net, int8_t *memory);

#ifdef __cplusplus
}
#endif

#endif

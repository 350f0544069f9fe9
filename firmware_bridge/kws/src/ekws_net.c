/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the operators of a net one after the other. */
#include "ekws_net.h"

#include <string.h>

#include "ekws_fixed_point.h"
#include "ekws_softmax.h"

static int8_t *row_of(const ekws_tensor *tensor, int8_t *memory, uint32_t row)
{
    return memory + tensor->offset + row * tensor->stride;
}

static int8_t fitted(const ekws_operator *of, int32_t x)
{
    return (int8_t)ekws_clamp(x + of->zero_point, of->low, of->high);
}

static int32_t dot_product(const int8_t *a, const int8_t *b, uint32_t count)
{
    int32_t sum = 0;
    for (; count >= 4; count -= 4, a += 4, b += 4) {
        sum += a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
    }
    for (; count > 0; count--) {
        sum += *a++ * *b++;
    }
    return sum;
}

/*
 * Inputs of a convolution have no gaps between rows, so a kernel's worth of rows is one run of bytes; unless they are
 * apart, where each row is one.
 */
static void convolve(const ekws_operator *of, int8_t *memory)
{
    const ekws_filter *filter = of->filter;
    const uint32_t size = (uint32_t)filter->kernel * of->from.channels;
    const uint32_t joined = filter->apart > 1 ? of->from.channels : size;
    const uint32_t gap = (uint32_t)filter->apart * of->from.channels;
    for (uint32_t row = 0; row < of->to.rows; row++) {
        const int8_t *past = row_of(&of->from, memory, row * filter->stride);
        const int8_t *weights = filter->weights;
        int8_t *out = row_of(&of->to, memory, row);
        for (uint32_t c = 0; c < of->to.channels; c++, weights += size) {
            int32_t sum = filter->biases[c];
            for (uint32_t at = 0, from = 0; at < size; at += joined, from += gap) {
                sum += dot_product(past + from, weights + at, joined);
            }
            out[c] = fitted(of, ekws_scaled(sum, filter->scalings[c]));
        }
    }
}

static void convolve_each_channel(const ekws_operator *of, int8_t *memory)
{
    const ekws_filter *filter = of->filter;
    const uint32_t channels = of->to.channels, apart = (uint32_t)filter->apart * of->from.stride;
    for (uint32_t row = 0; row < of->to.rows; row++) {
        const int8_t *past = row_of(&of->from, memory, row * filter->stride);
        int8_t *out = row_of(&of->to, memory, row);
        for (uint32_t c = 0; c < channels; c++) {
            int32_t sum = filter->biases[c];
            for (uint32_t k = 0; k < filter->kernel; k++) {
                sum += past[k * apart + c] * filter->weights[k * channels + c];
            }
            out[c] = fitted(of, ekws_scaled(sum, filter->scalings[c]));
        }
    }
}

static void add(const ekws_operator *of, int8_t *memory)
{
    const ekws_sum *sum = of->sum;
    const int32_t headroom = 1 << 20; /* bits that the sum of two rescaled numbers does not lose */
    for (uint32_t row = 0; row < of->to.rows; row++) {
        const int8_t *first = row_of(&of->from, memory, row), *second = row_of(&of->also, memory, row);
        int8_t *out = row_of(&of->to, memory, row);
        for (uint32_t c = 0; c < of->to.channels; c++) {
            const int32_t a = (first[c] - sum->zero_points[0]) * headroom;
            const int32_t b = (second[c] - sum->zero_points[1]) * headroom;
            const int32_t both = ekws_scaled(a, sum->inputs[0]) + ekws_scaled(b, sum->inputs[1]);
            out[c] = fitted(of, ekws_scaled(both, sum->output));
        }
    }
}

/* The mean of a window of rows, rounded, halves away from 0. */
static void average(const ekws_operator *of, int8_t *memory)
{
    const int32_t window = of->window;
    for (uint32_t row = 0; row < of->to.rows; row++) {
        const int8_t *past = row_of(&of->from, memory, row);
        int8_t *out = row_of(&of->to, memory, row);
        for (uint32_t c = 0; c < of->to.channels; c++) {
            int32_t sum = 0;
            for (uint32_t k = 0; k < of->window; k++) {
                sum += past[k * of->from.stride + c];
            }
            const int32_t half = sum > 0 ? window / 2 : -(window / 2);
            out[c] = (int8_t)ekws_clamp((sum + half) / window, of->low, of->high);
        }
    }
}

static void take_largest(const ekws_operator *of, int8_t *memory)
{
    for (uint32_t row = 0; row < of->to.rows; row++) {
        const int8_t *past = row_of(&of->from, memory, row);
        int8_t *out = row_of(&of->to, memory, row);
        for (uint32_t c = 0; c < of->to.channels; c++) {
            int8_t most = past[c];
            for (uint32_t k = 1; k < of->window; k++) {
                const int8_t x = past[k * of->from.stride + c];
                most = x > most ? x : most;
            }
            out[c] = (int8_t)ekws_clamp(most, of->low, of->high);
        }
    }
}

static void to_posteriors(const ekws_operator *of, int8_t *memory)
{
    for (uint32_t row = 0; row < of->to.rows; row++) {
        const int8_t *logits = row_of(&of->from, memory, row);
        ekws_softmax_row(of->softmax, logits, row_of(&of->to, memory, row), of->to.channels);
    }
}

static void run(const ekws_operator *of, int8_t *memory)
{
    switch (of->kind) {
    case EKWS_CONVOLUTION:
        convolve(of, memory);
        break;
    case EKWS_DEPTHWISE:
        convolve_each_channel(of, memory);
        break;
    case EKWS_SUM:
        add(of, memory);
        break;
    case EKWS_MEAN:
        average(of, memory);
        break;
    case EKWS_MAXIMUM:
        take_largest(of, memory);
        break;
    case EKWS_SOFTMAX:
        to_posteriors(of, memory);
        break;
    }
}

void ekws_net_reset(const ekws_net *net, int8_t *memory)
{
    for (uint32_t i = 0; i < net->past_count; i++) {
        memset(memory + net->pasts[i].offset, net->pasts[i].start, net->pasts[i].kept);
    }
}

int8_t *ekws_net_features(const ekws_net *net, int8_t *memory)
{
    return memory + net->features.offset;
}

const int8_t *ekws_net_step(const ekws_net *net, int8_t *memory)
{
    for (uint32_t i = 0; i < net->operator_count; i++) {
        run(&net->operators[i], memory);
    }
    for (uint32_t i = 0; i < net->past_count; i++) {
        const ekws_past *past = &net->pasts[i];
        memmove(memory + past->offset, memory + past->offset + past->moved, past->kept);
    }
    return memory + net->scores.offset;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed-point arithmetic as TFLite's reference kernels do it, rounding twice where they do. */
#ifndef EKWS_FIXED_POINT_H
#define EKWS_FIXED_POINT_H

#include "ekws_net.h"

/* Right shifts of negative numbers are left to the compiler by C99; all of this needs them to round down. */
typedef char ekws_shifts_keep_the_sign[(-3 >> 1) == -2 ? 1 : -1];

static inline int32_t ekws_clamp(int32_t x, int32_t low, int32_t high)
{
    if (x < low) {
        return low;
    }
    return x > high ? high : x;
}

/* Return the high half of 2 * a * b, rounded: the product of two numbers of 31 fractional bits. */
static inline int32_t ekws_high_product(int32_t a, int32_t b)
{
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    const int64_t product = (int64_t)a * b;
    const int64_t nudged = product + (product >= 0 ? (1 << 30) : 1 - (1 << 30));
    return (int32_t)(nudged / ((int64_t)1 << 31));
}

/* Return x / 2^power, rounded to the nearest, halves away from 0. */
static inline int32_t ekws_halved(int32_t x, int power)
{
    const int32_t mask = (int32_t)(((int64_t)1 << power) - 1);
    const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> power) + ((x & mask) > threshold ? 1 : 0);
}

/* Return x * 2^power, saturated. */
static inline int32_t ekws_doubled(int32_t x, int power)
{
    const int64_t wide = (int64_t)x * ((int64_t)1 << power);
    if (wide > INT32_MAX) {
        return INT32_MAX;
    }
    return wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}

/* Return x scaled by a factor. */
static inline int32_t ekws_scaled(int32_t x, ekws_scaling by)
{
    if (by.shift > 0) {
        return ekws_high_product((int32_t)((uint32_t)x << by.shift), by.multiplier);
    }
    return ekws_halved(ekws_high_product(x, by.multiplier), -by.shift);
}

#endif

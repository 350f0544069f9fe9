/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax in fixed point; the series and constants are those of gemmlowp, which TFLite's reference kernel uses.
 *
 * A number "of n integer bits" is its raw int32 / 2^(31 - n).
 */
#include "ekws_softmax.h"

#include "ekws_fixed_point.h"

enum { DIFFERENCE_BITS = 5, SUM_BITS = 12 }; /* integer bits of a scaled difference, and of a sum of exps */

#define ONE INT32_MAX /* of 0 integer bits, as near as can be */

typedef struct {
    int8_t power;       /* of two: the bit of the remainder that stands for 2^power */
    int32_t multiplier; /* exp(-2^power), of 0 integer bits */
} barrel_stage;

static const barrel_stage BARREL[] = {
    {-2, 1672461947}, {-1, 1302514674}, {0, 790015084}, {1, 290630308}, {2, 39332535}, {3, 720401}, {4, 242},
};

/* Return exp(a) of a in [-1/4, 0), both of 0 integer bits: a series around -1/8. */
static int32_t exp_of_quarter(int32_t a)
{
    const int32_t exp_of_eighth = 1895147668, third = 715827883;
    const int32_t x = a + (1 << 28);
    const int32_t x2 = ekws_high_product(x, x);
    const int32_t x3 = ekws_high_product(x2, x);
    const int32_t x4 = ekws_high_product(x2, x2);
    const int32_t upper = ekws_high_product(ekws_halved(x4, 2) + x3, third) + x2;
    return exp_of_eighth + ekws_high_product(exp_of_eighth, x + ekws_halved(upper, 1));
}

/* Return exp(a), of 0 integer bits, of a <= 0 of DIFFERENCE_BITS. */
static int32_t exp_of_negative(int32_t a)
{
    const int32_t quarter = 1 << (31 - DIFFERENCE_BITS - 2);
    const int32_t within = (a & (quarter - 1)) - quarter; /* in [-1/4, 0) */
    const int32_t remainder = within - a;
    int32_t result = exp_of_quarter(ekws_doubled(within, DIFFERENCE_BITS));
    for (unsigned i = 0; i < sizeof BARREL / sizeof BARREL[0]; i++) {
        if (remainder & ((int32_t)1 << (31 - DIFFERENCE_BITS + BARREL[i].power))) {
            result = ekws_high_product(result, BARREL[i].multiplier);
        }
    }
    return a == 0 ? ONE : result;
}

/* Return 1 / (1 + a) of a in [0, 1), of 0 integer bits: three rounds of Newton and Raphson. */
static int32_t one_over_one_plus(int32_t a)
{
    const int32_t half_denominator = (int32_t)(((int64_t)a + ONE + 1) / 2);
    const int32_t first = 1515870810, slope = -1010580540, one = 1 << 29; /* 48/17, -32/17, 1: of 2 integer bits */
    int32_t x = first + ekws_high_product(half_denominator, slope);
    for (int round = 0; round < 3; round++) {
        const int32_t missing = one - ekws_high_product(half_denominator, x);
        x += ekws_doubled(ekws_high_product(x, missing), 2);
    }
    return ekws_doubled(x, 1);
}

static int leading_zeros(uint32_t x)
{
    int count = 0;
    while (count < 32 && !(x & (UINT32_C(1) << (31 - count)))) {
        count++;
    }
    return count;
}

static int8_t largest(const int8_t *logits, int count)
{
    int8_t found = logits[0];
    for (int i = 1; i < count; i++) {
        found = logits[i] > found ? logits[i] : found;
    }
    return found;
}

static int32_t exp_of(const ekws_softmax *softmax, int32_t difference)
{
    return exp_of_negative(ekws_scaled(difference, softmax->beta));
}

void ekws_softmax_row(const ekws_softmax *softmax, const int8_t *logits, int8_t *scores, int count)
{
    const int32_t top = largest(logits, count);
    int32_t sum = 0; /* of SUM_BITS */
    for (int i = 0; i < count; i++) {
        if (logits[i] - top >= softmax->least_difference) {
            sum += ekws_halved(exp_of(softmax, logits[i] - top), SUM_BITS);
        }
    }
    const int headroom = leading_zeros((uint32_t)sum);
    const int32_t above_one = (int32_t)(((uint32_t)sum << headroom) - (UINT32_C(1) << 31));
    const int32_t scale = one_over_one_plus(above_one);
    const int power = SUM_BITS - headroom + 31 - 8;
    for (int i = 0; i < count; i++) {
        int32_t score = 0;
        if (logits[i] - top >= softmax->least_difference) {
            score = ekws_halved(ekws_high_product(scale, exp_of(softmax, logits[i] - top)), power);
        }
        scores[i] = (int8_t)ekws_clamp(score - 128, -128, 127);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* mfcc-1 in float, for a machine with an FPU; the same steps as in ekws_mfcc_fixed.c. */
#include <math.h>

#include "ekws_mfcc_frame.h"

static float windowed(const ekws_mfcc *mfcc, const int16_t *pcm, uint32_t at)
{
    if (at >= mfcc->window) {
        return 0.0f;
    }
    return (float)pcm[at] * mfcc->real->window[ekws_mirrored(mfcc, at)];
}

static void load(const ekws_mfcc *mfcc, const int16_t *pcm, ekws_bin *bins)
{
    const uint32_t count = mfcc->fft / 2U;
    uint32_t to = 0;
    for (uint32_t i = 0; i < count; i++) {
        bins[to].real.real = windowed(mfcc, pcm, 2 * i);
        bins[to].real.imaginary = windowed(mfcc, pcm, 2 * i + 1);
        to = ekws_next_reversed(to, count);
    }
}

static void butterfly(ekws_bin *a, ekws_bin *b, float cosine, float sine)
{
    const float real = b->real.real * cosine + b->real.imaginary * sine;
    const float imaginary = b->real.imaginary * cosine - b->real.real * sine;
    b->real.real = a->real.real - real;
    b->real.imaginary = a->real.imaginary - imaginary;
    a->real.real += real;
    a->real.imaginary += imaginary;
}

static void transform(const ekws_mfcc *mfcc, ekws_bin *bins)
{
    const uint32_t count = mfcc->fft / 2U;
    for (uint32_t half = 1; half < count; half *= 2) {
        const uint32_t apart = count / half;
        for (uint32_t k = 0; k < half; k++) {
            const float cosine = mfcc->real->cosines[k * apart], sine = mfcc->real->sines[k * apart];
            for (uint32_t i = k; i < count; i += 2 * half) {
                butterfly(&bins[i], &bins[i + half], cosine, sine);
            }
        }
    }
}

static void part(ekws_bin *low, ekws_bin *high, float cosine, float sine)
{
    const float even_real = 0.5f * (low->real.real + high->real.real);
    const float even_imaginary = 0.5f * (low->real.imaginary - high->real.imaginary);
    const float odd_real = 0.5f * (low->real.imaginary + high->real.imaginary);
    const float odd_imaginary = 0.5f * (high->real.real - low->real.real);
    const float real = odd_real * cosine + odd_imaginary * sine;
    const float imaginary = odd_imaginary * cosine - odd_real * sine;
    const float low_real = even_real + real, low_imaginary = even_imaginary + imaginary;
    const float high_real = even_real - real, high_imaginary = even_imaginary - imaginary;
    low->real_power = low_real * low_real + low_imaginary * low_imaginary;
    high->real_power = high_real * high_real + high_imaginary * high_imaginary;
}

static void to_powers(const ekws_mfcc *mfcc, ekws_bin *bins)
{
    const uint32_t half = mfcc->fft / 2U;
    const float even = bins[0].real.real, odd = bins[0].real.imaginary;
    bins[0].real_power = (even + odd) * (even + odd);
    bins[half].real_power = (even - odd) * (even - odd);
    for (uint32_t k = 1; k < half / 2; k++) {
        part(&bins[k], &bins[half - k], mfcc->real->cosines[k], mfcc->real->sines[k]);
    }
    ekws_bin *middle = &bins[half / 2];
    const float real = middle->real.real, imaginary = middle->real.imaginary;
    middle->real_power = real * real + imaginary * imaginary;
}

static void to_levels(const ekws_mfcc *mfcc, ekws_mfcc_work work)
{
    for (uint32_t m = 0; m < mfcc->mels; m++) {
        const ekws_band *band = &mfcc->bands[m];
        const float *weights = mfcc->real->weights + band->weights;
        float sum = 0.0f;
        for (uint32_t i = 0; i < band->count; i++) {
            sum += work.bins[band->first + i].real_power * weights[i];
        }
        work.levels[m].real = logf(sum + mfcc->real->floor);
    }
}

/* Put sums of levels that mirror each other into the first half, their differences into the second, backwards. */
static void fold(const ekws_mfcc *mfcc, ekws_level *levels)
{
    for (uint32_t m = 0; m < mfcc->mels / 2U; m++) {
        ekws_level *mirror = &levels[mfcc->mels - 1U - m];
        const float low = levels[m].real, high = mirror->real;
        levels[m].real = low + high;
        mirror->real = low - high;
    }
}

/* Cosines of an even coefficient are the same from both ends, those of an odd one have the other sign. */
static float coefficient(const ekws_mfcc *mfcc, const ekws_level *folded, uint32_t c)
{
    const uint32_t half = (mfcc->mels + 1U) / 2U;
    const float *cosines = mfcc->real->dct + c * half;
    float sum = 0.0f;
    if (c % 2U == 0) {
        for (uint32_t m = 0; m < half; m++) {
            sum += folded[m].real * cosines[m];
        }
    } else {
        for (uint32_t m = 0; m < mfcc->mels / 2U; m++) {
            sum += folded[mfcc->mels - 1U - m].real * cosines[m];
        }
    }
    return sum;
}

static void prepare(const ekws_mfcc *mfcc, const int16_t *pcm, ekws_mfcc_work work)
{
    load(mfcc, pcm, work.bins);
    transform(mfcc, work.bins);
    to_powers(mfcc, work.bins);
    to_levels(mfcc, work);
    fold(mfcc, work.levels);
}

void ekws_mfcc_float_coefficients(const ekws_mfcc *mfcc, const int16_t *pcm, ekws_mfcc_work work, float *out)
{
    prepare(mfcc, pcm, work);
    for (uint32_t c = 0; c < mfcc->coefficients; c++) {
        out[c] = coefficient(mfcc, work.levels, c);
    }
}

void ekws_mfcc_float_features(const ekws_mfcc *mfcc, const int16_t *pcm, ekws_mfcc_work work, int8_t *features)
{
    prepare(mfcc, pcm, work);
    for (uint32_t c = 0; c < mfcc->coefficients; c++) {
        const float distance = coefficient(mfcc, work.levels, c) - mfcc->real->means[c];
        const float steps = rintf(distance * mfcc->real->factors[c]) + (float)mfcc->zero_point;
        const float capped = steps > 127.0f ? 127.0f : steps;
        features[c] = (int8_t)(capped < -128.0f ? -128.0f : capped);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* mfcc-1 in fixed point: int32 in the spectrum, 64 bits where powers are summed.
 *
 * Samples times window have 29 fractional bits, so that no sum of two overflows. Each stage of the FFT halves, so the
 * spectrum is divided by fft / 2 and keeps those bits; its powers have 58. Before powers are weighted they are moved
 * down by as much as the loudest frame needs, which is nothing for a quiet one.
 */
#include "ekws_fixed_point.h"
#include "ekws_formats.h"
#include "ekws_mfcc_frame.h"

static int32_t rounded(int64_t x, int bits)
{
    return (int32_t)((x + ((int64_t)1 << (bits - 1))) >> bits);
}

static int32_t windowed(const ekws_mfcc *mfcc, const int16_t *pcm, uint32_t at)
{
    if (at >= mfcc->window) {
        return 0;
    }
    const int64_t product = (int64_t)pcm[at] * mfcc->fixed->window[ekws_mirrored(mfcc, at)];
    return rounded(product, EKWS_SAMPLE_BITS + EKWS_TABLE_BITS - EKWS_DATA_BITS);
}

/* Put pairs of samples, as complex numbers, to where the FFT takes them. */
static void load(const ekws_mfcc *mfcc, const int16_t *pcm, ekws_bin *bins)
{
    const uint32_t count = mfcc->fft / 2U;
    uint32_t to = 0;
    for (uint32_t i = 0; i < count; i++) {
        bins[to].fixed.real = windowed(mfcc, pcm, 2 * i);
        bins[to].fixed.imaginary = windowed(mfcc, pcm, 2 * i + 1);
        to = ekws_next_reversed(to, count);
    }
}

/* Replace two numbers by half their sum and half their difference, the second one given apart. */
static void halve(ekws_bin *a, ekws_bin *b, int32_t real, int32_t imaginary)
{
    b->fixed.real = (a->fixed.real - real) >> 1;
    b->fixed.imaginary = (a->fixed.imaginary - imaginary) >> 1;
    a->fixed.real = (a->fixed.real + real) >> 1;
    a->fixed.imaginary = (a->fixed.imaginary + imaginary) >> 1;
}

/* The same, the second one turned first. */
static void butterfly(ekws_bin *a, ekws_bin *b, int32_t cosine, int32_t sine)
{
    const int32_t x = b->fixed.real, y = b->fixed.imaginary;
    const int32_t real = (int32_t)(((int64_t)x * cosine + (int64_t)y * sine) >> EKWS_TABLE_BITS);
    const int32_t imaginary = (int32_t)(((int64_t)y * cosine - (int64_t)x * sine) >> EKWS_TABLE_BITS);
    halve(a, b, real, imaginary);
}

static void transform(const ekws_mfcc *mfcc, ekws_bin *bins)
{
    const uint32_t count = mfcc->fft / 2U;
    for (uint32_t half = 1; half < count; half *= 2) {
        const uint32_t apart = count / half; /* of the turns, in the table of the whole fft */
        for (uint32_t i = 0; i < count; i += 2 * half) { /* a turn by nothing is a quarter of them all */
            halve(&bins[i], &bins[i + half], bins[i + half].fixed.real, bins[i + half].fixed.imaginary);
        }
        for (uint32_t k = 1; k < half; k++) {
            const int32_t cosine = mfcc->fixed->cosines[k * apart], sine = mfcc->fixed->sines[k * apart];
            for (uint32_t i = k; i < count; i += 2 * half) {
                butterfly(&bins[i], &bins[i + half], cosine, sine);
            }
        }
    }
}

static uint64_t power_of(int32_t real, int32_t imaginary)
{
    return (uint64_t)((int64_t)real * real + (int64_t)imaginary * imaginary);
}

/* Part the spectra of even and odd samples, join them to that of all, and keep powers of bins k and fft / 2 - k. */
static uint64_t part(ekws_bin *low, ekws_bin *high, int32_t cosine, int32_t sine)
{
    const int32_t even_real = (low->fixed.real + high->fixed.real) >> 1;
    const int32_t even_imaginary = (low->fixed.imaginary - high->fixed.imaginary) >> 1;
    const int32_t odd_real = (low->fixed.imaginary + high->fixed.imaginary) >> 1;
    const int32_t odd_imaginary = (high->fixed.real - low->fixed.real) >> 1;
    const int32_t real = (int32_t)(((int64_t)odd_real * cosine + (int64_t)odd_imaginary * sine) >> EKWS_TABLE_BITS);
    const int32_t imaginary = (int32_t)(((int64_t)odd_imaginary * cosine - (int64_t)odd_real * sine) >> EKWS_TABLE_BITS);
    low->fixed_power = power_of(even_real + real, even_imaginary + imaginary);
    high->fixed_power = power_of(even_real - real, even_imaginary - imaginary);
    return low->fixed_power + high->fixed_power;
}

/* Turn the spectrum of pairs into powers of fft / 2 + 1 bins, and return their sum. */
static uint64_t to_powers(const ekws_mfcc *mfcc, ekws_bin *bins)
{
    const uint32_t half = mfcc->fft / 2U;
    const int32_t even = bins[0].fixed.real, odd = bins[0].fixed.imaginary;
    bins[0].fixed_power = power_of(even + odd, 0);
    bins[half].fixed_power = power_of(even - odd, 0);
    uint64_t sum = bins[0].fixed_power + bins[half].fixed_power;
    for (uint32_t k = 1; k < half / 2; k++) {
        sum += part(&bins[k], &bins[half - k], mfcc->fixed->cosines[k], mfcc->fixed->sines[k]);
    }
    ekws_bin *middle = &bins[half / 2];
    middle->fixed_power = power_of(middle->fixed.real, middle->fixed.imaginary);
    return sum + middle->fixed_power;
}

static int bit_length(uint64_t x)
{
    int length = 0;
    for (int step = 32; step > 0; step /= 2) {
        if (x >> step) {
            x >>= step;
            length += step;
        }
    }
    return length + (x != 0);
}

/* Return ln(x / 2^bits), of EKWS_LOG_BITS: the logarithm of 2^n, and a table between. */
static int32_t log_of(const int32_t *logs, uint64_t x, int bits)
{
    const int power = bit_length(x) - 1;
    const uint32_t mantissa = (uint32_t)((x << (63 - power)) >> 32); /* 31 fractional bits, in [1, 2) */
    const uint32_t step = (mantissa >> 24) - EKWS_LOG_STEPS;
    const int32_t within = (int32_t)((mantissa >> 10) & 0x3fff);
    const int32_t rise = (logs[step + 1] - logs[step]) * within;
    return (power - bits) * EKWS_LN_2 + logs[step] + (rise >> 14);
}

/* Move powers down until their weighted sum has room, and return by how many bits. */
static int make_room(const ekws_mfcc *mfcc, ekws_bin *bins, uint64_t all)
{
    const int down = bit_length(all) - EKWS_POWER_BITS;
    if (down <= 0) {
        return 0;
    }
    for (uint32_t k = 0; k <= mfcc->fft / 2U; k++) {
        bins[k].fixed_power >>= down;
    }
    return down;
}

static void to_levels(const ekws_mfcc *mfcc, uint64_t all, ekws_mfcc_work work)
{
    const ekws_mfcc_fixed *tables = mfcc->fixed;
    const int down = make_room(mfcc, work.bins, all);
    for (uint32_t m = 0; m < mfcc->mels; m++) {
        const ekws_band *band = &mfcc->bands[m];
        const uint16_t *weights = tables->weights + band->weights;
        uint64_t sum = tables->floor >> down;
        for (uint32_t i = 0; i < band->count; i++) {
            sum += work.bins[band->first + i].fixed_power * weights[i];
        }
        work.levels[m].fixed = log_of(tables->logs, sum, tables->mel_bits - down);
    }
}

/* Put sums of levels that mirror each other into the first half, their differences into the second, backwards. */
static void fold(const ekws_mfcc *mfcc, ekws_level *levels)
{
    for (uint32_t m = 0; m < mfcc->mels / 2U; m++) {
        ekws_level *mirror = &levels[mfcc->mels - 1U - m];
        const int32_t low = levels[m].fixed, high = mirror->fixed;
        levels[m].fixed = low + high;
        mirror->fixed = low - high;
    }
}

/* Cosines of an even coefficient are the same from both ends, those of an odd one have the other sign. */
static int32_t coefficient(const ekws_mfcc *mfcc, const ekws_level *folded, uint32_t c)
{
    const uint32_t half = (mfcc->mels + 1U) / 2U;
    const int32_t *cosines = mfcc->fixed->dct + c * half;
    int64_t sum = 0;
    if (c % 2U == 0) {
        for (uint32_t m = 0; m < half; m++) {
            sum += (int64_t)folded[m].fixed * cosines[m];
        }
    } else {
        for (uint32_t m = 0; m < mfcc->mels / 2U; m++) {
            sum += (int64_t)folded[mfcc->mels - 1U - m].fixed * cosines[m];
        }
    }
    return rounded(sum, EKWS_LOG_BITS + EKWS_TABLE_BITS - EKWS_OUT_BITS);
}

static void prepare(const ekws_mfcc *mfcc, const int16_t *pcm, ekws_mfcc_work work)
{
    load(mfcc, pcm, work.bins);
    transform(mfcc, work.bins);
    to_levels(mfcc, to_powers(mfcc, work.bins), work);
    fold(mfcc, work.levels);
}

void ekws_mfcc_fixed_coefficients(const ekws_mfcc *mfcc, const int16_t *pcm, ekws_mfcc_work work, int32_t *out)
{
    prepare(mfcc, pcm, work);
    for (uint32_t c = 0; c < mfcc->coefficients; c++) {
        out[c] = coefficient(mfcc, work.levels, c);
    }
}

/* Return how many steps of the features a coefficient is from the mean, rounded. */
static int64_t steps_of(const ekws_mfcc_fixed *tables, int32_t value, uint32_t c)
{
    const int bits = EKWS_OUT_BITS + tables->factor_bits;
    const int64_t distance = (int64_t)value - tables->means[c];
    return (distance * tables->factors[c] + ((int64_t)1 << (bits - 1))) >> bits;
}

void ekws_mfcc_fixed_features(const ekws_mfcc *mfcc, const int16_t *pcm, ekws_mfcc_work work, int8_t *features)
{
    prepare(mfcc, pcm, work);
    for (uint32_t c = 0; c < mfcc->coefficients; c++) {
        const int64_t steps = steps_of(mfcc->fixed, coefficient(mfcc, work.levels, c), c) + mfcc->zero_point;
        const int64_t capped = steps > 127 ? 127 : steps;
        features[c] = (int8_t)(capped < -128 ? -128 : capped);
    }
}

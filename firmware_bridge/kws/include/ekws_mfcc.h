/* SPDX-License-Identifier: Apache-2.0 */
/* The front end "mfcc-1" for a stream: int16 samples in, one row of quantized features out each hop.
 *
 * Two arithmetics, each a file of its own: fixed point in 32 and 64 bits (ekws_mfcc_fixed.c), and float for a
 * machine that has an FPU (ekws_mfcc_float.c). The exporter writes the tables of both.
 */
#ifndef EKWS_MFCC_H
#define EKWS_MFCC_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One number of the spectrum, and later its power. */
typedef union {
    struct {
        int32_t real;
        int32_t imaginary;
    } fixed;
    uint64_t fixed_power;
    struct {
        float real;
        float imaginary;
    } real;
    float real_power;
} ekws_bin;

/* The log energy of a mel band: 24 fractional bits, or float. */
typedef union {
    int32_t fixed;
    float real;
} ekws_level;

/* Memory that one frame needs, and that holds nothing between frames. */
typedef struct {
    ekws_bin *bins;     /* fft / 2 + 1 */
    ekws_level *levels; /* mels */
} ekws_mfcc_work;

/* The bins of a band whose weight is not 0, and where its weights begin. */
typedef struct {
    uint16_t first;
    uint16_t count;
    uint16_t weights;
} ekws_band;

/* Tables in fixed point; a comment tells the fractional bits. */
typedef struct {
    const int32_t *window;   /* 30: the first half and the middle; the rest mirrors it */
    const int32_t *cosines;  /* 30: cos(2 pi k / fft) for k < fft / 2 */
    const int32_t *sines;    /* 30 */
    const uint16_t *weights; /* 16: of all bands */
    const int32_t *logs;     /* 24: ln(1 + i / EKWS_LOG_STEPS), one more than EKWS_LOG_STEPS */
    const int32_t *dct;      /* 30: (coefficients, mels / 2 rounded up); the rest mirrors it */
    const int32_t *means;    /* 16: of the coefficients */
    const int32_t *factors;  /* `factor_bits`: from a coefficient to steps of the features */
    uint64_t floor;          /* `mel_bits`: what is added before the logarithm */
    int16_t mel_bits;
    int16_t factor_bits;
} ekws_mfcc_fixed;

typedef struct {
    const float *window; /* with the division by 32768 inside */
    const float *cosines;
    const float *sines;
    const float *weights;
    const float *dct;
    const float *means;
    const float *factors;
    float floor;
} ekws_mfcc_float;

typedef struct ekws_mfcc ekws_mfcc;

/* The front end of a model; of `fixed` and `real` the one that `coefficients_of` needs is there. */
struct ekws_mfcc {
    uint16_t window;
    uint16_t hop;
    uint16_t fft; /* a power of 2 */
    uint16_t mels;
    uint16_t coefficients;
    int16_t zero_point; /* of the features */
    const ekws_band *bands;
    const ekws_mfcc_fixed *fixed;
    const ekws_mfcc_float *real;
    void (*features_of)(const ekws_mfcc *mfcc, const int16_t *pcm, ekws_mfcc_work work, int8_t *features);
};

/* Compute the features of one window of samples: normalized, in steps of the net's input. */
void ekws_mfcc_fixed_features(const ekws_mfcc *mfcc, const int16_t *pcm, ekws_mfcc_work work, int8_t *features);
void ekws_mfcc_float_features(const ekws_mfcc *mfcc, const int16_t *pcm, ekws_mfcc_work work, int8_t *features);

/* Compute the coefficients of one window before normalization: of 16 fractional bits, or float. */
void ekws_mfcc_fixed_coefficients(const ekws_mfcc *mfcc, const int16_t *pcm, ekws_mfcc_work work, int32_t *out);
void ekws_mfcc_float_coefficients(const ekws_mfcc *mfcc, const int16_t *pcm, ekws_mfcc_work work, float *out);

/* A window that slides over a stream; `held` is the caller's, `window` samples. */
typedef struct {
    int16_t *held;
    uint16_t count;
} ekws_frames;

/* Take samples until a window is full, and return how many were taken. */
uint32_t ekws_frames_take(ekws_frames *frames, const ekws_mfcc *mfcc, const int16_t *pcm, uint32_t count);

/* Tell whether a window is full. */
int ekws_frames_full(const ekws_frames *frames, const ekws_mfcc *mfcc);

/* Slide a full window on by a hop. */
void ekws_frames_slide(ekws_frames *frames, const ekws_mfcc *mfcc);

#ifdef __cplusplus
}
#endif

#endif

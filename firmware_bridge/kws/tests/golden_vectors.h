/* What golden audio has to become; the exporter writes the vectors. */
#ifndef EKWS_GOLDEN_VECTORS_H
#define EKWS_GOLDEN_VECTORS_H

#include "model_meta.h"

typedef struct {
    const int16_t *pcm;
    uint32_t samples;
    const int8_t *features; /* (frames, coefficients), in steps of the net's input */
    uint32_t frames;
    const int8_t *scores; /* (rows, labels): of these features, by TFLite's reference kernels */
    uint32_t rows;
    const ekws_detection *detections; /* of these scores */
    uint32_t detection_count;
} ekws_golden_vectors;

extern const ekws_golden_vectors ekws_golden;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Where samples of a frame go before its FFT, which both arithmetics share. */
#ifndef EKWS_MFCC_FRAME_H
#define EKWS_MFCC_FRAME_H

#include "ekws_mfcc.h"

/* Return the index that comes after `index` where the bits of both run backwards. */
static inline uint32_t ekws_next_reversed(uint32_t index, uint32_t count)
{
    uint32_t bit = count >> 1;
    while (index & bit) {
        index ^= bit;
        bit >>= 1;
    }
    return index | bit;
}

/* Return the place of a sample's factor in the first half of the window, which the second half mirrors. */
static inline uint32_t ekws_mirrored(const ekws_mfcc *mfcc, uint32_t at)
{
    return at <= mfcc->window / 2U ? at : mfcc->window - at;
}

#endif

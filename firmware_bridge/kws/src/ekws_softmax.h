/* SPDX-License-Identifier: Apache-2.0 */
/* Posteriors of rows of logits, without a float. */
#ifndef EKWS_SOFTMAX_H
#define EKWS_SOFTMAX_H

#include "ekws_net.h"

/* Write one row of posteriors of scale 1/256 and zero point -128. */
void ekws_softmax_row(const ekws_softmax *softmax, const int8_t *logits, int8_t *scores, int count);

#endif

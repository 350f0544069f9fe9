/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of this library return. */
#ifndef EKWS_STATUS_H
#define EKWS_STATUS_H

typedef enum {
    EKWS_KWS_OK = 0,
    EKWS_KWS_ERROR_MEMORY = -1,   /* the caller's memory is smaller than the model says it needs */
    EKWS_KWS_ERROR_ALIGNMENT = -2 /* the caller's memory does not begin at a multiple of 8 bytes */
} ekws_status;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of the link: a header and its payload with a CRC behind, stuffed by COBS. Needs no state.
 */
#ifndef EKWS_FRAME_H
#define EKWS_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "ekws_protocol.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What went wrong; every function of the library that can fail returns one of these or 0. */
enum ekws_error {
    EKWS_OK = 0,
    EKWS_ERROR_ARGUMENT = -1,  /* a null pointer, or a config that cannot be followed */
    EKWS_ERROR_TOO_LONG = -2,  /* more bytes between two zeros than a frame can have */
    EKWS_ERROR_STUFFING = -3,  /* no COBS */
    EKWS_ERROR_TOO_SHORT = -4, /* fewer bytes than a header and a CRC */
    EKWS_ERROR_CRC = -5,
    EKWS_ERROR_LENGTH = -6, /* the header counts another payload than there is */
    EKWS_ERROR_WRITE = -7   /* the port did not take a frame; the host asks again */
};

/** Return the CRC-16/CCITT-FALSE of `count` bytes. */
uint16_t ekws_crc16(const uint8_t *bytes, size_t count);

/**
 * Write a whole frame to `wire`, which has room for EKWS_MAX_WIRE bytes, a zero before and behind.
 * The payload is `header->length` bytes, at most EKWS_MAX_PAYLOAD. Return the count of bytes.
 */
int ekws_encode(uint8_t *wire, const struct ekws_header *header, const uint8_t *payload);

/**
 * Read the `count` bytes that stood between two zeros, and unstuff them in place.
 * On EKWS_OK the header is filled, and `*payload` points to its `header->length` bytes in `bytes`.
 */
int ekws_decode(uint8_t *bytes, size_t count, struct ekws_header *header, const uint8_t **payload);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* COBS, CRC and the order of bytes; see SPEC.md. */
#include "ekws_frame.h"

#define POLYNOMIAL 0x1021u
#define FIRST_RAW 2u /* on the wire a frame begins behind a zero and its first COBS code */

uint16_t ekws_get_u16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | (uint32_t)bytes[1] << 8); /* an int may have 16 bits */
}

uint32_t ekws_get_u32(const uint8_t *bytes)
{
    return ekws_get_u16(bytes) | (uint32_t)ekws_get_u16(bytes + 2) << 16;
}

void ekws_put_u16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)(value & 0xFFu);
    bytes[1] = (uint8_t)(value >> 8);
}

void ekws_put_u32(uint8_t *bytes, uint32_t value)
{
    ekws_put_u16(bytes, (uint16_t)(value & 0xFFFFu));
    ekws_put_u16(bytes + 2, (uint16_t)(value >> 16));
}

uint16_t ekws_crc16(const uint8_t *bytes, size_t count)
{
    uint32_t crc = EKWS_CRC_START;
    int bit;

    while (count--) {
        crc ^= (uint32_t)*bytes++ << 8;
        for (bit = 0; bit < 8; bit++) {
            crc = crc & 0x8000u ? crc << 1 ^ POLYNOMIAL : crc << 1;
        }
    }
    return (uint16_t)(crc & 0xFFFFu);
}

/* Replace each zero of bytes[1..end) by the distance to the next; bytes[0] tells of the first. */
static void stuff(uint8_t *bytes, size_t end)
{
    size_t code = 0, at;

    for (at = 1; at < end; at++) {
        if (bytes[at] == 0) {
            bytes[code] = (uint8_t)(at - code);
            code = at;
        }
    }
    bytes[code] = (uint8_t)(end - code);
}

/* Undo `stuff`; what it returns stands in bytes[1..end). */
static int unstuff(uint8_t *bytes, size_t end)
{
    size_t at = 0;

    while (at < end) {
        size_t next = at + bytes[at];

        if (next == at || next > end) {
            return EKWS_ERROR_STUFFING;
        }
        bytes[at] = 0;
        while (++at < next) {
            if (bytes[at] == 0) {
                return EKWS_ERROR_STUFFING;
            }
        }
    }
    return EKWS_OK;
}

int ekws_encode(uint8_t *wire, const struct ekws_header *header, const uint8_t *payload)
{
    uint8_t *raw = wire + FIRST_RAW;
    size_t size = EKWS_HEADER_SIZE, i;
    uint16_t crc;

    ekws_header_write(raw, header);
    for (i = 0; i < header->length; i++) {
        raw[size++] = payload[i];
    }
    crc = ekws_crc16(raw, size);
    raw[size++] = (uint8_t)(crc >> 8);
    raw[size++] = (uint8_t)(crc & 0xFFu);
    stuff(wire + 1, size + 1);
    wire[0] = 0;
    raw[size] = 0;
    return (int)(size + FIRST_RAW + 1);
}

int ekws_decode(uint8_t *bytes, size_t count, struct ekws_header *header, const uint8_t **payload)
{
    int error;

    if (count > EKWS_MAX_STUFFED) {
        return EKWS_ERROR_TOO_LONG;
    }
    error = unstuff(bytes, count);
    if (error) {
        return error;
    }
    if (count < 1 + EKWS_HEADER_SIZE + EKWS_CRC_SIZE) {
        return EKWS_ERROR_TOO_SHORT;
    }
    if (ekws_crc16(bytes + 1, count - 1) != 0) {
        return EKWS_ERROR_CRC;
    }
    ekws_header_read(header, bytes + 1);
    if (header->length != count - 1 - EKWS_HEADER_SIZE - EKWS_CRC_SIZE) {
        return EKWS_ERROR_LENGTH;
    }
    *payload = bytes + 1 + EKWS_HEADER_SIZE;
    return EKWS_OK;
}

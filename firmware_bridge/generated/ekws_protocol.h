/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers and layouts of the link. Made by `edgekws link generate` from edgekws/link/messages.py; do not edit. */
#ifndef EKWS_PROTOCOL_H
#define EKWS_PROTOCOL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EKWS_LOWEST_VERSION 1u
#define EKWS_HIGHEST_VERSION 1u
#define EKWS_MAX_PAYLOAD 64u
#define EKWS_MAX_TIMEOUT_MS 1000u
#define EKWS_SCORE_ONE 65535u
#define EKWS_CRC_START 65535u
#define EKWS_CRC_SIZE 2u
#define EKWS_MAX_FRAME 79u
#define EKWS_MAX_STUFFED 80u
#define EKWS_MAX_WIRE 82u

enum ekws_type {
    EKWS_TYPE_HELLO = 1,
    EKWS_TYPE_COMMAND = 2,
    EKWS_TYPE_ACK = 3,
    EKWS_TYPE_NACK = 4,
    EKWS_TYPE_HEARTBEAT = 5,
    EKWS_TYPE_STATE = 6,
};

enum ekws_flag {
    EKWS_FLAG_FROM_BOARD = 1,
    EKWS_FLAG_REPEAT = 2,
};

enum ekws_reason {
    EKWS_REASON_VERSION = 1,
    EKWS_REASON_LABELS = 2,
    EKWS_REASON_SESSION = 3,
    EKWS_REASON_STALE = 4,
    EKWS_REASON_LABEL = 5,
    EKWS_REASON_REFUSED = 6,
    EKWS_REASON_LENGTH = 7,
    EKWS_REASON_TYPE = 8,
};

/* What every frame begins with; these fields never change, in any version. */
#define EKWS_HEADER_SIZE 13u
struct ekws_header {
    uint8_t version;
    uint8_t type;
    uint8_t flags;
    uint8_t sequence;
    uint32_t session;
    uint32_t command;
    uint8_t length;
};

/* Who is there: asks for a session, or grants one; these fields never change. */
#define EKWS_HELLO_SIZE 20u
struct ekws_hello {
    uint8_t lowest;
    uint8_t highest;
    uint16_t timeout_ms;
    uint32_t build;
    uint32_t boots;
    uint32_t labels;
    uint32_t nonce;
};

/* Act on a label; valid while its age is below its time to live. */
#define EKWS_COMMAND_SIZE 12u
struct ekws_command {
    uint16_t label;
    uint16_t score;
    uint16_t time_to_live_ms;
    uint16_t age_ms;
    int32_t argument;
};

/* The command of the header was carried out. */
#define EKWS_ACK_SIZE 0u

/* The frame of the header was refused; these fields never change. */
#define EKWS_NACK_SIZE 5u
struct ekws_nack {
    uint8_t reason;
    uint32_t detail;
};

/* Still there; the board answers with its own. */
#define EKWS_HEARTBEAT_SIZE 0u

/* What the board's outputs are; an empty payload asks for it. */
#define EKWS_STATE_SIZE 15u
struct ekws_state {
    uint32_t outputs;
    uint32_t executed;
    uint32_t refused_frames;
    uint16_t losses;
    uint8_t safe;
};

uint16_t ekws_get_u16(const uint8_t *bytes);
uint32_t ekws_get_u32(const uint8_t *bytes);
void ekws_put_u16(uint8_t *bytes, uint16_t value);
void ekws_put_u32(uint8_t *bytes, uint32_t value);

static inline void ekws_header_read(struct ekws_header *out, const uint8_t *bytes)
{
    out->version = bytes[0];
    out->type = bytes[1];
    out->flags = bytes[2];
    out->sequence = bytes[3];
    out->session = ekws_get_u32(bytes + 4);
    out->command = ekws_get_u32(bytes + 8);
    out->length = bytes[12];
}

static inline void ekws_hello_read(struct ekws_hello *out, const uint8_t *bytes)
{
    out->lowest = bytes[0];
    out->highest = bytes[1];
    out->timeout_ms = ekws_get_u16(bytes + 2);
    out->build = ekws_get_u32(bytes + 4);
    out->boots = ekws_get_u32(bytes + 8);
    out->labels = ekws_get_u32(bytes + 12);
    out->nonce = ekws_get_u32(bytes + 16);
}

static inline void ekws_command_read(struct ekws_command *out, const uint8_t *bytes)
{
    out->label = ekws_get_u16(bytes + 0);
    out->score = ekws_get_u16(bytes + 2);
    out->time_to_live_ms = ekws_get_u16(bytes + 4);
    out->age_ms = ekws_get_u16(bytes + 6);
    out->argument = (int32_t)ekws_get_u32(bytes + 8);
}

static inline void ekws_nack_read(struct ekws_nack *out, const uint8_t *bytes)
{
    out->reason = bytes[0];
    out->detail = ekws_get_u32(bytes + 1);
}

static inline void ekws_state_read(struct ekws_state *out, const uint8_t *bytes)
{
    out->outputs = ekws_get_u32(bytes + 0);
    out->executed = ekws_get_u32(bytes + 4);
    out->refused_frames = ekws_get_u32(bytes + 8);
    out->losses = ekws_get_u16(bytes + 12);
    out->safe = bytes[14];
}

static inline void ekws_header_write(uint8_t *bytes, const struct ekws_header *in)
{
    bytes[0] = in->version;
    bytes[1] = in->type;
    bytes[2] = in->flags;
    bytes[3] = in->sequence;
    ekws_put_u32(bytes + 4, in->session);
    ekws_put_u32(bytes + 8, in->command);
    bytes[12] = in->length;
}

static inline void ekws_hello_write(uint8_t *bytes, const struct ekws_hello *in)
{
    bytes[0] = in->lowest;
    bytes[1] = in->highest;
    ekws_put_u16(bytes + 2, in->timeout_ms);
    ekws_put_u32(bytes + 4, in->build);
    ekws_put_u32(bytes + 8, in->boots);
    ekws_put_u32(bytes + 12, in->labels);
    ekws_put_u32(bytes + 16, in->nonce);
}

static inline void ekws_command_write(uint8_t *bytes, const struct ekws_command *in)
{
    ekws_put_u16(bytes + 0, in->label);
    ekws_put_u16(bytes + 2, in->score);
    ekws_put_u16(bytes + 4, in->time_to_live_ms);
    ekws_put_u16(bytes + 6, in->age_ms);
    ekws_put_u32(bytes + 8, (uint32_t)in->argument);
}

static inline void ekws_nack_write(uint8_t *bytes, const struct ekws_nack *in)
{
    bytes[0] = in->reason;
    ekws_put_u32(bytes + 1, in->detail);
}

static inline void ekws_state_write(uint8_t *bytes, const struct ekws_state *in)
{
    ekws_put_u32(bytes + 0, in->outputs);
    ekws_put_u32(bytes + 4, in->executed);
    ekws_put_u32(bytes + 8, in->refused_frames);
    ekws_put_u16(bytes + 12, in->losses);
    bytes[14] = in->safe;
}

#ifdef __cplusplus
}
#endif

#endif

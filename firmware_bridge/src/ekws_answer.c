/* SPDX-License-Identifier: Apache-2.0 */
/* What the board says; see SPEC.md. */
#include "ekws_answer.h"

void ekws_tell(const struct ekws_link *link, enum ekws_event event, uint32_t detail)
{
    if (link->config->event) {
        link->config->event(link->config->context, event, detail);
    }
}

int ekws_answer(const struct ekws_link *link, const struct ekws_header *to, enum ekws_type type,
                  const uint8_t *payload, uint8_t length)
{
    uint8_t wire[EKWS_MAX_WIRE];
    struct ekws_header header = {0, 0, 0, 0, 0, 0, 0};
    int count;

    header.session = link->session;
    if (to) {
        header = *to;
    }
    header.version = EKWS_LOWEST_VERSION;
    header.type = (uint8_t)type;
    header.flags = EKWS_FLAG_FROM_BOARD;
    header.length = length;
    count = ekws_encode(wire, &header, payload);
    if (link->config->write(link->config->context, wire, (size_t)count) < 0) {
        return EKWS_ERROR_WRITE;
    }
    return EKWS_OK;
}

int ekws_refuse(const struct ekws_link *link, const struct ekws_header *to,
                  enum ekws_reason reason, uint32_t detail)
{
    uint8_t payload[EKWS_NACK_SIZE];
    struct ekws_nack nack;

    nack.reason = (uint8_t)reason;
    nack.detail = detail;
    ekws_nack_write(payload, &nack);
    ekws_tell(link, EKWS_EVENT_REFUSED, (uint32_t)reason);
    return ekws_answer(link, to, EKWS_TYPE_NACK, payload, EKWS_NACK_SIZE);
}

int ekws_send_hello(const struct ekws_link *link, const struct ekws_header *to)
{
    uint8_t payload[EKWS_HELLO_SIZE];
    struct ekws_hello hello;

    hello.lowest = EKWS_LOWEST_VERSION;
    hello.highest = EKWS_HIGHEST_VERSION;
    hello.timeout_ms = link->config->timeout_ms;
    hello.build = link->config->build;
    hello.boots = link->boots;
    hello.labels = link->config->labels_hash;
    hello.nonce = link->nonce;
    ekws_hello_write(payload, &hello);
    return ekws_answer(link, to, EKWS_TYPE_HELLO, payload, EKWS_HELLO_SIZE);
}

int ekws_send_state(const struct ekws_link *link, const struct ekws_header *to)
{
    uint8_t payload[EKWS_STATE_SIZE];
    struct ekws_state state;

    state.outputs = link->config->outputs(link->config->context);
    state.executed = link->executed;
    state.refused_frames = link->refused_frames;
    state.losses = link->losses;
    state.safe = link->safe;
    ekws_state_write(payload, &state);
    return ekws_answer(link, to, EKWS_TYPE_STATE, payload, EKWS_STATE_SIZE);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The board's side of the conversation; see SPEC.md. */
#include "ekws_bridge.h"

#include "ekws_answer.h"
#include "ekws_command.h"

#define FIRST_SESSION 1u
#define GOLDEN_RATIO 0x9E3779B1u /* odd, so that no two numbers have the same product */

static void drive_safe(struct ekws_link *link)
{
    const struct ekws_config *config = link->config;
    uint8_t i;

    for (i = 0; i < config->safe_count; i++) {
        config->drive(config->context, config->safe[i].output, config->safe[i].value);
    }
    link->safe = 1;
}

static void heard(struct ekws_link *link, uint32_t now_ms)
{
    link->heard_ms = now_ms;
    if (link->safe) {
        link->safe = 0;
        ekws_tell(link, EKWS_EVENT_UP, link->session);
    }
}

/*
 * A number that no session had before. Multiples of 2^32 times the golden ratio keep away from each
 * other, so counts of sessions of two boots do not meet; all bits of `boots` tell, as it may be random.
 */
static uint32_t next_session(struct ekws_link *link)
{
    uint32_t session;

    link->sessions++;
    session = link->nonce ^ (link->boots * GOLDEN_RATIO + link->sessions);
    return session ? session : FIRST_SESSION;
}

static int on_hello(struct ekws_link *link, struct ekws_header *header, const uint8_t *payload,
                    uint32_t now_ms)
{
    struct ekws_hello hello;

    ekws_hello_read(&hello, payload);
    if (hello.lowest > EKWS_HIGHEST_VERSION || hello.highest < EKWS_LOWEST_VERSION) {
        return ekws_refuse(link, header, EKWS_REASON_VERSION,
                      EKWS_LOWEST_VERSION | EKWS_HIGHEST_VERSION << 8);
    }
    if (hello.labels != link->config->labels_hash) {
        return ekws_refuse(link, header, EKWS_REASON_LABELS, link->config->labels_hash);
    }
    if (link->session == 0 || hello.nonce != link->nonce) {
        link->nonce = hello.nonce;
        link->session = next_session(link);
        link->command_id = 0;
        link->waiting = 0;
        link->executed = 0;
    }
    header->session = link->session;
    heard(link, now_ms);
    return ekws_send_hello(link, header);
}

/* Return how many bytes of payload a type needs, -1 for one that no host sends. */
static int needed(uint8_t type)
{
    switch (type) {
    case EKWS_TYPE_HELLO:
        return (int)EKWS_HELLO_SIZE;
    case EKWS_TYPE_COMMAND:
        return (int)EKWS_COMMAND_SIZE;
    case EKWS_TYPE_HEARTBEAT:
    case EKWS_TYPE_STATE:
        return 0;
    default:
        return -1;
    }
}

static int on_session_frame(struct ekws_link *link, const struct ekws_header *header,
                            const uint8_t *payload, uint32_t now_ms)
{
    if (link->session == 0 || header->session != link->session) {
        return ekws_refuse(link, header, EKWS_REASON_SESSION, link->session);
    }
    heard(link, now_ms);
    switch (header->type) {
    case EKWS_TYPE_COMMAND:
        return ekws_take_command(link, header, payload, now_ms);
    case EKWS_TYPE_HEARTBEAT:
        return ekws_answer(link, header, EKWS_TYPE_HEARTBEAT, 0, 0);
    default:
        return ekws_send_state(link, header);
    }
}

static int on_frame(struct ekws_link *link, struct ekws_header *header, const uint8_t *payload,
                    uint32_t now_ms)
{
    int size = needed(header->type);

    if (header->flags & EKWS_FLAG_FROM_BOARD) {
        return EKWS_OK; /* our own, come back */
    }
    if (header->version < EKWS_LOWEST_VERSION || header->version > EKWS_HIGHEST_VERSION) {
        return ekws_refuse(link, header, EKWS_REASON_VERSION,
                      EKWS_LOWEST_VERSION | EKWS_HIGHEST_VERSION << 8);
    }
    if (size < 0) {
        return ekws_refuse(link, header, EKWS_REASON_TYPE, header->type);
    }
    if (header->length < size) {
        return ekws_refuse(link, header, EKWS_REASON_LENGTH, (uint32_t)size);
    }
    if (header->type == EKWS_TYPE_HELLO) {
        return on_hello(link, header, payload, now_ms);
    }
    return on_session_frame(link, header, payload, now_ms);
}

/* Take what was held between two zeros. */
static int on_end(struct ekws_link *link, uint32_t now_ms)
{
    struct ekws_header header;
    const uint8_t *payload;
    int error = EKWS_ERROR_TOO_LONG;

    if (link->held <= EKWS_MAX_STUFFED) {
        error = ekws_decode(link->bytes, link->held, &header, &payload);
    }
    link->held = 0;
    if (error) {
        link->refused_frames++;
        ekws_tell(link, EKWS_EVENT_NOISE, link->refused_frames);
        return error;
    }
    return on_frame(link, &header, payload, now_ms);
}

static int is_complete(const struct ekws_config *config)
{
    return config && config->write && config->execute && config->drive && config->outputs &&
           (config->safe || config->safe_count == 0) && config->timeout_ms &&
           config->timeout_ms <= EKWS_MAX_TIMEOUT_MS;
}

int ekws_init(struct ekws_link *link, const struct ekws_config *config, uint32_t boots,
              uint32_t now_ms)
{
    uint8_t *bytes = (uint8_t *)link;
    size_t i;

    if (!link || !is_complete(config)) {
        return EKWS_ERROR_ARGUMENT;
    }
    for (i = 0; i < sizeof *link; i++) {
        bytes[i] = 0;
    }
    link->config = config;
    link->boots = boots;
    link->heard_ms = link->polled_ms = link->looked_ms = now_ms;
    drive_safe(link);
    return ekws_send_hello(link, 0);
}

static int is_lost(const struct ekws_link *link, uint32_t now_ms)
{
    return !link->safe && now_ms - link->heard_ms >= link->config->timeout_ms;
}

/* Drive the safe state and say so. A command that waits must not move anything out of it. */
static int lose(struct ekws_link *link, uint32_t now_ms)
{
    link->losses++;
    ekws_drop_command(link, now_ms);
    drive_safe(link);
    ekws_tell(link, EKWS_EVENT_DOWN, link->losses);
    return ekws_send_state(link, 0);
}

int ekws_feed(struct ekws_link *link, const uint8_t *bytes, size_t count, uint32_t now_ms)
{
    int error = EKWS_OK, result;

    if (!link || (!bytes && count)) {
        return EKWS_ERROR_ARGUMENT;
    }
    if (is_lost(link, now_ms)) { /* the program was busy: what it hands over now is no excuse */
        error = lose(link, now_ms);
    }
    while (count--) {
        uint8_t byte = *bytes++;

        if (byte) {
            if (link->held < EKWS_MAX_STUFFED) {
                link->bytes[link->held] = byte;
            }
            if (link->held <= EKWS_MAX_STUFFED) {
                link->held++; /* up to one more than fits: too long */
            }
        } else if (link->held) {
            result = on_end(link, now_ms);
            error = result ? result : error;
        }
    }
    return error;
}

int ekws_poll(struct ekws_link *link, uint32_t now_ms)
{
    if (!link) {
        return EKWS_ERROR_ARGUMENT;
    }
    link->looked_ms = link->polled_ms;
    link->polled_ms = now_ms;
    if (is_lost(link, now_ms)) {
        return lose(link, now_ms);
    }
    return ekws_try_command(link, now_ms);
}

int ekws_is_up(const struct ekws_link *link)
{
    return link && !link->safe;
}

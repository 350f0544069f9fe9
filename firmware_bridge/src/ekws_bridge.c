/* The board's side of the conversation; see SPEC.md. */
#include "ekws_bridge.h"

#include "ekws_answer.h"

#define FIRST_SESSION 1u
#define SPREAD 0x9E3779B1u /* odd, so that a product is never of two numbers */

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
 * A number that no session had before: no two boots and sessions of a boot give the same product,
 * and the host's random nonce keeps boards apart that cannot count their boots.
 */
static uint32_t next_session(struct ekws_link *link)
{
    uint32_t session;

    link->sessions++;
    session = link->nonce ^ (link->boots << 16 | link->sessions) * SPREAD;
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

/* Give the last command its answer, or give it again. */
static int send_answer(struct ekws_link *link, const struct ekws_header *to)
{
    link->waiting = 0;
    if (link->answer == 0) {
        return ekws_answer(link, to, EKWS_TYPE_ACK, 0, 0);
    }
    return ekws_refuse(link, to, (enum ekws_reason)link->answer, link->answer_detail);
}

static uint32_t age_ms(const struct ekws_link *link, uint32_t now_ms)
{
    return link->command.age_ms + (now_ms - link->received_ms);
}

static void settle(struct ekws_link *link, uint8_t reason, uint32_t detail)
{
    link->answer = reason;
    link->answer_detail = detail;
}

/* Carry the last command out if it is still fresh; the answer is settled unless it has to wait. */
static int try_command(struct ekws_link *link, const struct ekws_header *to, uint32_t now_ms)
{
    const struct ekws_config *config = link->config;
    uint32_t age = age_ms(link, now_ms);
    int result;

    if (age >= link->command.time_to_live_ms) {
        settle(link, EKWS_REASON_STALE, age);
    } else if (link->command.label >= config->label_count) {
        settle(link, EKWS_REASON_LABEL, link->command.label);
    } else {
        result = config->execute(config->context, &link->command);
        if (result == EKWS_LATER) {
            return EKWS_OK;
        }
        link->executed += result == 0;
        settle(link, result ? EKWS_REASON_REFUSED : 0, (uint32_t)result);
    }
    return send_answer(link, to);
}

static int on_command(struct ekws_link *link, const struct ekws_header *header,
                      const uint8_t *payload, uint32_t now_ms)
{
    if (header->command == link->command_id && !link->waiting) {
        return send_answer(link, header);
    }
    if (header->command <= link->command_id) {
        link->answer_sequence = header->sequence;
        return EKWS_OK; /* an old frame, or one that waits already */
    }
    link->command_id = header->command;
    link->answer_sequence = header->sequence;
    link->received_ms = now_ms;
    link->waiting = 1;
    ekws_command_read(&link->command, payload);
    return try_command(link, header, now_ms);
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
        return on_command(link, header, payload, now_ms);
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
    static const struct ekws_header unasked = {0, 0, 0, 0, 0, 0, 0};
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
    link->heard_ms = now_ms;
    drive_safe(link);
    return ekws_send_hello(link, &unasked);
}

int ekws_feed(struct ekws_link *link, const uint8_t *bytes, size_t count, uint32_t now_ms)
{
    int error = EKWS_OK, result;

    if (!link || (!bytes && count)) {
        return EKWS_ERROR_ARGUMENT;
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
    struct ekws_header header = {0, 0, 0, 0, 0, 0, 0};

    if (!link) {
        return EKWS_ERROR_ARGUMENT;
    }
    header.session = link->session;
    if (!link->safe && now_ms - link->heard_ms >= link->config->timeout_ms) {
        link->losses++;
        if (link->waiting) { /* it must not move anything out of the safe state */
            link->waiting = 0;
            settle(link, EKWS_REASON_STALE, age_ms(link, now_ms));
        }
        drive_safe(link);
        ekws_tell(link, EKWS_EVENT_DOWN, link->losses);
        return ekws_send_state(link, &header);
    }
    if (link->waiting) {
        header.command = link->command_id;
        header.sequence = link->answer_sequence;
        return try_command(link, &header, now_ms);
    }
    return EKWS_OK;
}

int ekws_is_up(const struct ekws_link *link)
{
    return link && !link->safe;
}

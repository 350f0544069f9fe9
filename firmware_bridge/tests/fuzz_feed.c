/*
 * libFuzzer's entry for the receiving side: any bytes in any portions, with time going on.
 *
 * Half of the inputs are stuffed and get their CRC first, so that the fuzzer reaches what stands
 * behind the decoder. Whatever comes, a command id is carried out at most once in a session.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ekws_bridge.h"

#define HASH 0xC0FFEEu

struct seen {
    struct ekws_link link;
    uint32_t session, command;
};

static int count_bytes(void *context, const uint8_t *bytes, size_t count)
{
    (void)context;
    if (count > EKWS_MAX_WIRE || bytes[0] != 0 || bytes[count - 1] != 0) {
        abort();
    }
    return 0;
}

static int execute(void *context, const struct ekws_command *command)
{
    struct seen *seen = context;

    if (command->score & 1u) {
        return EKWS_LATER;
    }
    if (seen->session == seen->link.session && seen->link.command_id <= seen->command) {
        abort(); /* a second time */
    }
    seen->session = seen->link.session;
    seen->command = seen->link.command_id;
    return 0;
}

static void drive(void *context, uint8_t output, uint16_t value)
{
    (void)context;
    (void)output;
    (void)value;
}

static uint32_t outputs(void *context)
{
    (void)context;
    return 0;
}

static void greet(struct ekws_link *link)
{
    uint8_t payload[EKWS_HELLO_SIZE], wire[EKWS_MAX_WIRE];
    struct ekws_header header = {EKWS_LOWEST_VERSION, EKWS_TYPE_HELLO, 0, 0, 0, 0, EKWS_HELLO_SIZE};
    struct ekws_hello hello = {EKWS_LOWEST_VERSION, EKWS_HIGHEST_VERSION, 0, 0, 0, HASH, 1};

    ekws_hello_write(payload, &hello);
    (void)ekws_feed(link, wire, (size_t)ekws_encode(wire, &header, payload), 0);
}

/* Hand a frame over as it would stand on the wire: header and payload are the fuzzer's. */
static void feed_frame(struct ekws_link *link, const uint8_t *data, size_t size, uint32_t now_ms)
{
    uint8_t wire[EKWS_MAX_WIRE], raw[EKWS_HEADER_SIZE] = {0};
    struct ekws_header header;
    size_t rest = size > EKWS_HEADER_SIZE ? size - EKWS_HEADER_SIZE : 0;

    memcpy(raw, data, size < EKWS_HEADER_SIZE ? size : EKWS_HEADER_SIZE);
    ekws_header_read(&header, raw);
    header.version = EKWS_LOWEST_VERSION;
    header.type %= 8u;
    header.length = (uint8_t)(rest < EKWS_MAX_PAYLOAD ? rest : EKWS_MAX_PAYLOAD);
    if (header.command & 1u) {
        header.session = link->session; /* or hardly any would be of the session */
    }
    (void)ekws_feed(link, wire, (size_t)ekws_encode(wire, &header, data + (size - rest)), now_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ekws_output safe[] = {{0, 0}};
    struct seen seen;
    const struct ekws_config config = {HASH, 12, 700,  1,       safe,  1,
                                       &seen, count_bytes, execute, drive, outputs, 0};
    uint32_t now_ms = 0;

    memset(&seen, 0, sizeof seen);
    (void)ekws_init(&seen.link, &config, 1, 0);
    greet(&seen.link);
    while (size > 1) {
        size_t part = data[0] % 96u;
        int whole = data[0] & 128;

        data++, size--;
        part = part < size ? part : size;
        if (whole) {
            feed_frame(&seen.link, data, part, now_ms);
        } else {
            (void)ekws_feed(&seen.link, data, part, now_ms);
        }
        data += part;
        size -= part;
        now_ms += (uint32_t)part * 5u;
        (void)ekws_poll(&seen.link, now_ms);
    }
    return 0;
}

/* Makes and reads every golden frame with the C library; needs nothing but a C compiler. */
#include <stdio.h>
#include <string.h>

#include "ekws_frame.h"

#define LINE 512

static size_t read_hex(uint8_t *bytes, const char *text)
{
    size_t count = 0;
    unsigned value;

    while (sscanf(text + 2 * count, "%2x", &value) == 1) {
        bytes[count++] = (uint8_t)value;
    }
    return count;
}

static int check(const char *line)
{
    char name[64], payload_text[160], wire_text[200];
    unsigned version, type, flags, sequence, session, command;
    uint8_t payload[EKWS_MAX_PAYLOAD], wire[EKWS_MAX_WIRE], made[EKWS_MAX_WIRE];
    struct ekws_header header, read;
    const uint8_t *found;
    size_t count;

    if (sscanf(line, "%63s %u %u %u %u %u %u %159s %199s", name, &version, &type, &flags, &sequence,
               &session, &command, payload_text, wire_text) != 9) {
        return printf("not understood: %s", line);
    }
    header.version = (uint8_t)version;
    header.type = (uint8_t)type;
    header.flags = (uint8_t)flags;
    header.sequence = (uint8_t)sequence;
    header.session = session;
    header.command = command;
    header.length = (uint8_t)read_hex(payload, payload_text);
    count = read_hex(wire, wire_text);
    if ((size_t)ekws_encode(made, &header, payload) != count || memcmp(made, wire, count) != 0) {
        return printf("%s: made otherwise\n", name);
    }
    if (ekws_decode(wire + 1, count - 2, &read, &found) != EKWS_OK ||
        read.session != header.session || read.length != header.length ||
        memcmp(found, payload, header.length) != 0) {
        return printf("%s: read otherwise\n", name);
    }
    return 0;
}

int main(int count, char **arguments)
{
    FILE *file = count == 2 ? fopen(arguments[1], "r") : 0;
    char line[LINE];
    unsigned frames = 0;

    if (!file) {
        (void)fprintf(stderr, "usage: test_bridge golden_frames.txt\n");
        return 2;
    }
    while (fgets(line, sizeof line, file)) {
        if (line[0] != '#') {
            if (check(line)) {
                return 1;
            }
            frames++;
        }
    }
    (void)fclose(file);
    (void)printf("%u golden frames made and read\n", frames);
    return frames == 0;
}

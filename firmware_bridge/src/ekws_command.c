/* SPDX-License-Identifier: Apache-2.0 */
/* A command is carried out once, while it is fresh; see SPEC.md. */
#include "ekws_command.h"

#include "ekws_answer.h"

/* Give the last command its answer, or give it again. */
static int send_answer(struct ekws_link *link)
{
    struct ekws_header to = {0, 0, 0, 0, 0, 0, 0};

    to.session = link->session;
    to.command = link->command_id;
    to.sequence = link->answer_sequence;
    link->waiting = 0;
    if (link->answer == 0) {
        return ekws_answer(link, &to, EKWS_TYPE_ACK, 0, 0);
    }
    return ekws_refuse(link, &to, (enum ekws_reason)link->answer, link->answer_detail);
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

int ekws_try_command(struct ekws_link *link, uint32_t now_ms)
{
    const struct ekws_config *config = link->config;
    uint32_t age = age_ms(link, now_ms);
    int result;

    if (!link->waiting) {
        return EKWS_OK;
    }
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
    return send_answer(link);
}

void ekws_drop_command(struct ekws_link *link, uint32_t now_ms)
{
    if (link->waiting) {
        link->waiting = 0;
        settle(link, EKWS_REASON_STALE, age_ms(link, now_ms));
    }
}

/*
 * A frame may have waited in the port for as long as the program was busy: since the port was
 * emptied, which was after the poll before the last one.
 */
int ekws_take_command(struct ekws_link *link, const struct ekws_header *header,
                      const uint8_t *payload, uint32_t now_ms)
{
    if (header->command == 0 || header->command < link->command_id) {
        return EKWS_OK; /* of no command, or an old frame */
    }
    link->answer_sequence = header->sequence;
    if (header->command == link->command_id) {
        return link->waiting ? EKWS_OK : send_answer(link);
    }
    link->command_id = header->command;
    link->received_ms = link->looked_ms;
    link->waiting = 1;
    ekws_command_read(&link->command, payload);
    return ekws_try_command(link, now_ms);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a command: internal to the library. */
#ifndef EKWS_COMMAND_H
#define EKWS_COMMAND_H

#include "ekws_bridge.h"

/** Take a COMMAND of the session: carry it out, let it wait, or give its answer again. */
int ekws_take_command(struct ekws_link *link, const struct ekws_header *header,
                      const uint8_t *payload, uint32_t now_ms);

/** Ask about the command that waits, if there is one. */
int ekws_try_command(struct ekws_link *link, uint32_t now_ms);

/** Settle that the command that waits, if there is one, is not carried out any more. */
void ekws_drop_command(struct ekws_link *link, uint32_t now_ms);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the board says: internal to the library. */
#ifndef EKWS_ANSWER_H
#define EKWS_ANSWER_H

#include "ekws_bridge.h"

/** Tell the program's log, if it has one. */
void ekws_tell(const struct ekws_link *link, enum ekws_event event, uint32_t detail);

/** Send a frame that answers `to`: its session, command and sequence number; 0: nobody asked. */
int ekws_answer(const struct ekws_link *link, const struct ekws_header *to, enum ekws_type type,
                const uint8_t *payload, uint8_t length);

/** Answer that `to` is refused, and tell. */
int ekws_refuse(const struct ekws_link *link, const struct ekws_header *to, enum ekws_reason reason,
                uint32_t detail);

/** Say who this board is. */
int ekws_send_hello(const struct ekws_link *link, const struct ekws_header *to);

/** Say what the outputs are. */
int ekws_send_state(const struct ekws_link *link, const struct ekws_header *to);

#endif

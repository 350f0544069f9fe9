/* SPDX-License-Identifier: Apache-2.0 */
/* When posteriors become a detection: smoothing, hysteresis, refractory; its clock is samples.
 *
 * The same decisions as the Python trigger's, in integers: a mean over rows is compared as a sum of steps.
 */
#ifndef EKWS_TRIGGER_H
#define EKWS_TRIGGER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The values of one command; `on` and `off` are sums over `rows` rows of posteriors in steps of 1/256. */
typedef struct {
    uint16_t label; /* the column of its posterior */
    uint16_t rows;
    uint32_t on;
    uint32_t off;
    uint16_t consecutive;
    uint32_t refractory; /* samples */
} ekws_trigger_values;

typedef struct {
    const ekws_trigger_values *commands;
    uint16_t command_count;
    uint16_t label_count;
    uint16_t depth; /* the most rows of a command */
} ekws_trigger_table;

/* What a trigger remembers of one command. */
typedef struct {
    uint64_t last;   /* sample of the last detection */
    uint16_t streak; /* rows in a row at or above `on` */
    uint8_t armed;
    uint8_t fell; /* below `off` since the last detection */
} ekws_trigger_state;

/* Memory of the caller: `command_count` states, and depth rows of one byte per command. */
typedef struct {
    ekws_trigger_state *states;
    uint8_t *rows;
    uint32_t next_id;
} ekws_trigger;

typedef struct {
    uint32_t id;     /* 1 for the first one */
    uint16_t label;  /* index among the labels */
    uint16_t score;  /* in steps of 1/65536 */
    uint64_t sample; /* index just after the last sample that was looked at */
} ekws_detection;

/* Forget the stream; ids go on counting. */
void ekws_trigger_reset(ekws_trigger *trigger, const ekws_trigger_table *table);

/* Take one row of int8 posteriors that ends at a sample; return 1 and fill in `found` where a command fires. */
int ekws_trigger_push(ekws_trigger *trigger, const ekws_trigger_table *table, const int8_t *scores,
                      uint64_t sample, ekws_detection *found);

#ifdef __cplusplus
}
#endif

#endif

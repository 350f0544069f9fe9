/* SPDX-License-Identifier: Apache-2.0 */
/* Decides, row by row, which command was heard. */
#include "ekws_trigger.h"

#include <string.h>

void ekws_trigger_reset(ekws_trigger *trigger, const ekws_trigger_table *table)
{
    memset(trigger->rows, 0, (uint32_t)table->depth * table->command_count);
    for (uint32_t c = 0; c < table->command_count; c++) {
        trigger->states[c] = (ekws_trigger_state){.last = 0, .streak = 0, .armed = 1, .fell = 1};
    }
}

/* Drop the oldest row and write the newest one, as steps above 0, behind the others. */
static void remember(ekws_trigger *trigger, const ekws_trigger_table *table, const int8_t *scores)
{
    const uint32_t width = table->command_count, kept = (table->depth - 1U) * width;
    memmove(trigger->rows, trigger->rows + width, kept);
    for (uint32_t c = 0; c < width; c++) {
        trigger->rows[kept + c] = (uint8_t)(scores[table->commands[c].label] + 128);
    }
}

static uint32_t sum_of(const ekws_trigger *trigger, const ekws_trigger_table *table, uint32_t c)
{
    uint32_t sum = 0;
    for (uint32_t age = 0; age < table->commands[c].rows; age++) {
        sum += trigger->rows[(table->depth - 1U - age) * table->command_count + c];
    }
    return sum;
}

/* Move one command on by a row; tell whether it fires. */
static int advance(ekws_trigger_state *state, const ekws_trigger_values *values, uint32_t sum, uint64_t sample)
{
    if (sum < values->off) {
        state->fell = 1;
    }
    if (state->fell && sample - state->last >= values->refractory) {
        state->armed = 1;
    }
    state->streak = (uint16_t)(sum >= values->on && state->armed ? state->streak + 1 : 0);
    if (state->streak < values->consecutive) {
        return 0;
    }
    *state = (ekws_trigger_state){.last = sample, .streak = 0, .armed = 0, .fell = 0};
    return 1;
}

int ekws_trigger_push(ekws_trigger *trigger, const ekws_trigger_table *table, const int8_t *scores,
                      uint64_t sample, ekws_detection *found)
{
    uint64_t best_sum = 0, best_rows = 1;
    int fired = 0;
    remember(trigger, table, scores);
    for (uint32_t c = 0; c < table->command_count; c++) {
        const ekws_trigger_values *values = &table->commands[c];
        const uint32_t sum = sum_of(trigger, table, c);
        if (!advance(&trigger->states[c], values, sum, sample)) {
            continue;
        }
        if (!fired || sum * best_rows > best_sum * values->rows) { /* the larger mean; of equals the first */
            best_sum = sum;
            best_rows = values->rows;
            found->label = values->label;
        }
        fired = 1;
    }
    if (fired) {
        found->id = ++trigger->next_id;
        found->score = (uint16_t)((best_sum << 8) / best_rows);
        found->sample = sample;
    }
    return fired;
}

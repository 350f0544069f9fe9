/*
 * An example of what a board does with commands, shared by the simulator and the emulated Cortex-M3:
 * a table from labels to outputs, a table of the safe state, and a log of all that happens.
 */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

#include "ekws_bridge.h"

#define BOARD_OUTPUTS 4u

/** What a port gives: where bytes and lines of the log go. */
struct board_port {
    int (*write)(const uint8_t *bytes, size_t count);
    void (*print)(const char *text);
};

/** The board: its link and what its outputs are. */
struct board {
    struct ekws_config config;
    struct ekws_link link;
    const struct board_port *port;
    uint16_t outputs[BOARD_OUTPUTS];
};

/** Start the board for the `boots`th time. */
int board_start(struct board *board, const struct board_port *port, uint32_t boots, uint32_t now_ms);

#endif

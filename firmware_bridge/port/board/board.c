/* What the example board does; its log has one line for every event. */
#include "board.h"

#include "ekws_labels.h"

#define BUILD 1u
#define TIMEOUT_MS 700u
#define NO_ACTION 1 /* the code that a label without an action is refused with */

/** What a label does. */
struct action {
    uint16_t label;
    uint8_t output;
    uint16_t value;
};

static const struct action actions[] = {
    {EKWS_LABEL_ON, 0, 1}, {EKWS_LABEL_OFF, 0, 0}, {EKWS_LABEL_GO, 1, 1},   {EKWS_LABEL_STOP, 1, 0},
    {EKWS_LABEL_UP, 2, 1}, {EKWS_LABEL_DOWN, 2, 0}, {EKWS_LABEL_YES, 3, 1}, {EKWS_LABEL_NO, 3, 0},
};

static const struct ekws_output safe[] = {{0, 0}, {1, 0}, {2, 0}, {3, 0}};

static void print_number(const struct board *board, uint32_t value)
{
    char digits[12];
    char *at = &digits[11];

    *at = '\0';
    do {
        *--at = (char)('0' + value % 10u);
        value /= 10u;
    } while (value);
    *--at = ' ';
    board->port->print(at);
}

static int write_bytes(void *context, const uint8_t *bytes, size_t count)
{
    const struct board *board = context;

    return board->port->write(bytes, count);
}

static void drive(void *context, uint8_t output, uint16_t value)
{
    struct board *board = context;

    board->outputs[output] = value;
    board->port->print("drive");
    print_number(board, output);
    print_number(board, value);
    board->port->print("\n");
}

/* "run SESSION COMMAND LABEL ARGUMENT" */
static void log_command(const struct board *board, const struct ekws_command *command)
{
    board->port->print("run");
    print_number(board, board->link.session);
    print_number(board, board->link.command_id);
    print_number(board, command->label);
    print_number(board, (uint32_t)command->argument);
    board->port->print("\n");
}

static int execute(void *context, const struct ekws_command *command)
{
    struct board *board = context;
    size_t i;

    for (i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (actions[i].label == command->label) {
            log_command(board, command);
            drive(board, actions[i].output, actions[i].value);
            return 0;
        }
    }
    return NO_ACTION;
}

static uint32_t outputs(void *context)
{
    const struct board *board = context;
    uint32_t bits = 0;
    size_t i;

    for (i = 0; i < BOARD_OUTPUTS; i++) {
        bits |= board->outputs[i] ? 1u << i : 0u;
    }
    return bits;
}

static void note(void *context, enum ekws_event event, uint32_t detail)
{
    static const char *const names[] = {"", "up", "down", "refused", "noise"};
    const struct board *board = context;

    board->port->print(names[event]);
    print_number(board, detail);
    board->port->print("\n");
}

int board_start(struct board *board, const struct board_port *port, uint32_t boots, uint32_t now_ms)
{
    struct ekws_config *config = &board->config;

    board->port = port;
    config->labels_hash = EKWS_LABELS_HASH;
    config->label_count = EKWS_LABEL_COUNT;
    config->timeout_ms = TIMEOUT_MS;
    config->build = BUILD;
    config->safe = safe;
    config->safe_count = sizeof safe / sizeof safe[0];
    config->context = board;
    config->write = write_bytes;
    config->execute = execute;
    config->drive = drive;
    config->outputs = outputs;
    config->event = note;
    port->print("boot");
    print_number(board, boots);
    port->print("\n");
    return ekws_init(&board->link, config, boots, now_ms);
}

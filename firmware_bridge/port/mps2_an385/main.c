/* The example board on a bare Cortex-M3 (QEMU's mps2-an385): the link on UART 0, its log on UART 1. */
#include "board.h"
#include "ekws_qemu.h"

#define LINK_UART 0u
#define LOG_UART 1u
#define RING 256u /* a power of two, and 22 ms of a full wire */
#define POWERED 0x656B7773u

/* Kept over a reset, so that no two starts count the same. */
static struct {
    uint32_t mark, boots;
} kept __attribute__((section(".noinit")));

static struct {
    volatile uint32_t in, out;
    volatile uint8_t bytes[RING];
} ring;

void ekws_uart0_received(void)
{
    int byte = ekws_qemu_uart_get(LINK_UART);

    if (byte >= 0 && ring.in - ring.out < RING) { /* what does not fit is a lost frame */
        ring.bytes[ring.in % RING] = (uint8_t)byte;
        ring.in++;
    }
}

static int link_write(const uint8_t *bytes, size_t count)
{
    while (count--) {
        ekws_qemu_uart_put(LINK_UART, *bytes++);
    }
    return 0;
}

static void log_print(const char *text)
{
    ekws_qemu_uart_print(LOG_UART, text);
}

static uint32_t count_boot(void)
{
    kept.boots = kept.mark == POWERED ? kept.boots + 1u : 1u;
    kept.mark = POWERED;
    return kept.boots;
}

int main(void)
{
    static const struct board_port port = {link_write, log_print};
    static struct board board;

    ekws_qemu_uart_open(LINK_UART);
    ekws_qemu_uart_open(LOG_UART);
    ekws_qemu_clock_start();
    ekws_qemu_uart0_interrupt();
    if (board_start(&board, &port, count_boot(), ekws_qemu_milliseconds()) < 0) {
        return 1;
    }
    for (;;) {
        while (ring.out != ring.in) {
            uint8_t byte = ring.bytes[ring.out % RING];

            ring.out++;
            (void)ekws_feed(&board.link, &byte, 1, ekws_qemu_milliseconds());
        }
        (void)ekws_poll(&board.link, ekws_qemu_milliseconds());
        ekws_qemu_sleep();
    }
}

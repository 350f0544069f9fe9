/* Shows that an emulated board lives: echoes UART 0 until "q", then exits with what a float became. */
#include <stdint.h>

#include "ekws_qemu.h"

static volatile float factor = 1.5f; /* in .data, so startup.c has to have copied it */
static uint32_t zero;                /* in .bss */

int main(void)
{
    int byte;

    ekws_qemu_uart_open(0);
    ekws_qemu_uart_open(1);
    ekws_qemu_clock_start();
    ekws_qemu_uart_print(1, "ready\n");
    while ((byte = ekws_qemu_uart_get(0)) != 'q') {
        if (byte >= 0) {
            ekws_qemu_uart_put(0, (uint8_t)byte);
        }
    }
    while (ekws_qemu_milliseconds() < 3 || ekws_qemu_cycles() < 3) {
    }
    ekws_qemu_print("bye\n");
    return (int)(factor * 2.0f) + (int)zero;
}

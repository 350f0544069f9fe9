/*
 * What a program needs of an emulated board: UARTs, a clock, a console and an end.
 *
 * Everything is bare metal of our own: startup.c brings the core up, cortex_m.ld places it, and the
 * folder mps2/ or mps3/ on the include path says where the board keeps its UARTs.
 */
#ifndef EKWS_QEMU_H
#define EKWS_QEMU_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Switch UART `port` on, receiver and transmitter. */
void ekws_qemu_uart_open(unsigned port);

/** Return the next byte that came in on `port`, -1 if there is none. Never waits. */
int ekws_qemu_uart_get(unsigned port);

/** Send one byte on `port`, waiting while the transmitter is busy. */
void ekws_qemu_uart_put(unsigned port, uint8_t byte);

/** Send a text that ends in NUL on `port`. */
void ekws_qemu_uart_print(unsigned port, const char *text);

/**
 * Switch the interrupt on that UART 0 gives when a byte has come; MPS2 boards only. The program
 * defines `ekws_uart0_received`, which has to read the byte.
 */
void ekws_qemu_uart0_interrupt(void);
void ekws_uart0_received(void);

/** Sleep until an interrupt; the clock's comes every millisecond. */
void ekws_qemu_sleep(void);

/** Start the clock that the two functions below read. */
void ekws_qemu_clock_start(void);

/** Return the milliseconds since the clock was started; they wrap after 49 days. */
uint32_t ekws_qemu_milliseconds(void);

/**
 * Return the core clock's cycles since the clock was started, EKWS_CORE_HZ to the second; they wrap.
 * Under `-icount shift=0` QEMU lets one nanosecond pass per instruction, so a difference of cycles
 * times 1e9 / EKWS_CORE_HZ is a count of instructions.
 */
uint32_t ekws_qemu_cycles(void);

/** Print a text on the host's stderr, by semihosting. */
void ekws_qemu_print(const char *text);

/** Print a number in decimal on the host's stderr, by semihosting. */
void ekws_qemu_print_u32(uint32_t value);

/** End the emulator with an exit code, by semihosting. */
void ekws_qemu_exit(int code) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif

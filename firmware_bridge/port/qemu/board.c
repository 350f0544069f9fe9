/* UARTs (Arm CMSDK), SysTick and semihosting of the emulated boards. */
#include "ekws_qemu.h"

#include <stdint.h>

#include "ekws_board.h"

struct uart {
    volatile uint32_t data, state, control, interrupts, divider;
};

struct systick {
    volatile uint32_t control, reload, value;
};

#define SYSTICK ((struct systick *)0xE000E010u)
#define SYSTICK_ON 7u /* counting, with interrupt, on the core's clock */
#define TX_FULL 1u
#define RX_FULL 2u
#define RX_TX_ON 3u
#define RX_INTERRUPT 8u
#define RX_CLEAR 2u
#define NVIC_ENABLE (*(volatile uint32_t *)0xE000E100u)
#define NVIC_PEND (*(volatile uint32_t *)0xE000E200u)
#define BAUD_RATE 115200u
#define INTERRUPT_STATE (*(volatile uint32_t *)0xE000ED04u)
#define SYSTICK_PENDING (1u << 26)
#define CYCLES_PER_MS (EKWS_CORE_HZ / 1000u)

#define SYS_WRITE0 0x04
#define SYS_EXIT_EXTENDED 0x20
#define STOPPED_BY_APPLICATION 0x20026u

static volatile uint32_t milliseconds;

void ekws_systick(void);

static struct uart *uart(unsigned port)
{
    return (struct uart *)(EKWS_UART_BASE + port * EKWS_UART_STEP);
}

void ekws_qemu_uart_open(unsigned port)
{
    uart(port)->divider = EKWS_CORE_HZ / BAUD_RATE;
    uart(port)->control = RX_TX_ON;
}

int ekws_qemu_uart_get(unsigned port)
{
    if (!(uart(port)->state & RX_FULL)) {
        return -1;
    }
    uart(port)->interrupts = RX_CLEAR; /* before the byte is read, or the next one's would go too */
    return (int)(uart(port)->data & 0xFFu);
}

void ekws_qemu_uart_put(unsigned port, uint8_t byte)
{
    while (uart(port)->state & TX_FULL) {
    }
    uart(port)->data = byte;
}

void ekws_qemu_uart_print(unsigned port, const char *text)
{
    while (*text) {
        ekws_qemu_uart_put(port, (uint8_t)*text++);
    }
}

void ekws_qemu_uart0_interrupt(void)
{
    uart(0)->control |= RX_INTERRUPT;
    NVIC_PEND = 1u; /* a byte that came before gives no interrupt by itself, and blocks all others */
    NVIC_ENABLE = 1u;
}

void ekws_qemu_sleep(void)
{
    __asm volatile("wfi" ::: "memory");
}

void ekws_systick(void)
{
    milliseconds++;
}

void ekws_qemu_clock_start(void)
{
    milliseconds = 0;
    SYSTICK->reload = CYCLES_PER_MS - 1u;
    SYSTICK->value = 0;
    SYSTICK->control = SYSTICK_ON;
}

uint32_t ekws_qemu_milliseconds(void)
{
    return milliseconds;
}

uint32_t ekws_qemu_cycles(void)
{
    uint32_t before, left;

    do { /* a tick between the two reads, or one not counted yet, would tear them apart */
        before = milliseconds;
        left = SYSTICK->value;
    } while (before != milliseconds || INTERRUPT_STATE & SYSTICK_PENDING);
    return before * CYCLES_PER_MS + (CYCLES_PER_MS - 1u - left);
}

static int semihost(int operation, const void *argument)
{
    register int r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;

    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void ekws_qemu_print(const char *text)
{
    (void)semihost(SYS_WRITE0, text);
}

void ekws_qemu_print_u32(uint32_t value)
{
    char digits[11];
    char *at = &digits[10];

    *at = '\0';
    do {
        *--at = (char)('0' + value % 10u);
        value /= 10u;
    } while (value);
    ekws_qemu_print(at);
}

void ekws_qemu_exit(int code)
{
    const uint32_t block[2] = {STOPPED_BY_APPLICATION, (uint32_t)code};

    for (;;) {
        (void)semihost(SYS_EXIT_EXTENDED, block);
    }
}

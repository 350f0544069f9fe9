/* Brings a Cortex-M up: vectors, FPU, data and bss, then main; a fault ends the emulator. */
#include <stdint.h>

#include "ekws_qemu.h"

#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define CPACR_FPU 0x00F00000u /* full access to coprocessors 10 and 11 */
#define EXIT_FAULT 70

extern uint32_t ekws_stack_top[], ekws_data_load[], ekws_data_start[], ekws_data_end[];
extern uint32_t ekws_bss_start[], ekws_bss_end[];

int main(void);
void ekws_reset(void);
void ekws_systick(void);
void ekws_uart0_received(void);

static void enable_fpu(void)
{
#ifdef __ARM_FP
    CPACR |= CPACR_FPU;
    __asm volatile("dsb\n isb" ::: "memory");
#endif
}

static void fault(void)
{
    ekws_qemu_print("fault: the program was stopped\n");
    ekws_qemu_exit(EXIT_FAULT);
}

void ekws_reset(void)
{
    const uint32_t *from = ekws_data_load;
    uint32_t *to;

    for (to = ekws_data_start; to != ekws_data_end; to++) {
        *to = *from++;
    }
    for (to = ekws_bss_start; to != ekws_bss_end; to++) {
        *to = 0;
    }
    enable_fpu();
    ekws_qemu_exit(main());
}

/* A program that switches the interrupt of the first UART on defines this itself. */
__attribute__((weak)) void ekws_uart0_received(void)
{
    fault();
}

typedef void (*vector)(void);

struct vectors {
    uint32_t *stack;
    vector handlers[16]; /* 15 of the core, and interrupt 0, which is UART 0's on the MPS2 boards */
};

__attribute__((section(".vectors"), used)) static const struct vectors table = {
    ekws_stack_top,
    {ekws_reset, fault, fault, fault, fault, fault, fault, 0, 0, 0, fault, fault, 0, fault,
     ekws_systick, ekws_uart0_received}};

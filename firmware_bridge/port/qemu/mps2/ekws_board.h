/* The mps2-an385 (Cortex-M3) and mps2-an386 (Cortex-M4F), as Arm's application notes describe them. */
#ifndef EKWS_BOARD_H
#define EKWS_BOARD_H

#define EKWS_CORE_HZ 25000000u
#define EKWS_UART_BASE 0x40004000u
#define EKWS_UART_STEP 0x1000u

#endif

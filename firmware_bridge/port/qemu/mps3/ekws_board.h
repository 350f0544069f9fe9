/* The mps3-an547 (Cortex-M55); the core starts in the secure state and sees the secure aliases. */
#ifndef EKWS_BOARD_H
#define EKWS_BOARD_H

#define EKWS_CORE_HZ 32000000u
#define EKWS_UART_BASE 0x59303000u
#define EKWS_UART_STEP 0x1000u

#endif

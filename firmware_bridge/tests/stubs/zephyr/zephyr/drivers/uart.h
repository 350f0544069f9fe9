/* Declarations of Zephyr that port/zephyr uses. */
#ifndef STUB_ZEPHYR_UART_H
#define STUB_ZEPHYR_UART_H
#include <zephyr/device.h>
int uart_poll_in(const struct device *device, unsigned char *byte);
void uart_poll_out(const struct device *device, unsigned char byte);
#endif

/* Declarations of the Pico SDK that port/pico uses. */
#ifndef STUB_HARDWARE_UART_H
#define STUB_HARDWARE_UART_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
typedef struct uart_inst uart_inst_t;
extern uart_inst_t *const uart0;
unsigned int uart_init(uart_inst_t *uart, unsigned int baud);
void uart_write_blocking(uart_inst_t *uart, const uint8_t *bytes, size_t count);
bool uart_is_readable(uart_inst_t *uart);
char uart_getc(uart_inst_t *uart);
#endif

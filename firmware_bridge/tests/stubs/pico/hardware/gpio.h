/* Declarations of the Pico SDK that port/pico uses. */
#ifndef STUB_HARDWARE_GPIO_H
#define STUB_HARDWARE_GPIO_H
#include <stdbool.h>
typedef unsigned int uint;
enum gpio_function { GPIO_FUNC_UART = 2 };
#define GPIO_OUT 1
void gpio_init(uint gpio);
void gpio_set_dir(uint gpio, bool out);
void gpio_set_function(uint gpio, enum gpio_function function);
void gpio_put(uint gpio, bool value);
bool gpio_get(uint gpio);
#endif

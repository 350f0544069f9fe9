/* Declarations of Zephyr that port/zephyr uses. */
#ifndef STUB_ZEPHYR_GPIO_H
#define STUB_ZEPHYR_GPIO_H
#include <stdint.h>
struct gpio_dt_spec {
    uint8_t pin;
};
#define DT_ALIAS(name) name
#define GPIO_DT_SPEC_GET(node, property) {0}
#define GPIO_OUTPUT_INACTIVE 1
int gpio_pin_configure_dt(const struct gpio_dt_spec *spec, uint32_t flags);
int gpio_pin_set_dt(const struct gpio_dt_spec *spec, int value);
int gpio_pin_get_dt(const struct gpio_dt_spec *spec);
#endif

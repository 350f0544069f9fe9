/* Declarations of Zephyr that port/zephyr uses: enough to compile it without Zephyr. */
#ifndef STUB_ZEPHYR_DEVICE_H
#define STUB_ZEPHYR_DEVICE_H
#include <stdbool.h>
#include <stdint.h>
struct device {
    const char *name;
};
extern const struct device stub_uart;
#define DT_CHOSEN(name) name
#define DEVICE_DT_GET(node) (&stub_uart)
bool device_is_ready(const struct device *device);
#endif

/* Declarations of Zephyr that port/zephyr uses. */
#ifndef STUB_ZEPHYR_KERNEL_H
#define STUB_ZEPHYR_KERNEL_H
#include <stdint.h>
uint32_t k_uptime_get_32(void);
int32_t k_msleep(int32_t milliseconds);
#endif

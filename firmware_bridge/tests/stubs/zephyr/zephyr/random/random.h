/* Declarations of Zephyr that port/zephyr uses. */
#ifndef STUB_ZEPHYR_RANDOM_H
#define STUB_ZEPHYR_RANDOM_H
#include <stdint.h>
uint32_t sys_rand32_get(void);
#endif

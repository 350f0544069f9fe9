/* Declarations of Zephyr that port/zephyr uses. */
#ifndef STUB_ZEPHYR_RING_BUFFER_H
#define STUB_ZEPHYR_RING_BUFFER_H
#include <stdint.h>
struct ring_buf {
    uint8_t *bytes;
    uint32_t size;
};
#define RING_BUF_DECLARE(name, count)    \
    static uint8_t name##_bytes[count]; \
    static struct ring_buf name = {name##_bytes, count}
uint32_t ring_buf_put(struct ring_buf *ring, const uint8_t *bytes, uint32_t size);
uint32_t ring_buf_get(struct ring_buf *ring, uint8_t *bytes, uint32_t size);
#endif

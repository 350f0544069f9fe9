/* Declarations of ESP-IDF that port/esp_idf uses; FreeRTOS counts 100 ticks to the second there. */
#ifndef STUB_FREERTOS_H
#define STUB_FREERTOS_H
#include <stdint.h>
typedef uint32_t TickType_t;
#define pdMS_TO_TICKS(milliseconds) ((TickType_t)((milliseconds) * 100 / 1000))
#endif

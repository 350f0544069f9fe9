/* Declarations of ESP-IDF that port/esp_idf uses. */
#ifndef STUB_DRIVER_GPIO_H
#define STUB_DRIVER_GPIO_H
#include <stdint.h>

#include "esp_err.h"
typedef enum { GPIO_NUM_2 = 2, GPIO_NUM_MAX = 40 } gpio_num_t;
typedef enum { GPIO_MODE_INPUT_OUTPUT = 3 } gpio_mode_t;
esp_err_t gpio_set_direction(gpio_num_t pin, gpio_mode_t mode);
esp_err_t gpio_set_level(gpio_num_t pin, uint32_t level);
int gpio_get_level(gpio_num_t pin);
#endif

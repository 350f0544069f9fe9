/* Declarations of ESP-IDF that port/esp_idf uses: enough to compile it without ESP-IDF. */
#ifndef STUB_ESP_ERR_H
#define STUB_ESP_ERR_H
typedef int esp_err_t;
#define ESP_OK 0
#define ESP_ERROR_CHECK(call) ((void)(call))
#endif

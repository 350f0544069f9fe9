/*
 * An ESP32 as the board: "on" and "off" switch GPIO 2, which is low without a host.
 *
 * UART 1 on GPIO 17 (to the host's receiver) and GPIO 16, 115,200 baud; UART 0 stays the console.
 * The project's CMakeLists.txt sets EXTRA_COMPONENT_DIRS to the folder above this one.
 */
#include "driver/gpio.h"
#include "driver/uart.h"
#include "ekws_bridge.h"
#include "ekws_labels.h"
#include "esp_random.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"

#define PORT UART_NUM_1
#define BAUD 115200
#define UART_TX 17
#define UART_RX 16
#define QUEUE 512 /* 44 ms of a full wire */
#define PORTION 64
#define PATIENCE (pdMS_TO_TICKS(5) + 1) /* a tick has 10 ms as ESP-IDF comes, and 0 ticks starve others */
#define LAMP GPIO_NUM_2
#define TIMEOUT_MS 700u
#define NO_ACTION 1

static int link_write(void *context, const uint8_t *bytes, size_t count)
{
    (void)context;
    return uart_write_bytes(PORT, bytes, count) == (int)count ? 0 : -1;
}

static int execute(void *context, const struct ekws_command *command)
{
    (void)context;
    switch (command->label) {
    case EKWS_LABEL_ON:
        return gpio_set_level(LAMP, 1) == ESP_OK ? 0 : NO_ACTION;
    case EKWS_LABEL_OFF:
        return gpio_set_level(LAMP, 0) == ESP_OK ? 0 : NO_ACTION;
    default:
        return NO_ACTION;
    }
}

static void drive(void *context, uint8_t output, uint16_t value)
{
    (void)context;
    (void)gpio_set_level((gpio_num_t)output, value != 0);
}

static uint32_t outputs(void *context)
{
    (void)context;
    return gpio_get_level(LAMP) ? 1u << LAMP : 0u;
}

static const struct ekws_output safe[] = {{LAMP, 0}};

static const struct ekws_config config = {
    .labels_hash = EKWS_LABELS_HASH,
    .label_count = EKWS_LABEL_COUNT,
    .timeout_ms = TIMEOUT_MS,
    .build = 1,
    .safe = safe,
    .safe_count = sizeof safe / sizeof safe[0],
    .write = link_write,
    .execute = execute,
    .drive = drive,
    .outputs = outputs,
};

static uint32_t now_ms(void)
{
    return (uint32_t)(esp_timer_get_time() / 1000);
}

/* The level of an output can be read only where it is an input as well. */
static void set_up(void)
{
    static const uart_config_t line = {
        .baud_rate = BAUD,
        .data_bits = UART_DATA_8_BITS,
        .parity = UART_PARITY_DISABLE,
        .stop_bits = UART_STOP_BITS_1,
        .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
        .source_clk = UART_SCLK_DEFAULT,
    };

    ESP_ERROR_CHECK(uart_driver_install(PORT, QUEUE, QUEUE, 0, 0, 0));
    ESP_ERROR_CHECK(uart_param_config(PORT, &line));
    ESP_ERROR_CHECK(uart_set_pin(PORT, UART_TX, UART_RX, UART_PIN_NO_CHANGE, UART_PIN_NO_CHANGE));
    ESP_ERROR_CHECK(gpio_set_direction(LAMP, GPIO_MODE_INPUT_OUTPUT));
}

void app_main(void)
{
    static struct ekws_link link;
    uint8_t bytes[PORTION];

    set_up();
    if (ekws_init(&link, &config, esp_random(), now_ms()) == EKWS_ERROR_ARGUMENT) {
        return;
    }
    for (;;) {
        int count = uart_read_bytes(PORT, bytes, 1, PATIENCE);

        while (count > 0) {
            (void)ekws_feed(&link, bytes, (size_t)count, now_ms());
            count = uart_read_bytes(PORT, bytes, sizeof bytes, 0);
        }
        (void)ekws_poll(&link, now_ms());
    }
}

/*
 * A Raspberry Pi Pico as the board: "on" and "off" switch GPIO 15, which is low without a host.
 *
 * UART 0 on GPIO 0 (to the host's receiver) and GPIO 1, 115,200 baud; of a Raspberry Pi as the host
 * these are pins 10 and 8, and `device = "/dev/serial0"`. Copy include/, src/ and the headers of
 * `edgekws link generate` beside this file, or point EDGEKWS in CMakeLists.txt at them.
 */
#include "ekws_bridge.h"
#include "ekws_labels.h"
#include "hardware/gpio.h"
#include "hardware/uart.h"
#include "pico/rand.h"
#include "pico/stdlib.h"

#define BAUD 115200u
#define UART_TX 0u
#define UART_RX 1u
#define LAMP 15u
#define TIMEOUT_MS 700u
#define NO_ACTION 1

static int link_write(void *context, const uint8_t *bytes, size_t count)
{
    (void)context;
    uart_write_blocking(uart0, bytes, count);
    return 0;
}

static int execute(void *context, const struct ekws_command *command)
{
    (void)context;
    switch (command->label) {
    case EKWS_LABEL_ON:
        gpio_put(LAMP, true);
        return 0;
    case EKWS_LABEL_OFF:
        gpio_put(LAMP, false);
        return 0;
    default:
        return NO_ACTION;
    }
}

static void drive(void *context, uint8_t output, uint16_t value)
{
    (void)context;
    gpio_put(output, value != 0);
}

static uint32_t outputs(void *context)
{
    (void)context;
    return gpio_get(LAMP) ? 1u << LAMP : 0u;
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
    return to_ms_since_boot(get_absolute_time());
}

int main(void)
{
    static struct ekws_link link;

    (void)uart_init(uart0, BAUD);
    gpio_set_function(UART_TX, GPIO_FUNC_UART);
    gpio_set_function(UART_RX, GPIO_FUNC_UART);
    gpio_init(LAMP);
    gpio_set_dir(LAMP, GPIO_OUT);
    if (ekws_init(&link, &config, get_rand_32(), now_ms()) < 0) {
        return 1;
    }
    for (;;) {
        while (uart_is_readable(uart0)) {
            uint8_t byte = (uint8_t)uart_getc(uart0);

            (void)ekws_feed(&link, &byte, 1, now_ms());
        }
        (void)ekws_poll(&link, now_ms());
    }
}

/*
 * A Zephyr board: "on" and "off" switch the pin of the alias led0, which is off without a host.
 * The link is the UART that the devicetree chooses as `edgekws,link`.
 */
#include <zephyr/device.h>
#include <zephyr/drivers/gpio.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/random/random.h>

#include "ekws_bridge.h"
#include "ekws_labels.h"

#define TIMEOUT_MS 700u
#define NO_ACTION 1
#define POLL_MS 1

static const struct gpio_dt_spec lamp = GPIO_DT_SPEC_GET(DT_ALIAS(led0), gpios);

static int link_write(void *context, const uint8_t *bytes, size_t count)
{
    const struct device *uart = context;

    while (count--) {
        uart_poll_out(uart, *bytes++);
    }
    return 0;
}

static int execute(void *context, const struct ekws_command *command)
{
    (void)context;
    switch (command->label) {
    case EKWS_LABEL_ON:
        return gpio_pin_set_dt(&lamp, 1) ? NO_ACTION : 0;
    case EKWS_LABEL_OFF:
        return gpio_pin_set_dt(&lamp, 0) ? NO_ACTION : 0;
    default:
        return NO_ACTION;
    }
}

static void drive(void *context, uint8_t output, uint16_t value)
{
    (void)context;
    (void)output;
    (void)gpio_pin_set_dt(&lamp, value != 0);
}

static uint32_t outputs(void *context)
{
    (void)context;
    return gpio_pin_get_dt(&lamp) > 0 ? 1u : 0u;
}

int main(void)
{
    static const struct ekws_output safe[] = {{0, 0}};
    static struct ekws_config config = {
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
    static struct ekws_link link;
    const struct device *uart = DEVICE_DT_GET(DT_CHOSEN(edgekws_link));
    uint8_t byte;

    config.context = (void *)(uintptr_t)uart;
    if (!device_is_ready(uart) || gpio_pin_configure_dt(&lamp, GPIO_OUTPUT_INACTIVE)) {
        return 1;
    }
    if (ekws_init(&link, &config, sys_rand32_get(), k_uptime_get_32()) < 0) {
        return 1;
    }
    for (;;) {
        while (uart_poll_in(uart, &byte) == 0) {
            (void)ekws_feed(&link, &byte, 1, k_uptime_get_32());
        }
        (void)ekws_poll(&link, k_uptime_get_32());
        (void)k_msleep(POLL_MS);
    }
}

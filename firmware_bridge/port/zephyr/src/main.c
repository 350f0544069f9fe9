/*
 * A Zephyr board: "on" and "off" switch the pin of the alias led0, which is off without a host.
 * The link is the UART that the devicetree chooses as `edgekws,link`.
 *
 * prj.conf: CONFIG_EDGEKWS_BRIDGE=y, CONFIG_GPIO=y, CONFIG_SERIAL=y, CONFIG_UART_INTERRUPT_DRIVEN=y,
 * CONFIG_RING_BUFFER=y, CONFIG_ENTROPY_GENERATOR=y (or CONFIG_TEST_RANDOM_GENERATOR=y).
 */
#include <zephyr/device.h>
#include <zephyr/drivers/gpio.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/random/random.h>
#include <zephyr/sys/ring_buffer.h>

#include "ekws_bridge.h"
#include "ekws_labels.h"

#define TIMEOUT_MS 700u
#define NO_ACTION 1
#define POLL_MS 1
#define RING 256 /* 22 ms of a full wire */
#define PORTION 32

RING_BUF_DECLARE(received, RING);

static const struct gpio_dt_spec lamp = GPIO_DT_SPEC_GET(DT_ALIAS(led0), gpios);

/* A UART without a queue has room for one byte, and the next one comes after 87 microseconds. */
static void on_interrupt(const struct device *uart, void *context)
{
    uint8_t byte;

    (void)context;
    while (uart_irq_update(uart) && uart_irq_rx_ready(uart)) {
        if (uart_fifo_read(uart, &byte, 1) == 1) {
            (void)ring_buf_put(&received, &byte, 1); /* what does not fit is a lost frame */
        }
    }
}

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

static void hand_over(struct ekws_link *link)
{
    uint8_t bytes[PORTION];
    uint32_t count = ring_buf_get(&received, bytes, sizeof bytes);

    while (count > 0) {
        (void)ekws_feed(link, bytes, count, k_uptime_get_32());
        count = ring_buf_get(&received, bytes, sizeof bytes);
    }
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

    config.context = (void *)(uintptr_t)uart;
    if (!device_is_ready(uart) || gpio_pin_configure_dt(&lamp, GPIO_OUTPUT_INACTIVE) ||
        uart_irq_callback_user_data_set(uart, on_interrupt, 0)) {
        return 1;
    }
    uart_irq_rx_enable(uart);
    if (ekws_init(&link, &config, sys_rand32_get(), k_uptime_get_32()) < 0) {
        return 1;
    }
    for (;;) {
        hand_over(&link);
        (void)ekws_poll(&link, k_uptime_get_32());
        (void)k_msleep(POLL_MS);
    }
}

/* The keyword spotter on an emulated Cortex-M: golden audio in, detections and costs out over UART 0.
 *
 * Run with `-icount shift=0`, where one nanosecond of the emulator passes per instruction: then cycles of the core's
 * clock count instructions, EKWS_INSTRUCTIONS_PER_CYCLE each.
 */
#include "ekws_board.h"
#include "ekws_qemu.h"
#include "golden_check.h"

#define UART 0u
#define EKWS_INSTRUCTIONS_PER_CYCLE (1000000000u / EKWS_CORE_HZ)
#define PAINT 0xA5A5A5A5u
#define PAINTED_WORDS 2048u /* more than anything here takes */
#define SKIPPED_WORDS 64u   /* just below the stack of main, which painting itself uses */

static void print_number(uint32_t value)
{
    char digits[11];
    char *at = &digits[10];
    *at = '\0';
    do {
        *--at = (char)('0' + value % 10u);
        value /= 10u;
    } while (value);
    ekws_qemu_uart_print(UART, at);
}

static void print_field(const char *name, uint32_t value)
{
    ekws_qemu_uart_print(UART, name);
    print_number(value);
}

static void print_detection(void *context, const ekws_detection *found)
{
    (void)context;
    print_field("detection ", (uint32_t)found->sample);
    print_field(" score ", found->score);
    ekws_qemu_uart_print(UART, " ");
    ekws_qemu_uart_print(UART, ekws_model_labels[found->label]);
    ekws_qemu_uart_print(UART, "\n");
}

static void keep_quiet(void *context, const ekws_detection *found)
{
    (void)context;
    (void)found;
}

/* Fill the free stack below this frame, so that what a call used can be told afterwards. */
static volatile uint32_t *paint_stack(void)
{
    volatile uint32_t *top = (volatile uint32_t *)__builtin_frame_address(0) - SKIPPED_WORDS;
    for (uint32_t i = 1; i <= PAINTED_WORDS; i++) {
        top[-(int32_t)i] = PAINT;
    }
    return top;
}

static uint32_t painted_over(const volatile uint32_t *top)
{
    uint32_t words = PAINTED_WORDS;
    while (words > 0 && top[-(int32_t)words] == PAINT) {
        words--;
    }
    return (words + SKIPPED_WORDS) * 4u;
}

static void check(const char *name, const ekws_model *model, uint64_t *memory, uint32_t *failures)
{
    const ekws_golden_result result = ekws_golden_check(model, memory);
    const int passed = ekws_golden_passed(&result);
    ekws_qemu_uart_print(UART, passed ? "pass " : "FAIL ");
    ekws_qemu_uart_print(UART, name);
    print_field(" features_off ", result.features_off);
    print_field(" feature_steps ", result.feature_steps);
    print_field(" scores_off ", result.scores_off);
    print_field(" detections ", result.whole.count);
    print_field(" wrong ", result.judged.wrong + result.whole.wrong);
    print_field(" samples_apart ", result.whole.samples_apart);
    print_field(" score_steps ", result.whole.score_steps);
    ekws_qemu_uart_print(UART, "\n");
    *failures += !passed;
}

static uint32_t cycles_of_push(ekws_kws *kws, uint32_t at)
{
    const uint32_t left = ekws_golden.samples - at;
    const uint32_t before = ekws_qemu_cycles();
    ekws_kws_push(kws, ekws_golden.pcm + at, left < EKWS_MODEL_HOP ? left : EKWS_MODEL_HOP, keep_quiet, 0);
    return ekws_qemu_cycles() - before;
}

/* Hear the golden audio once more, a hop at a time, and count. */
static void measure(const char *name, const ekws_model *model, uint64_t *memory)
{
    uint32_t cycles = 0, longest = 0;
    ekws_kws kws;
    if (ekws_kws_init(&kws, model, memory, EKWS_MODEL_MEMORY) != EKWS_KWS_OK) {
        return;
    }
    const volatile uint32_t *top = paint_stack();
    for (uint32_t at = 0; at < ekws_golden.samples; at += EKWS_MODEL_HOP) {
        const uint32_t push = cycles_of_push(&kws, at);
        cycles += push;
        longest = push > longest ? push : longest;
    }
    const uint64_t all = (uint64_t)cycles * EKWS_INSTRUCTIONS_PER_CYCLE * EKWS_MODEL_SAMPLE_RATE;
    ekws_qemu_uart_print(UART, name);
    print_field(" instructions_per_second ", (uint32_t)(all / ekws_golden.samples));
    print_field(" longest_push ", longest * EKWS_INSTRUCTIONS_PER_CYCLE);
    print_field(" stack ", painted_over(top));
    print_field(" memory ", EKWS_MODEL_MEMORY);
    print_field(" object ", sizeof kws);
    ekws_qemu_uart_print(UART, "\n");
}

int main(void)
{
    static uint64_t memory[EKWS_MODEL_MEMORY / 8];
    uint32_t failures = 0;
    ekws_kws kws;
    ekws_qemu_uart_open(UART);
    ekws_qemu_clock_start();
    ekws_qemu_uart_print(UART, "instructions are those of qemu -icount shift=0\n");
    if (ekws_kws_init(&kws, &ekws_model_fixed, memory, sizeof memory) != EKWS_KWS_OK) {
        return 1;
    }
    ekws_kws_push(&kws, ekws_golden.pcm, ekws_golden.samples, print_detection, 0);
    check("fixed", &ekws_model_fixed, memory, &failures);
    measure("fixed", &ekws_model_fixed, memory);
#ifdef __ARM_FP
    check("float", &ekws_model_float, memory, &failures);
    measure("float", &ekws_model_float, memory);
#endif
    return (int)failures;
}

/* Host program: raw int16 samples on stdin, a line "sample label score" for each detection on stdout. */
#include <stdio.h>
#include <string.h>

#include "model_meta.h"

static void print(void *context, const ekws_detection *found)
{
    const char *const *labels = context;
    printf("%llu %s %.6f\n", (unsigned long long)found->sample, labels[found->label], found->score / 65536.0);
}

int main(int count, char **arguments)
{
    static uint64_t memory[EKWS_MODEL_MEMORY / 8];
    const int real = count > 1 && strcmp(arguments[1], "--float") == 0;
    const char *const *labels = ekws_model_labels;
    int16_t pcm[256];
    ekws_kws kws;
    if (ekws_kws_init(&kws, real ? &ekws_model_float : &ekws_model_fixed, memory, sizeof memory) != EKWS_KWS_OK) {
        return 1;
    }
    for (;;) {
        const size_t read = fread(pcm, sizeof pcm[0], sizeof pcm / sizeof pcm[0], stdin);
        if (read == 0) {
            return 0;
        }
        ekws_kws_push(&kws, pcm, (uint32_t)read, print, (void *)labels);
    }
}

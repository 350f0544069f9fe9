// Prints what is heard. Samples come from your microphone's driver: call hear() with each portion.
#include <model_meta.h>

static uint64_t memory[EKWS_MODEL_MEMORY / 8];
static ekws_kws kws;

static void heard(void *context, const ekws_detection *found) {
  (void)context;
  Serial.println(ekws_model_labels[found->label]);
  digitalWrite(LED_BUILTIN, !digitalRead(LED_BUILTIN));
}

void hear(const int16_t *samples, size_t count) {
  ekws_kws_push(&kws, samples, (uint32_t)count, heard, nullptr);
}

void setup() {
  Serial.begin(115200);
  pinMode(LED_BUILTIN, OUTPUT);
  if (ekws_kws_init(&kws, &ekws_model_fixed, memory, sizeof memory) != EKWS_KWS_OK) {
    Serial.println("not enough memory for the model");
  }
}

// 20 ms of samples from a recorder on the serial port; replace it by PDM or I2S of your board.
void loop() {
  static int16_t samples[320];
  if (Serial.available() >= (int)sizeof samples) {
    Serial.readBytes((char *)samples, sizeof samples);
    hear(samples, sizeof samples / sizeof samples[0]);
  }
}

/*
 * An Arduino as the board: "on" and "off" switch the built-in LED, which is dark without a host.
 *
 * Copy the files of include/ and src/ and the headers of `edgekws link generate` into this folder.
 * The link is the USB serial port, so nothing else may print to it. An Uno or Nano restarts whenever
 * the host opens that port, and is there two seconds later.
 */
#include <EEPROM.h>

#include "ekws_bridge.h"
#include "ekws_labels.h"

static const unsigned long BAUD = 115200;
static const int BOOTS_ADDRESS = 0;
static const uint16_t TIMEOUT_MS = 700;
static const int NO_ACTION = 1;

static ekws_link bridge;

static int linkWrite(void *, const uint8_t *bytes, size_t count) {
  return Serial.write(bytes, count) == count ? 0 : -1;
}

static int execute(void *, const ekws_command *command) {
  switch (command->label) {
    case EKWS_LABEL_ON:
      digitalWrite(LED_BUILTIN, HIGH);
      return 0;
    case EKWS_LABEL_OFF:
      digitalWrite(LED_BUILTIN, LOW);
      return 0;
    default:
      return NO_ACTION;
  }
}

static void drive(void *, uint8_t output, uint16_t value) {
  digitalWrite(output, value ? HIGH : LOW);
}

static uint32_t outputs(void *) {
  return digitalRead(LED_BUILTIN) == HIGH ? 1 : 0;
}

static const ekws_output safeState[] = {{LED_BUILTIN, 0}};

static const ekws_config config = {EKWS_LABELS_HASH, EKWS_LABEL_COUNT, TIMEOUT_MS, 1, safeState, 1,
                                   nullptr, linkWrite, execute, drive, outputs, nullptr};

/* No two starts may count the same; a cell of the EEPROM lasts for 100,000 of them. */
static uint32_t countBoot() {
  uint32_t boots = 0;
  EEPROM.get(BOOTS_ADDRESS, boots);
  boots++;
  EEPROM.put(BOOTS_ADDRESS, boots);
  return boots;
}

void setup() {
  pinMode(LED_BUILTIN, OUTPUT);
  Serial.begin(BAUD);
  ekws_init(&bridge, &config, countBoot(), millis());
}

void loop() {
  while (Serial.available() > 0) {
    const uint8_t byte = static_cast<uint8_t>(Serial.read());
    ekws_feed(&bridge, &byte, 1, millis());
  }
  ekws_poll(&bridge, millis());
}

/* Declarations of Arduino's EEPROM library that port/arduino uses. */
#ifndef STUB_EEPROM_H
#define STUB_EEPROM_H
class Eeprom {
 public:
  template <typename T>
  T &get(int address, T &value);
  template <typename T>
  const T &put(int address, const T &value);
};
extern Eeprom EEPROM;
#endif

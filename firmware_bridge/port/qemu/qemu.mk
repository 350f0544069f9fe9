# Flags of the three emulated boards, for a Makefile that includes this file:
#   $(QEMU_CC) $(QEMU_FLAGS_m3) -o program.elf program.c $(QEMU_SOURCES) $(QEMU_LINK)
#   $(QEMU_RUN_m3) -kernel program.elf
# m3 is mps2-an385 (Cortex-M3), m4 is mps2-an386 (Cortex-M4F), m55 is mps3-an547 (Cortex-M55).
QEMU_DIR := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
QEMU_CC ?= arm-none-eabi-gcc
QEMU ?= qemu-system-arm

QEMU_WARNINGS := -std=c99 -Wall -Wextra -Wconversion -Wshadow -pedantic -Werror
QEMU_COMMON := -mthumb -Os -g -ffunction-sections -fdata-sections $(QEMU_WARNINGS) -I$(QEMU_DIR)
QEMU_FLAGS_m3 := -mcpu=cortex-m3 $(QEMU_COMMON) -I$(QEMU_DIR)/mps2
QEMU_FLAGS_m4 := -mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16 $(QEMU_COMMON) -I$(QEMU_DIR)/mps2
QEMU_FLAGS_m55 := -mcpu=cortex-m55 -mfloat-abi=hard $(QEMU_COMMON) -I$(QEMU_DIR)/mps3
QEMU_SOURCES := $(QEMU_DIR)/startup.c $(QEMU_DIR)/board.c
QEMU_LINK := -nostartfiles --specs=nano.specs -Wl,--gc-sections -T $(QEMU_DIR)/cortex_m.ld

QEMU_QUIET := -display none -monitor none -semihosting-config enable=on,target=native
QEMU_RUN_m3 := $(QEMU) -M mps2-an385 $(QEMU_QUIET)
QEMU_RUN_m4 := $(QEMU) -M mps2-an386 $(QEMU_QUIET)
QEMU_RUN_m55 := $(QEMU) -M mps3-an547 $(QEMU_QUIET)

# What the Pico SDK's file of this name brings in, as far as port/pico needs it.
set(STUB_SDK ${CMAKE_CURRENT_LIST_DIR}/..)

function(pico_sdk_init)
  foreach(name pico_stdlib pico_rand hardware_uart hardware_gpio)
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${STUB_SDK})
  endforeach()
endfunction()

function(pico_add_extra_outputs)
endfunction()

# Debian's gcc-avr 5.4 for the ATmega328P of an Arduino Nano: bare metal, avr-libc, no Arduino core.
#   cmake -S . -B build/firmware-v1 -DCMAKE_TOOLCHAIN_FILE=cmake/avr.cmake -DSPIKEDAQ_BOARD=v1_nano
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR avr)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

foreach(tool g++ gcc objcopy size nm)
  string(REPLACE "+" "p" name "${tool}")
  find_program(SPIKEDAQ_AVR_${name} avr-${tool})
  if(NOT SPIKEDAQ_AVR_${name})
    message(FATAL_ERROR "avr-${tool} is missing. Install it:  sudo apt-get install gcc-avr avr-libc")
  endif()
endforeach()
set(CMAKE_CXX_COMPILER "${SPIKEDAQ_AVR_gpp}")
set(CMAKE_SIZE "${SPIKEDAQ_AVR_size}")

set(CMAKE_CXX_FLAGS_INIT "-mmcu=atmega328p -DF_CPU=16000000UL -fno-threadsafe-statics")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-mmcu=atmega328p -mrelax -Wl,--gc-sections")
# For size: 2 KB of the flash belong to the boot loader. The last four are each some hundred bytes with gcc 5.4.
set(CMAKE_CXX_FLAGS_RELEASE "-Os -mrelax -mstrict-X -fno-ipa-sra -fno-tree-sra -fno-guess-branch-probability"
    CACHE STRING "")

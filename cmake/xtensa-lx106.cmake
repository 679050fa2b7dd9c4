# Debian's gcc-xtensa-lx106: the one compiler of the ESP32's family that Debian has. It compiles the libraries; there is
# no ESP32 in it, so what it makes is neither linked nor run.
#   cmake -S . -B build/firmware-xtensa -DCMAKE_TOOLCHAIN_FILE=cmake/xtensa-lx106.cmake -DSPIKEDAQ_BOARD=xtensa_check
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR xtensa)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

find_program(SPIKEDAQ_XTENSA_GPP xtensa-lx106-elf-g++)
find_program(SPIKEDAQ_XTENSA_SIZE xtensa-lx106-elf-size)
if(NOT SPIKEDAQ_XTENSA_GPP OR NOT SPIKEDAQ_XTENSA_SIZE)
  message(FATAL_ERROR "xtensa-lx106-elf-g++ is missing. Install it:  "
                      "sudo apt-get install gcc-xtensa-lx106 picolibc-xtensa-lx106-elf")
endif()
set(CMAKE_CXX_COMPILER "${SPIKEDAQ_XTENSA_GPP}")
set(CMAKE_SIZE "${SPIKEDAQ_XTENSA_SIZE}")

set(CMAKE_CXX_FLAGS_INIT "-mlongcalls -fno-threadsafe-statics")
set(CMAKE_CXX_FLAGS_RELEASE "-O2" CACHE STRING "")

# Debian's gcc-arm-none-eabi for a Cortex-M4F: bare metal, no C library but its headers.
#   cmake -S . -B build/firmware-cm4 -DCMAKE_TOOLCHAIN_FILE=cmake/cortex-m4.cmake -DSPIKEDAQ_BOARD=qemu_cm4
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR cortex-m4)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

find_program(SPIKEDAQ_ARM_GPP arm-none-eabi-g++)
find_program(SPIKEDAQ_ARM_SIZE arm-none-eabi-size)
if(NOT SPIKEDAQ_ARM_GPP OR NOT SPIKEDAQ_ARM_SIZE)
  message(FATAL_ERROR "arm-none-eabi-g++ is missing. Install it:  sudo apt-get install gcc-arm-none-eabi libnewlib-dev")
endif()
set(CMAKE_CXX_COMPILER "${SPIKEDAQ_ARM_GPP}")
set(CMAKE_SIZE "${SPIKEDAQ_ARM_SIZE}")

# -nostdinc++: the library asks for no C++ header, so none may be found by chance.
set(CMAKE_CXX_FLAGS_INIT
    "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard -nostdinc++ -fno-threadsafe-statics")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-nostdlib -Wl,--gc-sections")
set(CMAKE_CXX_FLAGS_RELEASE "-O2" CACHE STRING "")

// Stand-in: declarations of the calls that hal_idf.cpp and start.cpp make, so that a host compiler can check them.
// Written for this project; the real header comes with ESP-IDF.
#ifndef SPIKEDAQ_STAND_IN_USB_SERIAL_JTAG_H_
#define SPIKEDAQ_STAND_IN_USB_SERIAL_JTAG_H_
#include <stddef.h>
#include <stdint.h>

#include "esp_err.h"
#include "freertos/FreeRTOS.h"

struct usb_serial_jtag_driver_config_t {
  uint32_t tx_buffer_size;
  uint32_t rx_buffer_size;
};
esp_err_t usb_serial_jtag_driver_install(usb_serial_jtag_driver_config_t* config);
int usb_serial_jtag_write_bytes(const void* bytes, size_t n, TickType_t ticks_to_wait);
int usb_serial_jtag_read_bytes(void* bytes, uint32_t n, TickType_t ticks_to_wait);
#endif

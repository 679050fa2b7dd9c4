// Stand-in: declarations of the calls that hal_idf.cpp and start.cpp make, so that a host compiler can check them.
// Written for this project; the real header comes with ESP-IDF.
#ifndef SPIKEDAQ_STAND_IN_UART_H_
#define SPIKEDAQ_STAND_IN_UART_H_
#include <stdint.h>

#include "esp_err.h"
#include "freertos/FreeRTOS.h"

typedef int uart_port_t;
#define UART_NUM_0 (0)
enum uart_word_length_t { UART_DATA_8_BITS = 3 };
enum uart_parity_t { UART_PARITY_DISABLE = 0 };
enum uart_stop_bits_t { UART_STOP_BITS_1 = 1 };
enum uart_hw_flowcontrol_t { UART_HW_FLOWCTRL_DISABLE = 0 };
enum uart_sclk_t { UART_SCLK_APB = 0 };
struct uart_config_t {
  int baud_rate;
  uart_word_length_t data_bits;
  uart_parity_t parity;
  uart_stop_bits_t stop_bits;
  uart_hw_flowcontrol_t flow_ctrl;
  uint8_t rx_flow_ctrl_thresh;
  uart_sclk_t source_clk;
};
esp_err_t uart_param_config(uart_port_t port, const uart_config_t* config);
esp_err_t uart_driver_install(uart_port_t port, int rx_buffer_size, int tx_buffer_size, int queue_size,
                              QueueHandle_t* queue, int intr_alloc_flags);
int uart_tx_chars(uart_port_t port, const char* bytes, uint32_t n);
int uart_read_bytes(uart_port_t port, void* bytes, uint32_t n, TickType_t ticks_to_wait);
#endif

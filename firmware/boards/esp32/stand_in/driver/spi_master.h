// Stand-in: declarations of the calls that hal_idf.cpp and start.cpp make, so that a host compiler can check them.
// Written for this project; the real header comes with ESP-IDF.
#ifndef SPIKEDAQ_STAND_IN_SPI_MASTER_H_
#define SPIKEDAQ_STAND_IN_SPI_MASTER_H_
#include <stddef.h>
#include <stdint.h>

#include "esp_err.h"

#define SPI_TRANS_USE_RXDATA (1 << 2)
#define SPI_TRANS_USE_TXDATA (1 << 3)

enum spi_host_device_t { SPI1_HOST = 0, SPI2_HOST = 1, SPI3_HOST = 2 };
enum spi_dma_chan_t { SPI_DMA_DISABLED = 0 };
struct spi_bus_config_t {
  int mosi_io_num, miso_io_num, sclk_io_num, quadwp_io_num, quadhd_io_num;
  int max_transfer_sz;
  uint32_t flags;
  int intr_flags;
};
struct spi_device_interface_config_t {
  uint8_t command_bits, address_bits, dummy_bits, mode;
  uint16_t duty_cycle_pos, cs_ena_pretrans;
  uint8_t cs_ena_posttrans;
  int clock_speed_hz;
  int input_delay_ns;
  int spics_io_num;
  uint32_t flags;
  int queue_size;
};
struct spi_transaction_t {
  uint32_t flags;
  uint16_t cmd;
  uint64_t addr;
  size_t length;    // bits
  size_t rxlength;  // bits; 0 for as many
  void* user;
  union {
    const void* tx_buffer;
    uint8_t tx_data[4];
  };
  union {
    void* rx_buffer;
    uint8_t rx_data[4];
  };
};
struct spi_device_t;
typedef spi_device_t* spi_device_handle_t;
esp_err_t spi_bus_initialize(spi_host_device_t host, const spi_bus_config_t* config, spi_dma_chan_t dma);
esp_err_t spi_bus_add_device(spi_host_device_t host, const spi_device_interface_config_t* config,
                             spi_device_handle_t* handle);
esp_err_t spi_device_polling_transmit(spi_device_handle_t handle, spi_transaction_t* transaction);
#endif

// The chip as Espressif's drivers give it (ESP-IDF 4.4, which Arduino-ESP32 2.0 brings along). Only calls that are old,
// and none that can wait for anything but the SPI bus.
#include <driver/gpio.h>
#include <driver/ledc.h>
#include <driver/spi_master.h>
#include <esp_log.h>
#include <esp_random.h>
#include <esp_system.h>
#include <esp_timer.h>
#include <sdkconfig.h>
#include <string.h>

#if defined(CONFIG_IDF_TARGET_ESP32S3)
#include <driver/usb_serial_jtag.h>
#elif defined(CONFIG_IDF_TARGET_ESP32)
#include <driver/dac.h>
#include <driver/uart.h>
#else
#error "Only ESP32 and ESP32-S3 boards are known."
#endif

#include "esp32/hal.h"

namespace spikedaq {
namespace esp32 {
namespace hal {
namespace {

constexpr uint8_t kSpiDevices = 3;
spi_device_handle_t spi_devices[kSpiDevices];

void Configure(int8_t pin, gpio_mode_t mode, bool pull_down) {
  gpio_config_t config = {};
  config.pin_bit_mask = uint64_t{1} << pin;
  config.mode = mode;
  config.pull_up_en = GPIO_PULLUP_DISABLE;
  config.pull_down_en = pull_down ? GPIO_PULLDOWN_ENABLE : GPIO_PULLDOWN_DISABLE;
  config.intr_type = GPIO_INTR_DISABLE;
  gpio_config(&config);
}

}  // namespace

void Output(int8_t pin, bool level) {
  // The level first, so that the pin never shows another.
  gpio_set_level(static_cast<gpio_num_t>(pin), level ? 1u : 0u);
  Configure(pin, GPIO_MODE_OUTPUT, false);
}

void Input(int8_t pin, bool pull_down) { Configure(pin, GPIO_MODE_INPUT, pull_down); }

void Write(int8_t pin, bool level) { gpio_set_level(static_cast<gpio_num_t>(pin), level ? 1u : 0u); }

bool Read(int8_t pin) { return gpio_get_level(static_cast<gpio_num_t>(pin)) != 0; }

void SpiBegin(int8_t sck, int8_t mosi, int8_t miso) {
  spi_bus_config_t config = {};
  config.mosi_io_num = mosi;
  config.miso_io_num = miso;
  config.sclk_io_num = sck;
  config.quadwp_io_num = -1;
  config.quadhd_io_num = -1;
  // Without DMA: three bytes are in the peripheral's own registers sooner than a descriptor is set up.
  ESP_ERROR_CHECK(spi_bus_initialize(SPI2_HOST, &config, SPI_DMA_DISABLED));
}

void SpiAttach(uint8_t device, int8_t cs, uint32_t hz) {
  spi_device_interface_config_t config = {};
  config.mode = 0;
  config.clock_speed_hz = static_cast<int>(hz);
  config.spics_io_num = cs;
  config.queue_size = 1;
  ESP_ERROR_CHECK(spi_bus_add_device(SPI2_HOST, &config, &spi_devices[device]));
}

void SpiTransfer(uint8_t device, uint8_t* bytes, uint8_t n) {
  spi_transaction_t transaction = {};
  transaction.flags = SPI_TRANS_USE_TXDATA | SPI_TRANS_USE_RXDATA;
  transaction.length = size_t{8} * n;
  memcpy(transaction.tx_data, bytes, n);
  spi_device_polling_transmit(spi_devices[device], &transaction);
  memcpy(bytes, transaction.rx_data, n);
}

void PwmAttach(uint8_t channel, int8_t pin) {
  ledc_timer_config_t timer = {};
  timer.speed_mode = LEDC_LOW_SPEED_MODE;
  timer.duty_resolution = LEDC_TIMER_10_BIT;
  timer.timer_num = LEDC_TIMER_0;
  timer.freq_hz = 20000;
  timer.clk_cfg = LEDC_AUTO_CLK;
  ESP_ERROR_CHECK(ledc_timer_config(&timer));
  ledc_channel_config_t config = {};
  config.gpio_num = pin;
  config.speed_mode = LEDC_LOW_SPEED_MODE;
  config.channel = static_cast<ledc_channel_t>(channel);
  config.timer_sel = LEDC_TIMER_0;
  ESP_ERROR_CHECK(ledc_channel_config(&config));
}

void PwmWrite(uint8_t channel, uint16_t duty) {
  ledc_set_duty(LEDC_LOW_SPEED_MODE, static_cast<ledc_channel_t>(channel), duty);
  ledc_update_duty(LEDC_LOW_SPEED_MODE, static_cast<ledc_channel_t>(channel));
}

uint64_t Microseconds() { return static_cast<uint64_t>(esp_timer_get_time()); }

void UniqueId(uint8_t id[6]) { esp_efuse_mac_get_default(id); }

// Without radio its source is the noise that the bootloader gathered, which is enough to tell one boot from another.
uint32_t Random() { return esp_random(); }

#if defined(CONFIG_IDF_TARGET_ESP32)

void InternalDacBegin(uint8_t which) { dac_output_enable(which == 0 ? DAC_CHANNEL_1 : DAC_CHANNEL_2); }

void InternalDacWrite(uint8_t which, uint8_t code) {
  dac_output_voltage(which == 0 ? DAC_CHANNEL_1 : DAC_CHANNEL_2, code);
}

void LinkBegin() {
  esp_log_level_set("*", ESP_LOG_NONE);  // the log's text would go to the same port
  uart_config_t config = {};
  config.baud_rate = 921600;
  config.data_bits = UART_DATA_8_BITS;
  config.parity = UART_PARITY_DISABLE;
  config.stop_bits = UART_STOP_BITS_1;
  config.flow_ctrl = UART_HW_FLOWCTRL_DISABLE;
  ESP_ERROR_CHECK(uart_param_config(UART_NUM_0, &config));
  // No buffer for sending: uart_tx_chars then fills the peripheral's 128 bytes, 1.4 ms of the line, and never waits.
  ESP_ERROR_CHECK(uart_driver_install(UART_NUM_0, 2048, 0, 0, nullptr, 0));
}

size_t LinkWrite(const uint8_t* bytes, size_t n) {
  const int taken = uart_tx_chars(UART_NUM_0, reinterpret_cast<const char*>(bytes), static_cast<uint32_t>(n));
  return taken > 0 ? static_cast<size_t>(taken) : 0;
}

size_t LinkRead(uint8_t* bytes, size_t n) {
  const int got = uart_read_bytes(UART_NUM_0, bytes, static_cast<uint32_t>(n), 0);
  return got > 0 ? static_cast<size_t>(got) : 0;
}

#else

void InternalDacBegin(uint8_t) {}
void InternalDacWrite(uint8_t, uint8_t) {}

void LinkBegin() {
  usb_serial_jtag_driver_config_t config = {};
  config.tx_buffer_size = 4096;
  config.rx_buffer_size = 2048;
  ESP_ERROR_CHECK(usb_serial_jtag_driver_install(&config));
}

size_t LinkWrite(const uint8_t* bytes, size_t n) {
  // A piece is taken whole or not at all, so pieces are small; no time to wait, so nobody waits where no host reads.
  constexpr size_t kPiece = 64;
  const size_t piece = n < kPiece ? n : kPiece;
  if (piece == 0) return 0;
  const int taken = usb_serial_jtag_write_bytes(bytes, piece, 0);
  return taken == static_cast<int>(piece) ? piece : 0;
}

size_t LinkRead(uint8_t* bytes, size_t n) {
  const int got = usb_serial_jtag_read_bytes(bytes, static_cast<uint32_t>(n), 0);
  return got > 0 ? static_cast<size_t>(got) : 0;
}

#endif

}  // namespace hal
}  // namespace esp32
}  // namespace spikedaq

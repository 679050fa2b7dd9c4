// Stand-in: declarations of the calls that hal_idf.cpp and start.cpp make, so that a host compiler can check them.
// Written for this project; the real header comes with ESP-IDF.
#ifndef SPIKEDAQ_STAND_IN_DAC_H_
#define SPIKEDAQ_STAND_IN_DAC_H_
#include <stdint.h>

#include "esp_err.h"

enum dac_channel_t { DAC_CHANNEL_1 = 0, DAC_CHANNEL_2 = 1 };
esp_err_t dac_output_enable(dac_channel_t channel);
esp_err_t dac_output_voltage(dac_channel_t channel, uint8_t code);
#endif

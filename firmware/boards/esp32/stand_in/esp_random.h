// Stand-in: declarations of the calls that hal_idf.cpp and start.cpp make, so that a host compiler can check them.
// Written for this project; the real header comes with ESP-IDF.
#ifndef SPIKEDAQ_STAND_IN_ESP_RANDOM_H_
#define SPIKEDAQ_STAND_IN_ESP_RANDOM_H_
#include <stdint.h>

uint32_t esp_random();
#endif

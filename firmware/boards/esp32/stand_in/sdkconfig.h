// Stand-in: declarations of the calls that hal_idf.cpp and start.cpp make, so that a host compiler can check them.
// Written for this project; the real header comes with ESP-IDF.
#ifndef SPIKEDAQ_STAND_IN_SDKCONFIG_H_
#define SPIKEDAQ_STAND_IN_SDKCONFIG_H_
// The build says which chip: CONFIG_IDF_TARGET_ESP32 or CONFIG_IDF_TARGET_ESP32S3.
#endif

// Stand-in: declarations of the calls that hal_idf.cpp and start.cpp make, so that a host compiler can check them.
// Written for this project; the real header comes with ESP-IDF.
#ifndef SPIKEDAQ_STAND_IN_ESP_ERR_H_
#define SPIKEDAQ_STAND_IN_ESP_ERR_H_
typedef int esp_err_t;
[[noreturn]] void stand_in_abort();
#define ESP_ERROR_CHECK(x)          \
  do {                              \
    if ((x) != 0) stand_in_abort(); \
  } while (0)
#endif

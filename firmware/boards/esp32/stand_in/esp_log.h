// Stand-in: declarations of the calls that hal_idf.cpp and start.cpp make, so that a host compiler can check them.
// Written for this project; the real header comes with ESP-IDF.
#ifndef SPIKEDAQ_STAND_IN_ESP_LOG_H_
#define SPIKEDAQ_STAND_IN_ESP_LOG_H_
enum esp_log_level_t { ESP_LOG_NONE = 0 };
void esp_log_level_set(const char* tag, esp_log_level_t level);
#endif

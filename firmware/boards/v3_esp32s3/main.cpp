// The Spikeling v3: ESP32-S3, two MCP3208, an MCP4922 or none, native USB. Experimental: nobody has run this on a
// board. docs/reference/boards/v3.md has the budget that these numbers come from.
#include <freertos/FreeRTOS.h>
#include <freertos/task.h>

#include "esp32/start.h"
#include "profile.h"

namespace {

// 32 blocks of 100 samples wait for the link, 0.32 s; 20,000 rows of waveform; 16 KiB of finished frames; the last 128
// frames, or 96 KiB of them, can be had again.
spikedaq::esp32::Buffers<32, 128, 20000, 16384, 128, 98304> buffers;
static_assert(sizeof buffers < 224 * 1024, "of the ESP32-S3's 320 KiB for static data the drivers need their share");

}  // namespace

// What the Arduino core calls.
void setup();
void loop();

void setup() { spikedaq::esp32::Start(spikedaq::v3_esp32s3::kProfile, buffers.Memory()); }
// The firmware runs in tasks of its own; the core's is not needed.
void loop() { vTaskDelete(nullptr); }

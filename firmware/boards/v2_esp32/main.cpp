// The Spikeling v2: ESP32, two MCP3208, its own two converters for output, USB by a CP210x. Experimental: nobody has
// run this on a board. docs/reference/boards/v2.md has the budget that these numbers come from.
#include <freertos/FreeRTOS.h>
#include <freertos/task.h>

#include "esp32/start.h"
#include "profile.h"

namespace {

// 16 blocks of 100 samples wait for the link, 0.16 s; 8,000 rows of waveform; 8 KiB of finished frames; the last 32
// frames, or 24 KiB of them, can be had again.
spikedaq::esp32::Buffers<16, 64, 8000, 8192, 32, 24576> buffers;
static_assert(sizeof buffers < 88 * 1024, "of the ESP32's 121 KiB for static data the drivers need their share");

}  // namespace

// What the Arduino core calls.
void setup();
void loop();

void setup() { spikedaq::esp32::Start(spikedaq::v2_esp32::kProfile, buffers.Memory()); }
// The firmware runs in tasks of its own; the core's is not needed.
void loop() { vTaskDelete(nullptr); }

/// A Spikeling with an ESP32, by its profile: what is read becomes the model's inputs, what it gives becomes outputs.
/// Runs on the core that computes; what needs the SPI bus goes through Io.
#ifndef SPIKEDAQ_ESP32_ESP_BOARD_H_
#define SPIKEDAQ_ESP32_ESP_BOARD_H_

#include <stdint.h>

#include "board/board.h"
#include "esp32/io.h"
#include "esp32/panel.h"
#include "esp32/profile.h"
#include "neuron/jacks.h"
#include "neuron/knobs.h"

namespace spikedaq {
namespace esp32 {

class EspBoard final : public board::Board {
 public:
  EspBoard(const Profile& profile, Io* io);

  /// Sets up outputs and the link. After Io::Begin.
  void Begin();

  /// Before each step: what was read for it.
  void SetFrame(const Frame& frame) { frame_ = frame; }
  /// Where the tick of step 0 is, before each boot.
  void SetTickAtBoot(uint64_t tick_us) { tick_at_boot_ = tick_us; }
  /// Time spent computing, for CpuPermille.
  void AddBusy(uint32_t us) { busy_us_ += us; }
  /// Conversions of the photodiode that darkness is still to be measured with.
  uint16_t dark_left() const { return dark_left_; }

  board::Identity Who() const override;
  uint64_t Tick() override;
  uint64_t TickAtBoot() override { return tick_at_boot_; }
  size_t Write(const uint8_t* bytes, size_t n) override;
  size_t Read(uint8_t* bytes, size_t n) override;
  void SetStimulus(float percent) override;
  void ReadInputs(Inputs<float>* inputs) override;
  void SetOutputs(const board::Outputs& outputs) override;
  uint16_t CpuPermille() override;
  bool ReadProbe(uint8_t index, board::Probe* probe) override;
  command::ParameterBank* parameters() override { return &panel_; }
  void Configure(command::ParameterTable* table, command::NeuronParameters* neuron) override;

 private:
  // 200 conversions, as the stock firmware takes; 60 ms at 10 kHz. Counted, not waited for.
  static constexpr uint16_t kDarkConversions = 200;

  struct Knob {
    KnobFilter<float> filter;
    int16_t parameter = -1;
    float counts = -1;
  };

  void TakeCount(uint8_t input, uint16_t raw);
  void TurnKnob(uint8_t input, uint16_t raw);
  void TakeLevels(uint32_t levels);
  void MeasureDark(uint16_t raw);
  float JackCounts(uint16_t raw) const;

  const Profile& profile_;
  Io* io_;
  PanelParameters panel_;
  Lights lights_;
  Frame frame_ = {};
  uint64_t tick_at_boot_ = 0;
  uint8_t unique_id_[6] = {};

  command::ParameterTable* table_ = nullptr;
  command::NeuronParameters* neuron_ = nullptr;
  int16_t preset_ = -1;
  int16_t led_ = -1;
  int16_t buzzer_ = -1;

  Inputs<float> inputs_ = {};
  uint16_t counts_[kMaxInputs] = {};  // the newest of each input
  Knob knobs_[kMaxInputs];
  Photodiode<float> photodiode_;
  CurrentIn<float> current_in_;
  uint32_t dark_sum_ = 0;
  uint16_t dark_left_ = 0;
  Button mode_button_, led_button_, buzzer_button_;
  float mode_ = 0;  // the preset that the mode button has chosen
  float stimulus_percent_ = 0;
  bool axon_level_ = false;
  uint8_t internal_axon_ = 0;
  uint8_t internal_stimulus_ = 0;

  uint64_t cpu_at_us_ = 0;
  uint32_t busy_us_ = 0;
  uint32_t io_busy_us_ = 0;
  uint8_t read_[256];  // bytes of the link that the device has not asked for yet
  size_t read_begin_ = 0;
  size_t read_end_ = 0;
};

}  // namespace esp32
}  // namespace spikedaq

#endif  // SPIKEDAQ_ESP32_ESP_BOARD_H_

/// Numbers messages, makes frames of them and keeps these until the link takes them.
#ifndef SPIKEDAQ_WIRE_TRANSMITTER_H_
#define SPIKEDAQ_WIRE_TRANSMITTER_H_

#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"
#include "wire/history.h"
#include "wire/message_codec.h"

namespace spikedaq {
namespace wire {

/// A bounded queue of frames, as bytes. Frames come out in the order of their seq, those that are sent again between
/// them.
class Transmitter {
 public:
  /// @param[in] scratch   Room for the largest message and its CRC; nullptr to write messages where their frames will
  ///                      be, of at most kMaxInPlaceBytes, which costs a move of what waits instead of memory.
  /// @param[in] ring      Room for frames that wait; at least FrameBound() of the largest message.
  /// @param[in] history   Keeps every frame that is queued; nullptr where none can be sent again.
  constexpr Transmitter(uint8_t* scratch, size_t scratch_bytes, uint8_t* ring, size_t ring_bytes,
                        History* history = nullptr)
      : scratch_(scratch), scratch_bytes_(scratch_bytes), ring_(ring), ring_bytes_(ring_bytes), history_(history) {}

  /// Whether a message of `n` bytes would find room, with `spare` bytes left over.
  bool HasRoom(size_t n, size_t spare = 0) const { return FrameBound(n) + spare <= ring_bytes_ - (end_ - begin_); }

  /// A writer for one message, which `Commit` makes a frame of, with nothing but `Taken` in between. Its seq must be
  /// `seq()`.
  Writer Begin();
  /// The same, with type and seq written and `n_fields` to follow.
  Writer Begin(MessageType type, uint8_t n_fields);

  /// Queues what the writer of `Begin` holds. @returns kOk, or kExhausted: nothing was queued and no seq used.
  Status Commit(const Writer& writer);

  /// Queues a message from device to host.
  template <class M>
  Status Send(M message) {
    message.seq = seq_;
    Writer writer = Begin();
    Encode(message, writer);
    return Commit(writer);
  }

  /// Queues a frame of the history as it is, with `spare` bytes left over. @returns kOk or kExhausted.
  Status SendAgain(const HistoryFrame& frame, size_t spare);
#ifndef SPIKEDAQ_WITHOUT_RESEND
  History* history() const { return history_; }
#else
  /// Never one: a board without the memory for it is also spared the code.
  static History* history() { return nullptr; }
#endif

  /// A zero byte, so that noise on the link before the first frame cannot damage it.
  void SendZero();

  uint32_t seq() const { return seq_; }
  /// After a reboot frames are counted from 0 again and none can be had again; frames that wait stay.
  void RestartSeq() {
    seq_ = 0;
    if (history() != nullptr) history()->Clear();
  }

  const uint8_t* bytes() const { return ring_ + begin_; }
  size_t size() const { return end_ - begin_; }
  /// The link has taken `n` bytes.
  void Taken(size_t n);
  /// The link was opened anew: what is left of a frame that was begun on the old one is dropped.
  void DropPartialFrame();
  uint16_t frames_waiting() const { return frames_; }

  static constexpr size_t kMaxInPlaceBytes = 2 * 254 - kCrcBytes;

 private:
  // A frame is made in its message's own place, if the message starts this far behind it: the bytes that COBS adds.
  static constexpr size_t kInPlaceGap = 2;

  /// Moves what waits to the start of the ring where `n` bytes find no room behind it.
  void Compact(size_t n);

  uint8_t* scratch_;
  size_t scratch_bytes_;
  uint8_t* ring_;
  size_t ring_bytes_;
#ifndef SPIKEDAQ_WITHOUT_RESEND
  History* history_;
#else
  struct NoHistory {
    constexpr NoHistory(History*) {}
  } history_;
#endif
  size_t begin_ = 0;
  size_t end_ = 0;
  uint32_t seq_ = 0;
  uint16_t frames_ = 0;
  bool mid_frame_ = false;
  bool open_ = false;  // A message is being written behind `end_`.
};

}  // namespace wire
}  // namespace spikedaq

#endif  // SPIKEDAQ_WIRE_TRANSMITTER_H_

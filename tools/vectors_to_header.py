"""Turn protocol/vectors/*.json into one C++ header, so that the firmware's tests read the same vectors as Python's.

Usage: vectors_to_header.py VECTORS_FOLDER HEADER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

STRUCTS = r"""// Made by tools/vectors_to_header.py from protocol/vectors/*.json.
#ifndef SPIKEDAQ_VECTORS_H_
#define SPIKEDAQ_VECTORS_H_

#include <cstddef>
#include <sstream>
#include <string>
#include <vector>

namespace vectors {

// The vectors are text that is taken apart while the tests run: as initialisers they take a compiler minutes.
inline std::vector<std::string> Split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::string part;
  std::istringstream stream(text);
  while (std::getline(stream, part, at)) parts.push_back(part);
  return parts;
}

/// One value: i(nteger) and f(loat) as decimal text, s(tring) and x (bytes) as hex, b(oolean) as 0 or 1, n(il), and [ ]
/// around the items of an array.
struct Value {
  char kind;
  std::string text;
};
struct Cobs {
  std::string id;
  bool valid;
  std::string plain, encoded;  // hex
};
struct Crc {
  std::string id;
  bool valid;
  std::string data, crc;
};
struct Message {
  std::string id;
  bool valid;
  std::string name, reason;
  bool host, canonical;
  std::string frame;
  std::vector<Value> fields;  // values alone, in the order of the protocol's tables
};
struct BlockRaw {
  std::string id;
  bool valid;
  size_t n, n_channels;
  std::vector<int> samples;  // row by row
  std::string payload;
};
struct BlockPacked {
  std::string id;
  bool valid, canonical;
  size_t n, n_channels;
  std::vector<int> samples;  // row by row
  std::string payload;
};
struct Stream {
  std::string id;
  std::string bytes;
  std::vector<std::string> expect;
};

using Columns = std::vector<std::string>;

inline void Read(const Columns& c, Cobs* v) { *v = {c[0], c[1] == "1", c[2], c[3]}; }
inline void Read(const Columns& c, Crc* v) { *v = {c[0], c[1] == "1", c[2], c[3]}; }
inline void Read(const Columns& c, Message* v) {
  *v = {c[0], c[1] == "1", c[2], c[3], c[4] == "1", c[5] == "1", c[6], {}};
  for (const std::string& item : Split(c[7], ' ')) v->fields.push_back(Value{item[0], item.substr(1)});
}
inline void Read(const Columns& c, BlockRaw* v) {
  *v = {c[0], c[1] == "1", std::stoul(c[2]), std::stoul(c[3]), {}, c[5]};
  for (const std::string& item : Split(c[4], ' ')) v->samples.push_back(std::stoi(item));
}
inline void Read(const Columns& c, BlockPacked* v) {
  *v = {c[0], c[1] == "1", c[6] == "1", std::stoul(c[2]), std::stoul(c[3]), {}, c[5]};
  for (const std::string& item : Split(c[4], ' ')) v->samples.push_back(std::stoi(item));
}
inline void Read(const Columns& c, Stream* v) { *v = {c[0], c[2], Split(c[3], ' ')}; }

template <class V>
std::vector<V> All(const char* text) {
  std::vector<V> all;
  for (const std::string& line : Split(text, '\n')) {
    Columns columns = Split(line, '\t');
    columns.resize(8);
    V v;
    Read(columns, &v);
    all.push_back(v);
  }
  return all;
}
"""


def flatten(value: Any) -> list[str]:
    """Give the `Value`s that stand for one JSON value, each as its kind and its text."""
    if value is None:
        return ["n"]
    if isinstance(value, bool):
        return [f"b{int(value)}"]
    if isinstance(value, int | float):
        return [f"{'i' if isinstance(value, int) else 'f'}{value!r}"]
    if isinstance(value, str):
        return ["s" + value.encode().hex()]
    if isinstance(value, dict):
        return ["x" + value["hex"]]
    return ["[", *(item for part in value for item in flatten(part)), "]"]


def cobs(case: dict[str, Any]) -> list[str]:
    """Columns of a `Cobs`."""
    return [case.get("plain", ""), case["encoded"]]


def crc(case: dict[str, Any]) -> list[str]:
    """Columns of a `Crc`."""
    return [case["data"], case["crc"]]


def message(case: dict[str, Any]) -> list[str]:
    """Columns of a `Message`."""
    fields = [item for value in case.get("fields", {}).values() for item in flatten(value)]
    host, canonical = case["direction"] == "host", case.get("canonical", False)
    return [
        case.get("name", ""),
        case.get("reason", ""),
        str(int(host)),
        str(int(canonical)),
        case["frame"],
        " ".join(fields),
    ]


def block_raw(case: dict[str, Any]) -> list[str]:
    """Columns of a `BlockRaw`."""
    samples = [str(value) for row in case.get("samples", []) for value in row]
    return [str(case["n"]), str(case["n_channels"]), " ".join(samples), case["payload"]]


def block_packed(case: dict[str, Any]) -> list[str]:
    """Columns of a `BlockPacked`."""
    return [*block_raw(case), str(int(case.get("canonical", False)))]


def stream(case: dict[str, Any]) -> list[str]:
    """Columns of a `Stream`."""
    return [case["bytes"], " ".join(case["expect"])]


TABLES = {
    "cobs.json": ("Cobs", cobs),
    "crc32.json": ("Crc", crc),
    "messages.json": ("Message", message),
    "block_raw.json": ("BlockRaw", block_raw),
    "block_packed.json": ("BlockPacked", block_packed),
    "streams.json": ("Stream", stream),
}


def header(folder: Path) -> str:
    """Make the whole header."""
    parts = [STRUCTS]
    for name, (struct, columns) in TABLES.items():
        cases = json.loads((folder / name).read_text(encoding="utf-8"))["cases"]
        parts.append(f"inline std::vector<{struct}> All{struct}() {{\n  return All<{struct}>(")
        for case in cases:
            valid = str(int(case["result"] == "valid"))
            line = "\t".join([case["id"], valid, *columns(case)])
            parts.append("      " + json.dumps(line + "\n"))
        parts.append("  );\n}\n")
    parts.append("}  // namespace vectors\n\n#endif  // SPIKEDAQ_VECTORS_H_")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(header(Path(sys.argv[1])), encoding="utf-8")

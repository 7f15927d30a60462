// make_corpus: writes the corpus that the fuzzing targets begin from. usage: fuzz_corpus FOLDER
#include <cstdio>
#include <exception>
#include <fstream>

#include "tests/fuzz/corpus.hpp"

namespace zenith::fuzz {

void corpus::write(const std::filesystem::path& folder) const {
  for (const auto& [target, inputs] : inputs_) {
    std::filesystem::remove_all(folder / target);
    std::filesystem::create_directories(folder / target);
    for (const auto& [name, input] : inputs) {
      std::ofstream out(folder / target / name, std::ios::binary);
      out.write(reinterpret_cast<const char*>(input.data()),
                static_cast<std::streamsize>(input.size()));
      if (!out.flush())
        throw std::runtime_error("cannot write " + (folder / target / name).string());
    }
  }
}

}  // namespace zenith::fuzz

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_corpus FOLDER\n");
    return 2;
  }
  zenith::fuzz::corpus made;
  zenith::fuzz::add_messages(made);
  zenith::fuzz::add_wal_streams(made);
  zenith::fuzz::add_stored(made);
  zenith::fuzz::add_real_records(made);
  made.write(argv[1]);
  return 0;
} catch (const std::exception& failure) {
  std::fprintf(stderr, "%s\n", failure.what());
  return 1;
}

// The repository's secret.
#include "storage/repository/secret.hpp"

#include <sys/random.h>

#include "storage/base/assert.hpp"
#include "storage/io/durable_file.hpp"

namespace zenith::repository {

result<void> write_new_secret(file_system& files, const path& name) {
  ZENITH_TRY_ASSIGN(const bool exists, files.exists(name));
  if (exists) return fail(errc::already_exists, name.string() + " exists already");
  secret_bytes secret;
  const ssize_t got = getrandom(secret.data(), secret.size(), 0);
  ZENITH_ASSERT(got == static_cast<ssize_t>(secret.size()));
  return write_file_durably(files, name, secret);
}

result<secret_bytes> read_secret(file_system& files, const path& name) {
  ZENITH_TRY_ASSIGN(const bytes data, read_file(files, name, 4096));
  if (data.size() != secret_size_bytes)
    return fail(errc::corrupt, name.string() + " has " + std::to_string(data.size()) +
                                   " bytes, expected " + std::to_string(secret_size_bytes));
  secret_bytes secret;
  std::copy(data.begin(), data.end(), secret.begin());
  return secret;
}

}  // namespace zenith::repository

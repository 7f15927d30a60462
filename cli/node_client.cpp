// The running node, asked by CAF messages; the one file of the command line that compiles CAF.
#include "cli/node_client.hpp"

#include <fmt/format.h>

#include "actors/control_client.hpp"
#include "storage/io/durable_file.hpp"
#include "storage/io/file_lock.hpp"
#include "storage/repository/node_file.hpp"
#include "storage/repository/secret.hpp"

namespace zenith::cli {
namespace {

namespace fs = std::filesystem;
using namespace zenith::actors;

constexpr std::chrono::seconds connect_timeout{10};

tl::unexpected<error> no_node(const fs::path& repository) {
  return fail(errc::unavailable,
              "no node runs on " + repository.string() + "; start it with: zenith start");
}

}  // namespace

struct node_client::parts {
  std::unique_ptr<control_client> client;
};

node_client::node_client(std::unique_ptr<parts> made) : parts_(std::move(made)) {}
// Left as it is: the program ends next, and CAF's own destruction can hang (its issue 1110).
node_client::~node_client() { static_cast<void>(parts_.release()); }
node_client::node_client(node_client&&) noexcept = default;
node_client& node_client::operator=(node_client&&) noexcept = default;

result<node_client> node_client::connect(const fs::path& repository) {
  file_system& files = posix_file_system();
  const fs::path name = repository / repository::node_file_name;
  auto text = read_metadata_file(files, name);
  if (!text && text.error().code == errc::not_found) return no_node(repository);
  if (!text) return tl::unexpected<error>(text.error());
  ZENITH_TRY_ASSIGN(const auto doors, repository::decode_node_file(*text));
  ZENITH_TRY_ASSIGN(const auto secret,
                    repository::read_secret(files, repository / repository::secret_file_name));
  auto connected = control_client::connect(doors.cli_address, secret, connect_timeout);
  if (!connected && connected.error().code == errc::unavailable) {
    // A node that ended without a word leaves its file behind.
    ZENITH_TRY_ASSIGN(const auto running,
                      file_lock::holder_of(repository / repository::lock_file_name));
    if (!running) return no_node(repository);
    return fail(errc::unavailable,
                fmt::format("the node (pid {}) of {} does not answer: {}; has the secret in {} "
                            "changed since it started?",
                            *running, repository.string(), connected.error().message,
                            (repository / repository::secret_file_name).string()));
  }
  if (!connected) return tl::unexpected<error>(connected.error());
  auto made = std::make_unique<parts>();
  made->client = std::move(*connected);
  return node_client(std::move(made));
}

result<node_status> node_client::status() {
  return parts_->client->ask<node_status>(status_atom::value);
}
result<std::string> node_client::shut_down() {
  return parts_->client->ask<std::string>(shutdown_atom::value);
}

result<std::vector<branch_info>> node_client::branches() {
  return parts_->client->ask<std::vector<branch_info>>(branches_atom::value);
}
result<branch_made> node_client::make_branch(const std::string& name, const std::string& point) {
  return parts_->client->ask<branch_made>(branch_atom::value, name, point);
}
result<std::string> node_client::delete_branch(const std::string& name, bool stop_its_compute) {
  return parts_->client->ask<std::string>(unbranch_atom::value, name, stop_its_compute);
}
result<std::string> node_client::rename_branch(const std::string& from, const std::string& to) {
  return parts_->client->ask<std::string>(rename_atom::value, from, to);
}
result<std::vector<tag_info>> node_client::tags() {
  return parts_->client->ask<std::vector<tag_info>>(tags_atom::value);
}
result<tag_info> node_client::make_tag(const std::string& name, const std::string& point) {
  return parts_->client->ask<tag_info>(tag_atom::value, name, point);
}
result<std::string> node_client::delete_tag(const std::string& name) {
  return parts_->client->ask<std::string>(untag_atom::value, name);
}
result<point_info> node_client::resolve(const std::string& point) {
  return parts_->client->ask<point_info>(resolve_atom::value, point);
}

result<compute_info> node_client::create_compute(const compute_request& request) {
  return parts_->client->ask<compute_info>(pg_create_atom::value, request);
}
result<compute_info> node_client::start_compute(const std::string& name) {
  return parts_->client->ask<compute_info>(pg_start_atom::value, name);
}
result<compute_info> node_client::stop_compute(const std::string& name, bool immediately) {
  return parts_->client->ask<compute_info>(pg_stop_atom::value, name, immediately);
}
result<std::vector<compute_info>> node_client::computes() {
  return parts_->client->ask<std::vector<compute_info>>(pg_list_atom::value);
}
result<std::string> node_client::destroy_compute(const std::string& name, bool forced) {
  return parts_->client->ask<std::string>(pg_destroy_atom::value, name, forced);
}

result<export_reply> node_client::write_export(const std::string& point,
                                               const std::string& directory) {
  return parts_->client->ask<export_reply>(export_atom::value, point, directory);
}
result<page_reply> node_client::read_page(const page_request& request) {
  return parts_->client->ask<page_reply>(page_atom::value, request);
}
result<gc_reply> node_client::collect(bool only_report) {
  return parts_->client->ask<gc_reply>(gc_atom::value, only_report);
}
result<gc_reply> node_client::compact(const std::string& branch) {
  return parts_->client->ask<gc_reply>(compact_atom::value, branch);
}
result<std::string> node_client::set_for_branch(const std::string& branch, const std::string& key,
                                                const std::string& value) {
  return parts_->client->ask<std::string>(window_atom::value, branch, key, value);
}
result<verify_reply> node_client::verify(const std::string& point, const std::string& directory) {
  return parts_->client->ask<verify_reply>(verify_atom::value, point, directory);
}

}  // namespace zenith::cli

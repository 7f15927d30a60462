// node_client: the running node, asked without a line of CAF in the callers.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "actors/message_data.hpp"
#include "storage/base/result.hpp"

namespace zenith::cli {

/// One connection. Each call waits for the answer, for as long as the node lives; each error is the
/// node's line for a person. The messages are control_actor's (actors/messages.hpp).
class node_client {
 public:
  /// Errors: unavailable (no node runs: it names `zenith start`), corrupt (another secret).
  static result<node_client> connect(const std::filesystem::path& repository);
  ~node_client();
  node_client(node_client&&) noexcept;
  node_client& operator=(node_client&&) noexcept;

  result<actors::node_status> status();
  result<std::string> shut_down();

  result<std::vector<actors::branch_info>> branches();
  result<actors::branch_made> make_branch(const std::string& name, const std::string& point);
  result<std::string> delete_branch(const std::string& name, bool stop_its_compute);
  result<std::string> rename_branch(const std::string& from, const std::string& to);
  result<std::vector<actors::tag_info>> tags();
  result<actors::tag_info> make_tag(const std::string& name, const std::string& point);
  result<std::string> delete_tag(const std::string& name);
  result<actors::point_info> resolve(const std::string& point);

  result<actors::compute_info> create_compute(const actors::compute_request& request);
  result<actors::compute_info> start_compute(const std::string& name);
  result<actors::compute_info> stop_compute(const std::string& name, bool immediately);
  result<std::vector<actors::compute_info>> computes();
  result<std::string> destroy_compute(const std::string& name, bool forced);

  result<actors::export_reply> write_export(const std::string& point, const std::string& directory);
  result<actors::page_reply> read_page(const actors::page_request& request);
  result<actors::gc_reply> collect(bool only_report);
  result<actors::gc_reply> compact(const std::string& branch);
  /// Empty: the node's own again.
  result<std::string> set_for_branch(const std::string& branch, const std::string& key,
                                     const std::string& value);
  result<actors::verify_reply> verify(const std::string& point, const std::string& directory);

 private:
  struct parts;
  explicit node_client(std::unique_ptr<parts> made);
  std::unique_ptr<parts> parts_;
};

}  // namespace zenith::cli

// One running zenithd.
#include "actors/node/node.hpp"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <thread>

#include "actors/control_gate.hpp"
#include "actors/node/open_files_limit.hpp"
#include "actors/page_service.hpp"
#include "actors/supervisor.hpp"
#include "actors/system_config.hpp"
#include "storage/io/durable_file.hpp"
#include "storage/io/file_lock.hpp"
#include "storage/repository/node_file.hpp"
#include "storage/repository/secret.hpp"

namespace zenith::actors {
namespace {

namespace fs = std::filesystem;

// The folder of the sockets: ours alone, or it is not used.
result<fs::path> open_doors(const fs::path& repository) {
  const fs::path doors =
      repository::doors_directory(repository, fs::temp_directory_path(), geteuid());
  if (mkdir(doors.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(errc::io, "cannot make " + doors.string() + ": " + std::strerror(errno));
  struct stat found {};
  if (lstat(doors.c_str(), &found) != 0 || !S_ISDIR(found.st_mode) || found.st_uid != geteuid() ||
      (found.st_mode & 077) != 0)
    return fail(errc::conflict, doors.string() +
                                    " has to be a directory that only this user can enter (mode "
                                    "0700); remove it, and start again");
  return doors;
}

// The signals that end the node; blocked in every thread, so that only the waiting one takes them.
sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

void wait_for_signals(supervisor_actor supervisor) {
  std::thread([supervisor] {
    const sigset_t set = ending_signals();
    int signal = 0;
    while (sigwait(&set, &signal) == 0) {
      spdlog::info("signal {}", signal);
      caf::anon_send(supervisor, shutdown_atom::value);
    }
  }).detach();
}

page_service_parameters page_service_of(const config::settings& settings, descriptor listener) {
  page_service_parameters how;
  how.listener = std::make_shared<descriptor>(std::move(listener));
  how.connections_max = static_cast<size_t>(settings.count("connections_max"));
  how.requests_in_flight_max = static_cast<size_t>(settings.count("requests_in_flight_max"));
  how.pending_reply_bytes_max = settings.size_bytes("pending_reply_bytes_max");
  how.view_lifetime = settings.duration("view_lifetime");
  return how;
}

void tell_ready(int ready) {
  if (ready < 0) return;
  const char one = '1';
  [[maybe_unused]] const auto written = write(ready, &one, 1);
  close(ready);
}

}  // namespace

result<void> run_node(const fs::path& directory, int ready) {
  file_system& files = posix_file_system();
  ZENITH_TRY_ASSIGN(const auto lock, file_lock::try_lock(directory / repository::lock_file_name));
  ZENITH_TRY_ASSIGN(auto opened, repository::repository::open(files, directory));
  ZENITH_TRY_ASSIGN(const auto settings, config::settings::from_json(opened.settings_json()));
  spdlog::set_level(spdlog::level::from_str(settings.text("log_level")));
  for (const error& damage : opened.damaged()) spdlog::error("{}", damage.message);
  ZENITH_TRY_ASSIGN(const uint64_t open_files, raise_open_files_limit());
  ZENITH_TRY(check_open_files(settings, open_files));
  ZENITH_TRY_ASSIGN(const auto secret,
                    repository::read_secret(files, directory / repository::secret_file_name));
  ZENITH_TRY_ASSIGN(const fs::path doors, open_doors(directory));
  const fs::path control_socket = doors / repository::control_socket_name;
  ZENITH_TRY_ASSIGN(descriptor control, listen_on(control_socket));
  ZENITH_TRY_ASSIGN(descriptor pages, listen_on(repository::page_socket(doors)));

  const sigset_t ending = ending_signals();
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  signal(SIGPIPE, SIG_IGN);
  system_config config(std::max(2u, std::thread::hardware_concurrency()));
  caf::actor_system system{config};
  supervisor_parameters how;
  how.files = &files;
  how.repository = std::make_shared<repository::repository>(std::move(opened));
  how.settings = settings;
  how.socket_directory = doors;
  how.cli_address = control_socket.string();
  how.page_address = "host=" + repository::conninfo_value(doors.string()) +
                     " port=" + std::to_string(repository::page_service_port);
  const auto root = system.spawn<supervisor, caf::detached>(how);
  const auto gate = system.spawn<caf::detached>(
      control_gate, gate_parameters{std::make_shared<descriptor>(std::move(control)), secret},
      root);
  const auto service =
      system.spawn<caf::detached>(page_service, page_service_of(settings, std::move(pages)), root);
  wait_for_signals(root);
  const fs::path node_file = directory / repository::node_file_name;
  ZENITH_TRY(write_metadata_file(
      files, node_file,
      repository::encode(repository::node_file{getpid(), how.cli_address, how.page_address})));
  spdlog::info("zenithd {} serves {} (pid {})", ZENITH_VERSION, directory.string(), getpid());
  tell_ready(ready);

  int exit_code = 0;
  {
    caf::scoped_actor self{system};
    self->monitor(root);
    self->receive([&](const caf::down_msg& ended) {
      if (!ended.reason) return;
      exit_code = 1;
      spdlog::error("the supervisor ended: {}", system.render(ended.reason));
    });
    self->send_exit(gate, caf::exit_reason::user_shutdown);
    self->send_exit(service, caf::exit_reason::user_shutdown);
    self->wait_for(gate, service);
  }
  static_cast<void>(files.remove(node_file));
  static_cast<void>(files.remove(control_socket));
  static_cast<void>(files.remove(repository::page_socket(doors)));
  spdlog::info("stopped");
  spdlog::shutdown();
  // Everything is durable and closed; CAF's own destruction can hang (its issue 1110) and adds
  // nothing.
  _exit(exit_code);
}

}  // namespace zenith::actors

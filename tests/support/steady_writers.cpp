// Sessions that commit one row after the other, and count what was acknowledged.
#include "tests/support/steady_writers.hpp"

#include <exception>
#include <random>

#include "tests/support/postgres_server.hpp"

namespace zenith::testing {
namespace {

constexpr unsigned rows_to_update = 3000;

std::string of_writer(size_t number) { return " from w where writer = " + std::to_string(number); }

}  // namespace

void make_tables_for_writers(const std::string& conninfo) {
  sql_session session(conninfo);
  session.execute("create table w(writer int, number bigint, filler text)");
  session.execute("create index on w(writer, number)");
  session.execute("create table a(id int primary key, value int, filler text)");
  session.execute("insert into a select i, i, repeat('a', 80) from generate_series(1, " +
                  std::to_string(rows_to_update) + ") i");
  session.execute("create index on a(value)");
}

steady_writers::steady_writers(const std::string& conninfo, size_t writers) {
  sql_session session(conninfo);
  for (size_t i = 0; i < writers; ++i) {
    writers_.push_back(std::make_unique<writer>());
    writer& one = *writers_.back();
    one.first = std::stoull(session.value("select count(*)" + of_writer(i)));
    one.next = one.first;
  }
  for (size_t i = 0; i < writers; ++i)
    writers_[i]->thread = std::thread([this, i, conninfo] { write(i, conninfo); });
}

void steady_writers::write(size_t number, const std::string& conninfo) {
  writer& me = *writers_[number];
  std::mt19937_64 random(number);
  try {
    sql_session session(conninfo);
    while (!stop_) {
      const uint64_t next = me.next;
      session.execute(
          "insert into w values (" + std::to_string(number) + ", " + std::to_string(next) +
          ", repeat('w', 100)); update a set value = " + std::to_string(random() % 1'000'000) +
          " where id = " + std::to_string(1 + random() % rows_to_update));
      me.next = next + 1;
    }
  } catch (const std::exception&) {
    // The server has ended with a commit under way: it was not acknowledged.
  }
}

uint64_t steady_writers::acknowledged() const {
  uint64_t all = 0;
  for (const auto& one : writers_) all += one->next - one->first;
  return all;
}

void steady_writers::stop() {
  stop_ = true;
  for (const auto& one : writers_)
    if (one->thread.joinable()) one->thread.join();
}

std::string steady_writers::what_is_missing(const std::string& conninfo) const {
  sql_session session(conninfo);
  std::string wrong;
  for (size_t i = 0; i < writers_.size(); ++i) {
    const uint64_t acknowledged = writers_[i]->next;
    const auto row = session.rows(
        "select count(*), count(distinct number), coalesce(max(number), -1)" + of_writer(i))[0];
    const uint64_t kept = std::stoull(row[0]);
    const bool has_gap = row[0] != row[1] || std::stoll(row[2]) + 1 != std::stoll(row[0]);
    if (kept < acknowledged || kept > acknowledged + 1 || has_gap)
      wrong += "writer " + std::to_string(i) + ": " + std::to_string(acknowledged) +
               " acknowledged; rows, distinct numbers, greatest number: " + row[0] + ", " + row[1] +
               ", " + row[2] + "\n";
  }
  return wrong;
}

}  // namespace zenith::testing

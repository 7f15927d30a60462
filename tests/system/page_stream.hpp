// page_stream: asks a node's page service by libpq, as a test's client of it.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "protocol/pages/stream.hpp"

namespace zenith::testing {

/// One page stream of one timeline. Errors are exceptions with the service's own text.
class page_stream {
 public:
  /// `conninfo`: `page_address` of `zenith status`.
  page_stream(const std::string& conninfo, const std::string& timeline)
      : connection_(PQconnectdb((conninfo + " user=test dbname=zenith").c_str()), &PQfinish) {
    if (PQstatus(connection_.get()) != CONNECTION_OK) fail();
    const std::unique_ptr<PGresult, decltype(&PQclear)> begun(
        PQexec(connection_.get(), ("pagestream " + timeline).c_str()), &PQclear);
    if (PQresultStatus(begun.get()) != PGRES_COPY_BOTH) fail();
  }

  pages::reply ask(const pages::request& asked) {
    const pages::encoded_request sent = pages::encode(asked);
    if (PQputCopyData(connection_.get(), reinterpret_cast<const char*>(sent.data()),
                      static_cast<int>(sent.size())) != 1 ||
        PQflush(connection_.get()) != 0)
      fail();
    char* data = nullptr;
    const int size = PQgetCopyData(connection_.get(), &data, 0);
    if (size <= 0) fail();
    const std::unique_ptr<char, decltype(&PQfreemem)> held(data, &PQfreemem);
    auto reply = pages::decode_reply(
        byte_view(reinterpret_cast<const std::byte*>(data), static_cast<size_t>(size)));
    if (!reply) throw std::runtime_error(reply.error().message);
    return std::move(*reply);
  }
  page get_page(const relation_id& relation, block_number block, lsn at) {
    pages::request asked;
    asked.kind = pages::request_kind::get_page;
    asked.at = at;
    asked.relation = relation;
    asked.block = block;
    const pages::reply reply = ask(asked);
    if (const auto* refused = std::get_if<pages::error_reply>(&reply.body))
      throw std::runtime_error(refused->reason.message);
    return *std::get<pages::page_reply>(reply.body).data;
  }

 private:
  [[noreturn]] void fail() const { throw std::runtime_error(PQerrorMessage(connection_.get())); }

  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

}  // namespace zenith::testing

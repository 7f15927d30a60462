// The table of settings.
#include <array>

#include "config/settings.hpp"

namespace zenith::config {
namespace {

constexpr int64_t kB = 1024;
constexpr int64_t MB = 1024 * kB;
constexpr int64_t GB = 1024 * MB;
constexpr int64_t TB = 1024 * GB;
constexpr int64_t ms = 1;
constexpr int64_t s = 1000 * ms;
constexpr int64_t min = 60 * s;
constexpr int64_t h = 60 * min;

constexpr auto count = value_kind::count;
constexpr auto size = value_kind::size;
constexpr auto duration = value_kind::duration;
constexpr auto flag = value_kind::flag;
constexpr auto text = value_kind::text;
constexpr auto word = value_kind::word;

constexpr std::array table = {
    setting{"check_consistency_images", flag, "off", 0, 0, "",
            "whether the node compares its pages with the images that a server with "
            "wal_consistency_checking puts into its WAL; `zenith status` counts them"},
    setting{"cli_request_timeout", duration, "1min", 1 * s, 24 * h, "",
            "how long a command waits for the node's answer"},
    setting{"compute_port_first", count, "15432", 1024, 65535, "",
            "the first TCP port (on 127.0.0.1) that is given to a compute"},
    setting{"compute_port_last", count, "16431", 1024, 65535, "",
            "the last TCP port that is given to a compute"},
    setting{"compute_start_timeout", duration, "1min", 1 * s, 1 * h, "",
            "how long a started server may take until it accepts connections"},
    setting{"connections_max", count, "100", 1, 10000, "",
            "how many clients the page service serves at once; more wait until one leaves"},
    setting{"image_compression_level", count, "3", 1, 19, "",
            "zstd's level for pages in image files"},
    setting{"log_level", word, "info", 0, 0, "trace|debug|info|warning|error",
            "what is written to the node's log: this and all that is graver"},
    setting{"node_start_timeout", duration, "1min", 1 * s, 1 * h, "",
            "how long `zenith start` waits until the node serves"},
    setting{"page_cache_size", size, "256MB", 1 * MB, 1 * TB, "",
            "memory for finished pages, shared by all connections"},
    setting{"page_request_timeout", duration, "10s", 10 * ms, 1 * h, "",
            "how long a request waits for an LSN that has not arrived"},
    setting{"pending_reply_bytes_max", size, "1MB", 64 * kB, 1 * GB, "",
            "replies that one connection holds for a client that does not read; then it is not "
            "read from either"},
    setting{"pg_bin", text, ZENITH_PG_BIN, 0, 0, "", "the folder of PostgreSQL 15's own programs"},
    setting{"receiver_backoff_max", duration, "10s", 10 * ms, 1 * h, "",
            "the longest pause before a source that failed is tried again"},
    setting{"receiver_backoff_min", duration, "100ms", 1 * ms, 1 * min, "",
            "the first pause before a source that failed is tried again; doubled each time"},
    setting{"receiver_chunk_max", size, "1MB", 8 * kB, 64 * MB, "",
            "how much received WAL is handed on at once"},
    setting{"receiver_status_interval", duration, "1s", 10 * ms, 1 * min, "",
            "how often a source is told what is durable, at least"},
    setting{"requests_in_flight_max", count, "64", 1, 65536, "",
            "how many page requests one connection works on at once"},
    setting{"shutdown_timeout", duration, "1min", 1 * s, 1 * h, "",
            "how long the node waits for its computes and timelines when it stops"},
    setting{"unsynced_wal_max", size, "16MB", 64 * kB, 1 * GB, "",
            "received WAL that waits for its fsync; then the source is not read from"},
    setting{"user", text, "postgres", 0, 0, "",
            "the user that the node and its servers run as when root starts them"},
    setting{"view_lifetime", duration, "1min", 100 * ms, 1 * h, "",
            "how long a connection serves from one view before it asks for a new one"},
};

}  // namespace

std::span<const setting> all_settings() { return table; }

}  // namespace zenith::config

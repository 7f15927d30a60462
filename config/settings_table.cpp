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
constexpr int64_t d = 24 * h;

constexpr auto count = value_kind::count;
constexpr auto size = value_kind::size;
constexpr auto duration = value_kind::duration;
constexpr auto flag = value_kind::flag;
constexpr auto text = value_kind::text;
constexpr auto word = value_kind::word;

constexpr std::array table = {
    setting{"background_jobs", count, "2", 1, 64, "",
            "threads that write and merge layers; one of several only writes"},
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
    setting{"flush_compression_level", count, "0", -7, 19, "",
            "zstd's level for layers that are written as they came; 0: LZ4, at half the cost"},
    setting{"gc_interval", duration, "1h", 1 * s, 365 * d, "",
            "how often the node looks for history that has gone out of its window"},
    setting{"history_size", size, "0B", 0, 1024 * TB, "",
            "history that stays readable at every LSN: so much WAL before a branch's end, or what "
            "history_window says where that is more; a branch can have its own"},
    setting{"history_window", duration, "7d", 0, 36500 * d, "",
            "history that stays readable at every LSN: so long before now, or what history_size "
            "says where that is more; a branch can have its own"},
    setting{"image_compression_level", count, "-1", -7, 19, "",
            "zstd's level for pages in image files; below 0 larger and faster to read; 0: LZ4"},
    setting{"layer_file_size", size, "64MB", 64 * kB, 4 * GB, "",
            "about how large merged layer files become"},
    setting{"level0_max", count, "12", 2, 1000, "",
            "layers written as they came and not merged; with so many a branch's WAL waits"},
    setting{"level0_merge_at", count, "4", 2, 100, "",
            "layers written as they came and not merged that call for a merge"},
    setting{"log_level", word, "info", 0, 0, "trace|debug|info|warning|error",
            "what is written to the node's log: this and all that is graver"},
    setting{"memory_limit", size, "1GB", 64 * MB, 64 * TB, "",
            "the memory that the node takes: a quarter for finished pages, a quarter for blocks of "
            "layer files, three eighths for layers that are not written yet"},
    setting{"merge_compression_level", count, "0", -7, 19, "",
            "zstd's level for layers that merges write; below 0 larger and faster to read; 0: LZ4, "
            "more of both"},
    setting{"node_start_timeout", duration, "1min", 1 * s, 1 * h, "",
            "how long `zenith start` waits until the node serves"},
    setting{"open_files_max", count, "1000", 10, 1'000'000, "",
            "layer files that are open at once; the system has to allow it (ulimit -Hn)"},
    setting{"open_layer_age", duration, "5min", 1 * s, 30 * d, "",
            "after so long a layer in memory is written to a file, however small"},
    setting{
        "open_layer_size", size, "64MB", 64 * kB, 4 * GB, "",
        "a layer in memory of this size is written to a file; less where memory_limit is small"},
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
    setting{"records_per_page_max", count, "32", 1, 10000, "",
            "records of one page that merges leave in a row before they put the page itself"},
    setting{"requests_in_flight_max", count, "64", 1, 65536, "",
            "how many page requests one connection works on at once"},
    setting{"shutdown_timeout", duration, "1min", 1 * s, 1 * h, "",
            "how long the node waits for its computes and timelines when it stops"},
    setting{"timeline_idle_timeout", duration, "10min", 100 * ms, 365 * d, "",
            "a branch that nobody uses for so long is closed, until somebody does"},
    setting{"unsynced_wal_max", size, "16MB", 64 * kB, 1 * GB, "",
            "received WAL that waits for its fsync; then the source is not read from"},
    setting{"user", text, "postgres", 0, 0, "",
            "the user that the node and its servers run as when root starts them"},
    setting{"view_lifetime", duration, "1min", 100 * ms, 1 * h, "",
            "how long a connection serves from one view before it asks for a new one"},
    setting{
        "wal_keep_size", size, "1GB", 0, 1024 * TB, "",
        "WAL that is kept as it came: so much before a branch's end, or what wal_keep_time says "
        "where that is more; a branch can have its own"},
    setting{
        "wal_keep_time", duration, "1d", 0, 36500 * d, "",
        "WAL that is kept as it came: so long before now, or what wal_keep_size says where that "
        "is more; a branch can have its own"},
};

}  // namespace

std::span<const setting> all_settings() { return table; }

}  // namespace zenith::config

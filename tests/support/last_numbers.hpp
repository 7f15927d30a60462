// last_numbers: a server whose transaction ids, multixacts and members are nearly used up.
#pragma once

#include <cstdint>

#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

// What such a server gives out first.
inline constexpr uint32_t first_xid = UINT32_MAX - 20'000;
inline constexpr uint32_t first_multixact = UINT32_MAX - 1'500;
inline constexpr uint32_t first_member = UINT32_MAX - 2'500;

/// Takes a server right after initdb there by pg_resetwal, in epoch 4, and leaves it stopped, with
/// a table `t (i int primary key)` of 4000 rows. All of its pages are frozen.
void use_up_numbers(postgres_server& server);

// On the running server:
void take_transaction_ids(postgres_server& server, int count);
/// As many multixacts, each of two members, on rows 1 to `count` of t.
void take_multixacts(postgres_server& server, int count);
/// VACUUM (FREEZE) of every database, which truncates the SLRUs.
void freeze_everything(postgres_server& server);

}  // namespace zenith::testing

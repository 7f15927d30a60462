// postgres.h for C++: to be included before any other server header.
//
// Usage, in a .cpp of storage/postgres or storage/redo only:
//   #include "storage/postgres/pg_headers.hpp"   // postgres.h and c.h
//   extern "C" {
//   #include <access/heapam_xlog.h>
//   }
//   #include "storage/postgres/pg_headers_undef.hpp"  // takes their macros back
// after all of the project's and the standard library's own includes.
#pragma once

extern "C" {
#include <postgres.h>
}

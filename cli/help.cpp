// The front page.
#include "cli/help.hpp"

namespace zenith::cli {

std::string front_page() {
  return
      R"(zenith: branchable, time-travelling storage for stock PostgreSQL 15

Usage: zenith [--repo DIR] [--json] COMMAND ...

the node
  init      make a repository with the branch main
  start     start the node
  stop      stop the node and all of its servers
  status    show the node and its timelines
  config    show and set the settings

history
  branch    list, make, delete and rename branches
  tag       list, make and delete tags
  lsn       show what a point stands for

PostgreSQL servers
  pg        create, start, stop, list and destroy servers; run psql on one

data
  export    write a plain data directory as of a point
  page      read one page as of a point
  verify    compare a point with a stopped server's files
  layer     show what a layer file holds
  check     read every file of the repository, and find damage
  compact   merge a branch's layers until nothing is left to do
  gc        remove history that nothing needs

A POINT is NAME, NAME@LSN or NAME@TIME; NAME is a branch, a tag or a timeline id.

Examples
  zenith init && zenith start
  zenith pg create main --start            a server on the branch main
  zenith pg psql main                      psql on it
  zenith branch trial                      branch main as it is now
  zenith branch before main@2026-11-22T10:00:00Z
  zenith pg create trial --start           a second server, on the branch

--repo DIR (or $ZENITH_REPO) names the directory that holds .zenith; else it is the
nearest .zenith in this directory or above it. --json prints one JSON value.
zenith help COMMAND says more; zenith completion bash prints a completion script.
)";
}

}  // namespace zenith::cli

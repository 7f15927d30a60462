# The two programs: zenithd, the node, and zenith, the command line.
add_executable(zenithd actors/node/zenithd.cpp)
target_link_libraries(zenithd PRIVATE zenith_node)

file(GLOB zenith_cli_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/cli/*.cpp")
list(FILTER zenith_cli_sources EXCLUDE REGEX "/main\\.cpp$")
add_library(zenith_cli STATIC ${zenith_cli_sources})
target_link_libraries(zenith_cli PUBLIC zenith_actors PRIVATE CLI11::CLI11)
add_executable(zenith cli/main.cpp)
target_link_libraries(zenith PRIVATE zenith_cli)
# `zenith start` runs the zenithd beside it.
add_dependencies(zenith zenithd)

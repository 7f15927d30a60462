# The two programs: zenithd, the node, and zenith, the command line.
add_executable(zenithd actors/node/zenithd.cpp)
target_link_libraries(zenithd PRIVATE zenith_node)

file(GLOB zenith_cli_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/cli/*.cpp")
if(zenith_cli_sources)
  add_executable(zenith ${zenith_cli_sources})
  target_link_libraries(zenith PRIVATE zenith_actors CLI11::CLI11)
endif()

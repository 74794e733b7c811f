# How host code is compiled. Every host target links vitrine_host; guest/ and roms/ never do.
add_library(vitrine_host INTERFACE)
target_compile_options(vitrine_host INTERFACE -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion
  -Wno-sign-conversion -Wno-gnu-anonymous-struct -Wno-nested-anon-types -Wno-language-extension-token
  -fno-strict-aliasing $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual>)
target_include_directories(vitrine_host INTERFACE ${CMAKE_SOURCE_DIR})
target_link_options(vitrine_host INTERFACE -fuse-ld=lld-19)
# Assertions stay in release builds.
string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")
if(VITRINE_SANITIZE)
  # preserve_none handlers cannot hold the dynamic stack frames that ASan prefers.
  target_compile_options(vitrine_host INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
    "SHELL:-mllvm -asan-stack-dynamic-alloca=0")
  target_link_options(vitrine_host INTERFACE -fsanitize=address,undefined)
  target_compile_definitions(vitrine_host INTERFACE VITRINE_SANITIZE=1)
endif()

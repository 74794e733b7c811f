# How freestanding code is compiled and linked: guest/ (kernel, boot loader, init) and roms/ (firmware).
#
# Nothing here links vitrine_host: no host library, no sanitizer, no host header but the compiler's own freestanding ones.
# Each flavour is an INTERFACE library; objects come from `add_library(NAME OBJECT …)` that links one, and
# `vitrine_link` hands the objects to ld.lld with a linker script. Paths never reach the output (-ffile-prefix-map), so the
# same sources make the same bytes wherever they are built.
include_guard(GLOBAL)

find_program(VITRINE_LLD NAMES ld.lld-19 REQUIRED)
find_program(VITRINE_OBJCOPY NAMES llvm-objcopy-19 REQUIRED)
find_program(VITRINE_LZ4 NAMES lz4 REQUIRED)
find_program(VITRINE_PYTHON NAMES python3 REQUIRED)
set(VITRINE_GUEST_OUTPUT ${CMAKE_BINARY_DIR}/guest CACHE INTERNAL "")
file(MAKE_DIRECTORY ${VITRINE_GUEST_OUTPUT})

file(RELATIVE_PATH VITRINE_SOURCE_FROM_BUILD ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
string(REGEX REPLACE "/$" "" VITRINE_SOURCE_FROM_BUILD "${VITRINE_SOURCE_FROM_BUILD}")
add_library(vitrine_freestanding INTERFACE)
target_compile_options(vitrine_freestanding INTERFACE
  -ffreestanding -nostdlibinc -fno-common -fno-strict-aliasing -fno-ident
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=
  -ffile-prefix-map=${CMAKE_BINARY_DIR}=build
  -ffile-prefix-map=${VITRINE_SOURCE_FROM_BUILD}/= # a compiler cache may hand on relative paths
  -fdebug-compilation-dir=.
  -Wall -Wextra -Werror -Wshadow
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti -fno-threadsafe-statics -Wno-c99-designator>)
target_include_directories(vitrine_freestanding INTERFACE ${CMAKE_SOURCE_DIR})

# 64-bit kernel code at ffffffff80000000 and up.
add_library(vitrine_guest_kernel INTERFACE)
target_link_libraries(vitrine_guest_kernel INTERFACE vitrine_freestanding)
target_compile_options(vitrine_guest_kernel INTERFACE --target=x86_64-unknown-none-elf -O2 -g
  -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-pic -fno-pie -fno-omit-frame-pointer)

# 64-bit code that runs wherever it was loaded (the decompressor).
add_library(vitrine_guest_pie64 INTERFACE)
target_link_libraries(vitrine_guest_pie64 INTERFACE vitrine_freestanding)
target_compile_options(vitrine_guest_pie64 INTERFACE --target=x86_64-unknown-none-elf -O2
  -mcmodel=small -mno-red-zone -mgeneral-regs-only -fpie -fvisibility=hidden -fno-stack-protector
  -fno-asynchronous-unwind-tables -g0)

# 64-bit static user programs.
add_library(vitrine_guest_user INTERFACE)
target_link_libraries(vitrine_guest_user INTERFACE vitrine_freestanding)
target_compile_options(vitrine_guest_user INTERFACE --target=x86_64-unknown-none-elf -O2 -g -fno-pic -fno-pie
  -fno-stack-protector -fno-asynchronous-unwind-tables)

# Real-mode code: 32-bit instructions with operand-size prefixes, addresses within one 64 KiB segment.
add_library(vitrine_guest_real INTERFACE)
target_link_libraries(vitrine_guest_real INTERFACE vitrine_freestanding)
target_compile_options(vitrine_guest_real INTERFACE --target=i386-unknown-none-code16 -march=i386 -Os
  -mgeneral-regs-only -fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables -fomit-frame-pointer -g0)

# 32-bit flat protected-mode code.
add_library(vitrine_guest_flat32 INTERFACE)
target_link_libraries(vitrine_guest_flat32 INTERFACE vitrine_freestanding)
target_compile_options(vitrine_guest_flat32 INTERFACE --target=i386-unknown-none-elf -march=i686 -Os
  -mgeneral-regs-only -fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables -fomit-frame-pointer -g0)

# vitrine_link(OUTPUT file SCRIPT script.ld OBJECTS object-library… [EMULATION elf_x86_64] [OPTIONS …] [DEPENDS …])
# Links with ld.lld; a script's ASSERTs and any undefined symbol stop the build. A script that means to name every section
# says so with OPTIONS --orphan-handling=error.
function(vitrine_link)
  cmake_parse_arguments(L "" "OUTPUT;SCRIPT;EMULATION" "OBJECTS;OPTIONS;DEPENDS" ${ARGN})
  if(NOT L_EMULATION)
    set(L_EMULATION elf_x86_64)
  endif()
  set(objects)
  foreach(library ${L_OBJECTS})
    list(APPEND objects $<TARGET_OBJECTS:${library}>)
  endforeach()
  add_custom_command(OUTPUT ${L_OUTPUT}
    COMMAND ${VITRINE_LLD} -m ${L_EMULATION} -T ${L_SCRIPT} --build-id=none
            --no-undefined ${L_OPTIONS} -o ${L_OUTPUT} ${objects}
    DEPENDS ${objects} ${L_SCRIPT} ${L_DEPENDS}
    COMMAND_EXPAND_LISTS VERBATIM)
endfunction()

# vitrine_flat_binary(OUTPUT file.bin ELF file.elf): the loadable bytes alone.
function(vitrine_flat_binary)
  cmake_parse_arguments(F "" "OUTPUT;ELF" "" ${ARGN})
  add_custom_command(OUTPUT ${F_OUTPUT}
    COMMAND ${VITRINE_OBJCOPY} -O binary ${F_ELF} ${F_OUTPUT}
    DEPENDS ${F_ELF} VERBATIM)
endfunction()

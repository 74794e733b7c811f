# What `cmake --install` puts where, and the Debian package (`cpack -G DEB`, in the build folder).
#
# The program finds its firmware, guest, symbols and lessons in share/vitrine of its own prefix (emu/load/files.h), so that an
# installed tree may be moved as a whole. The manual page and bash's completion are made from what the program says of itself.
include(GNUInstallDirs)
set(shared ${CMAKE_INSTALL_DATADIR}/vitrine)
set(package ${CMAKE_SOURCE_DIR}/cmake/package)

set(texts ${CMAKE_BINARY_DIR}/package)
add_custom_command(OUTPUT ${texts}/vitrine.1 ${texts}/vitrine.bash
  COMMAND ${VITRINE_PYTHON} ${package}/command_text.py $<TARGET_FILE:vitrine> ${CMAKE_SOURCE_DIR}/docs/cli.md ${texts}
  DEPENDS vitrine lessons ${package}/command_text.py ${CMAKE_SOURCE_DIR}/docs/cli.md VERBATIM)
add_custom_target(command_texts ALL DEPENDS ${texts}/vitrine.1 ${texts}/vitrine.bash)

install(TARGETS vitrine RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${CMAKE_BINARY_DIR}/guest/vitrine-disk.img ${CMAKE_BINARY_DIR}/guest/bzImage ${CMAKE_BINARY_DIR}/guest/vmlinux
  DESTINATION ${shared}/guest)
install(FILES ${CMAKE_BINARY_DIR}/roms/vitrine-bios.bin DESTINATION ${shared}/roms)
# What gives code its names (emu/inspect/code_names.cpp): the parts of the boot, and the demonstration programs' line tables.
install(FILES ${CMAKE_BINARY_DIR}/roms/bios.elf DESTINATION ${shared}/roms)
install(FILES ${CMAKE_BINARY_DIR}/guest/boot/mbr.elf ${CMAKE_BINARY_DIR}/guest/boot/stage2.elf DESTINATION ${shared}/guest/boot)
install(FILES ${CMAKE_BINARY_DIR}/guest/kernel/boot/setup.elf DESTINATION ${shared}/guest/kernel/boot)
install(FILES ${CMAKE_BINARY_DIR}/guest/kernel/vdso.so DESTINATION ${shared}/guest/kernel)
install(FILES ${CMAKE_BINARY_DIR}/guest/image/bzImage.work/compressed.elf DESTINATION ${shared}/guest/image/bzImage.work)
install(DIRECTORY ${CMAKE_BINARY_DIR}/guest/programs DESTINATION ${shared}/guest)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/lessons/ DESTINATION ${shared}/lessons FILES_MATCHING PATTERN "*.md")
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md" PATTERN "lessons" EXCLUDE
  PATTERN "pictures" EXCLUDE)
# The guest's sources, which symbols and lessons name.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/guest/kernel ${CMAKE_SOURCE_DIR}/guest/user DESTINATION ${shared}/source/guest)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${package}/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${texts}/vitrine.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${texts}/vitrine.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME vitrine)
install(FILES ${package}/vitrine.desktop DESTINATION ${CMAKE_INSTALL_DATADIR}/applications)
install(FILES ${package}/vitrine.svg DESTINATION ${CMAKE_INSTALL_DATADIR}/icons/hicolor/scalable/apps)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME vitrine)
set(CPACK_PACKAGE_CONTACT "Vitrine's developers <vitrine@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "x86-64 computer in a glass case: watch a kernel run, and walk backwards")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "A full-system PC emulator with a kernel of its own inside, and an app that shows the
kernel live: page tables, run queues, buddy lists, interrupts, boot phases. Runs are recorded, replayed bit for bit and
walked backwards.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION otherosfs)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS fonts-dejavu-core) # the app's letters
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)
include(CPack)

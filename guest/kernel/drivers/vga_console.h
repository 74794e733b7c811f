// VGA text mode as a console (80 × 25 at B8000h): scrolling through the CRTC's start address, and the common
// ANSI sequences.
#pragma once

namespace kernel {

void con_init();

} // namespace kernel

// The PS/2 keyboard behind the i8042 (IRQ 1): scan code set 1, US layout, into the console terminal.
#pragma once

namespace kernel {

void i8042_init();

} // namespace kernel

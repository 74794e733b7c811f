// The 16550A on COM1 (ports 3F8h, IRQ 4): kernel console and terminal input.
#pragma once

namespace kernel {

/// Programs the port and registers the console: the first thing that start_kernel can say is heard.
void early_serial_init();
/// Input by interrupt; REQUIRES request_irq to work.
void serial8250_init();

} // namespace kernel

// Flip buffers: what an interrupt reads for a terminal waits here until a kworker gives it to the line
// discipline, which echoes, signals and wakes, and may take its time.
#include "drivers/tty.h"
#include "sched/scheduler.h"

namespace kernel {

bool tty_buffer_space_avail(const tty_struct& tty) {
    const tty_bufhead& buf = *tty.buf;
    return __atomic_load_n(&buf.used, __ATOMIC_ACQUIRE) < tty_bufhead::Size;
}

bool tty_insert_flip_char(tty_struct& tty, char c) {
    tty_bufhead& buf = *tty.buf;
    IrqSpinGuard guard(buf.lock);
    if (buf.used == tty_bufhead::Size) return false;
    buf.data[(buf.read + buf.used) % tty_bufhead::Size] = c;
    buf.used++;
    return true;
}

void tty_flip_buffer_push(tty_struct& tty) { queue_work(system_unbound_wq, tty.buf->work); }

/// As much as there is room for: a reader that makes some queues the work again (tty_buffer_restart_work).
void flush_to_ldisc(work_struct& work) {
    tty_bufhead& buf = *container_of(&work, tty_bufhead, work);
    tty_struct& tty = *buf.tty;
    while (tty.receive_room()) {
        char c;
        {
            IrqSpinGuard guard(buf.lock);
            if (!buf.used) break;
            c = buf.data[buf.read];
            buf.read = (buf.read + 1) % tty_bufhead::Size;
            buf.used--;
        }
        tty.receive(c);
    }
    if (buf.drained) buf.drained();
}

void tty_buffer_restart_work(tty_struct& tty) { tty_flip_buffer_push(tty); }

void tty_buffer_init(tty_struct& tty, tty_bufhead& buf) {
    buf.tty = &tty;
    INIT_WORK(buf.work, flush_to_ldisc);
    tty.buf = &buf;
    tty.unthrottle = tty_buffer_restart_work;
}

} // namespace kernel

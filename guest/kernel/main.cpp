// start_kernel: the kernel's table of contents. Each line is a boot phase that the host can stop at
// (trace/boot_phase.h); the order and the names are Linux's (init/main.c), as far as the parts exist.
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/smp.h"
#include "arch/x86_64/traps.h"
#include "block/block.h"
#include "drivers/ahci.h"
#include "drivers/keyboard.h"
#include "drivers/pci.h"
#include "drivers/serial.h"
#include "drivers/tty.h"
#include "drivers/vga_console.h"
#include "fs/dev/devtmpfs.h"
#include "fs/ext2/ext2.h"
#include "fs/fs-writeback.h"
#include "fs/proc/proc.h"
#include "fs/tmpfs.h"
#include "fs/vfs.h"
#include "initramfs.h"
#include "irq/irq.h"
#include "irq/workqueue.h"
#include "lib/kobject.h"
#include "lib/log.h"
#include "lib/string.h"
#include "net/unix/af_unix.h"
#include "mm/memory_struct.h"
#include "mm/overcommit.h"
#include "mm/swap.h"
#include "mm/paging.h"
#include "mm/reclaim.h"
#include "mm/slab.h"
#include "mm/zone.h"
#include "sched/scheduler.h"
#include "setup.h"
#include "sync/torture.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "time/tick.h"
#include "time/timekeeping.h"
#include "trace/boot_phase.h"

extern "C" char init_stack[];

namespace kernel {
namespace {

void console_init() {
    char unused[32];
    bool chosen = command_line_value("console", unused, sizeof unused);
    if (!chosen || command_line_lists("console", "tty0")) con_init();
    if (chosen && !command_line_lists("console", "ttyS0")) unregister_console("ttyS0");
    tty_init();
    char level[8];
    if (command_line_flag("quiet")) console_loglevel = 4;
    if (command_line_flag("debug")) console_loglevel = 8;
    if (command_line_value("loglevel", level, sizeof level))
        console_loglevel = static_cast<unsigned>(parse_number(level, nullptr));
}

void mem_init_print_info() {
    u64 managed = totalram_pages(), present = 0;
    for (const struct zone& zone : zones) present += zone.present_pages;
    pr_info(
        "Memory: %luK/%luK available (%luK kernel code, %luK rodata, %luK rwdata, %luK bss, %luK reserved)\n",
        nr_free_pages() * 4, present * 4, static_cast<u64>(_etext - _text) / KiB,
        static_cast<u64>(__end_rodata - __start_rodata) / KiB, static_cast<u64>(_edata - __start_data) / KiB,
        static_cast<u64>(__bss_stop - __bss_start) / KiB, (present - managed) * 4);
}

struct InitCall {
    const char* phase;
    Result<void> (*function)();
};

/// Drivers, in order of dependence. One that fails is reported; the machine goes on without it.
constexpr InitCall init_calls[] = {
    {"initcalls:pci",
     [] {
         pci_subsys_init();
         return Result<void>();
     }},
    {"initcalls:serial",
     [] {
         serial8250_init();
         return Result<void>();
     }},
    {"initcalls:i8042",
     [] {
         i8042_init();
         return Result<void>();
     }},
    {"initcalls:ahci", [] { return ahci_init(); }},
};

void do_initcalls() {
    for (const InitCall& call : init_calls) {
        boot_phase(call.phase);
        if (Result<void> result = call.function(); !result.ok())
            pr_warn("%s failed with error %d\n", call.phase, static_cast<int>(result.error()));
    }
}

/// What there is of devices is known: /sys shows it.
void fill_sysfs() {
    constexpr Result<void> (*fill[])() = {kobject_init, topology_sysfs_init, pci_sysfs_init, blk_sysfs_init,
                                          char_sysfs_init};
    for (auto part : fill)
        if (!part().ok()) panic("sysfs cannot be filled");
}

void mount_root() {
    char name[64] = "/dev/sda1";
    command_line_value("root", name, sizeof name);
    struct block_device* device = find_block_device(name);
    if (!device) {
        pr_emerg("VFS: Cannot open root device \"%s\"; available:\n", name);
        for (struct block_device* known = block_devices; known; known = known->next)
            pr_emerg("  %s (%lu KiB)\n", known->name, known->sectors / 2);
        panic("VFS: Unable to mount root fs on %s", name);
    }
    Result<ext2::ext2_sb_info*> fs = ext2::mount(device, command_line_flag("ro"));
    if (!fs.ok()) panic("VFS: Unable to mount root fs on %s: error %d", name, static_cast<int>(fs.error()));
    Result<struct inode*> root = fs.value()->inode(ext2::RootInode);
    if (!root.ok() || !is_directory(root.value()->i_mode))
        panic("VFS: the root directory of %s cannot be read", name);
    if (!do_mount("/", root.value(), name, fs.value()).ok()) panic("VFS: no memory for the root mount");
    set_init_root();
    pr_info("VFS: Mounted root (ext2 filesystem) on device %u:%u.\n", device_major(device->i_rdev),
            device_minor(device->i_rdev));

    struct inode* devices = make_devtmpfs();
    if (!do_mount("/dev", devices, "devtmpfs", devices->i_sb).ok())
        pr_err("devtmpfs: cannot be mounted: the root has no /dev\n");
    struct inode* sys = make_sysfs();
    if (!do_mount("/sys", sys, "sysfs", sys->i_sb).ok())
        pr_err("sysfs: cannot be mounted: the root has no /sys\n");
    struct inode* proc = make_procfs();
    if (!do_mount("/proc", proc, "proc", proc->i_sb).ok())
        pr_err("proc: cannot be mounted: the root has no /proc\n");
}

void console_on_rootfs() {
    Result<struct file*> console = do_filp_open(nullptr, "/dev/console", O_RDWR);
    if (!console.ok()) {
        pr_err("Warning: unable to open an initial console.\n");
        return;
    }
    files_struct& files = *get_current()->files;
    for (int i = 0; i < 3; i++) {
        if (i) get_file(console.value());
        if (!fd_install(files, console.value(), false).ok()) panic("no file descriptors for init");
    }
}

void free_initmem() {
    u64 begin = virt_to_phys(__init_begin), end = virt_to_phys(__init_end);
    for (u64 address = reinterpret_cast<u64>(__init_begin); address < reinterpret_cast<u64>(__init_end);
         address += PAGE_SIZE)
        unmap_kernel_page(address);
    u64 pages = free_reserved_area(begin, end);
    pr_info("Freeing unused kernel image (initmem) memory: %luK\n", pages * 4);
}

/// `first`: what an initramfs has.
void run_init_process(const char* first) {
    char chosen[128];
    const char* candidates[] = {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};
    const char* environment[] = {"HOME=/", "TERM=linux", "PATH=/sbin:/bin:/usr/sbin:/usr/bin", nullptr};
    boot_phase("run_init");
    if (first) {
        const char* arguments[] = {first, nullptr};
        pr_info("Run %s as init process\n", first);
        Result<void> result = kernel_execve(first, arguments, environment);
        if (result.ok()) return;
        pr_err("Failed to execute %s (error %d)\n", first, -static_cast<int>(result.error()));
    }
    if (command_line_value("init", chosen, sizeof chosen)) {
        const char* arguments[] = {chosen, nullptr};
        pr_info("Run %s as init process\n", chosen);
        Result<void> result = kernel_execve(chosen, arguments, environment);
        if (result.ok()) return;
        panic("Requested init %s failed (error %d).", chosen, -static_cast<int>(result.error()));
    }
    for (const char* path : candidates) {
        const char* arguments[] = {path, nullptr};
        Result<void> result = kernel_execve(path, arguments, environment);
        if (result.ok()) {
            pr_info("Run %s as init process\n", path);
            return;
        }
        if (result.error() != Errno::ENOENT)
            pr_err("Starting init: %s exists but couldn't execute it (error %d)\n", path,
                   -static_cast<int>(result.error()));
    }
    panic("No working init found. Try passing init= option to kernel.");
}

/// PID 1. When it returns, it is a user program.
void kernel_init(void*) {
    boot_phase("smp_init");
    smp_init();
    cpu_stop_init();
    workqueue_init(); // what was queued until now runs
    torture_locks();  // only when asked for
    overcommit_init();
    shmem_init();
    sock_init();
    af_unix_init();
    kswapd_run();
    flusher_run();
    do_initcalls();
    (void)make_devtmpfs(); // its devices are known from now on
    fill_sysfs();
    char rdinit[128] = "/init";
    command_line_value("rdinit", rdinit, sizeof rdinit);
    boot_phase("rootfs");
    bool initramfs = populate_rootfs(initrd_start, initrd_size, rdinit);
    boot_phase("mount_root");
    if (!initramfs) mount_root();
    console_on_rootfs();
    boot_phase("free_initmem");
    free_initmem();
    check_wx();
    task_struct* task = get_current();
    {
        IrqSpinGuard guard(tasklist_lock);
        change_pid(task, PIDTYPE_PGID, task->thread_pid);
        change_pid(task, PIDTYPE_SID, task->thread_pid);
        task->signal->leader = true;
        task->signal->tty = &console_terminal;
        console_terminal.foreground_group = console_terminal.session = 1;
    }
    run_init_process(initramfs ? rdinit : nullptr);
}

/// PIDs 1 and 2, then this thread is PID 0 and only idles.
[[noreturn]] void rest_init() {
    if (!kernel_thread(kernel_init, nullptr, "swapper/0").ok()) panic("cannot create PID 1");
    if (!kernel_thread(kthreadd, nullptr, "kthreadd").ok()) panic("cannot create PID 2");
    init_task.flags |= PF_IDLE;
    preempt_enable_no_resched();
    schedule();
    do_idle();
}

[[noreturn]] void start_kernel(u64 boot_params) {
    early_serial_init(); // heard from the first line
    pr_notice("%s\n", kernel_banner);

    boot_phase("setup_arch");
    setup_arch(boot_params); // E820, memblock, ACPI, page tables, zones
    lockdep_init();          // the command line is known
    boot_phase("trap_init");
    trap_init(); // IDT with IST stacks, TSS
    boot_phase("mm_init");
    paging_use_buddy();
    memblock_free_all();
    lru_init();
    kmem_cache_init();
    mem_init_print_info();
    boot_phase("sched_init");
    sched_init(); // the boot CPU's run queue
    rcu_init();
    boot_phase("init_IRQ");
    init_IRQ(); // 8259, LAPIC, IOAPIC
    boot_phase("time_init");
    timekeeping_init();
    init_timers();
    tick_init();
    boot_phase("console_init");
    console_init(); // console= and loglevel=
    boot_phase("fork_init");
    fork_init();
    fpu__init_system();
    proc_caches_init();
    swap_init();
    syscall_init();
    workqueue_init_early();
    boot_phase("vfs_caches_init");
    init_task.fs = alloc_fs_struct(); // nothing is mounted yet
    local_irq_enable();
    boot_phase("rest_init");
    rest_init();
}

} // namespace

/// From startup_64: on the boot stack, interrupts off, early page tables.
extern "C" [[noreturn]] void x86_64_start_kernel(u64 boot_params) {
    per_cpu[0].self = &per_cpu[0];
    per_cpu[0].current = &init_task;
    per_cpu[0].kernel_stack_top = reinterpret_cast<u64>(init_stack) + THREAD_SIZE;
    init_task.stack = init_stack;
    init_task.preempt_count = 1;
    init_task.flags = PF_KTHREAD;
    strscpy(init_task.comm, "swapper/0", sizeof init_task.comm);
    boot_phase("early_idt");
    idt_setup_early_handler();
    start_kernel(boot_params);
}

} // namespace kernel

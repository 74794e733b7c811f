// Sessions and their terminals: who controls whom, background access, hang-up. See tty.h. (After Linux's
// tty_jobctrl.c.)
#include "drivers/tty.h"

#include "arch/x86_64/user_access.h"
#include "fs/poll.h"
#include "lib/log.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {
namespace {

task_struct* leader_of(list_head* node, pid_type type) {
    return container_of_offset<task_struct>(node,
                                            offsetof(task_struct, pid_links) + type * sizeof(list_head));
}

/// REQUIRES: tasklist_lock.
void signal_group(i32 group, int signal) {
    if (struct pid* found = group ? find_pid(group) : nullptr) __kill_pgrp_info(signal, nullptr, found);
}

/// REQUIRES: tasklist_lock. Nobody in the session has it any more.
void session_clear_tty(tty_struct& tty) {
    struct pid* session = tty.session ? find_pid(tty.session) : nullptr;
    tty.session = tty.foreground_group = 0;
    if (!session || !session->tasks[PIDTYPE_SID].next) return;
    for (PID_EACH(node, session, PIDTYPE_SID)) {
        task_struct* member = leader_of(node, PIDTYPE_SID);
        if (member->signal && member->signal->tty == &tty) member->signal->tty = nullptr;
    }
}

/// REQUIRES: tasklist_lock.
void proc_set_tty(tty_struct& tty) {
    task_struct* task = get_current();
    tty.session = task_session_nr(*task);
    tty.foreground_group = task_pgrp_nr(*task);
    task->signal->tty = &tty;
    task->signal->tty_old_pgrp = 0;
}

} // namespace

bool tty_hung_up(const struct file& file) {
    auto* tty = static_cast<tty_struct*>(file.private_data);
    return tty && __atomic_load_n(&tty->hangups, __ATOMIC_ACQUIRE) != file.private_value;
}

bool tty_struct::controls_caller() const {
    task_struct* task = get_current();
    return task->signal->tty == this && session && session == task_session_nr(*task);
}

Result<void> tty_struct::check_change(int signal) {
    task_struct* task = get_current();
    if (!controls_caller() || !foreground_group || task_pgrp_nr(*task) == foreground_group) return {};
    if (task->blocked & sigmask(signal) || task->sighand->action[signal - 1].handler == SIG_IGN)
        return signal == SIGTTIN ? Result<void>(Errno::EIO) : Result<void>();
    IrqSpinGuard guard(tasklist_lock);
    if (is_current_pgrp_orphaned()) return Errno::EIO;
    __kill_pgrp_info(signal, nullptr, task_pgrp(*task));
    return Errno::ERESTARTSYS;
}

void tty_hangup(tty_struct& tty) {
    IrqSpinGuard guard(tasklist_lock);
    __atomic_add_fetch(&tty.hangups, 1, __ATOMIC_RELEASE);
    struct pid* session = tty.session ? find_pid(tty.session) : nullptr;
    i32 group = tty.foreground_group;
    if (session && session->tasks[PIDTYPE_SID].next) {
        for (PID_EACH(node, session, PIDTYPE_SID)) {
            task_struct* member = leader_of(node, PIDTYPE_SID);
            if (!member->signal || member->signal->tty != &tty || !member->signal->leader) continue;
            (void)do_send_sig_info(SIGHUP, nullptr, member, PIDTYPE_TGID);
            (void)do_send_sig_info(SIGCONT, nullptr, member, PIDTYPE_TGID);
            member->signal->tty_old_pgrp = group;
        }
    }
    session_clear_tty(tty);
    tty.readers.wake_all();
    tty.writers.wake_all();
}

void disassociate_ctty(task_struct* task) {
    IrqSpinGuard guard(tasklist_lock);
    tty_struct* tty = task->signal->tty;
    bool controls = tty && tty->session == task_session_nr(*task);
    // The files stay open. (Linux's real terminals hang up here; the console is for its other users as well.)
    i32 group = controls ? tty->foreground_group : tty ? 0 : task->signal->tty_old_pgrp;
    signal_group(group, SIGHUP);
    if (!controls || !tty->pty || !(task->flags & PF_EXITING)) signal_group(group, SIGCONT);
    task->signal->tty_old_pgrp = 0;
    if (controls) session_clear_tty(*tty);
}

void tty_open_proc_set_tty(struct file& file, tty_struct& tty) {
    task_struct* task = get_current();
    IrqSpinGuard guard(tasklist_lock);
    // Linux 4.x: who may not read it does not get it by opening it.
    if (!file.readable() || !task->signal->leader || task->signal->tty || tty.session || tty_hung_up(file))
        return;
    proc_set_tty(tty);
}

Result<u64> tty_jobctrl_ioctl(tty_struct& tty, u32 command, u64 argument, bool other_end) {
    task_struct* task = get_current();
    switch (command) {
    case 0x540f: // TIOCGPGRP
        if (!other_end && task->signal->tty != &tty) return Errno::ENOTTY;
        TRY(put_user<i32>(argument, tty.foreground_group));
        return u64{0};
    case 0x5410: { // TIOCSPGRP
        TRY(tty.check_change(SIGTTOU));
        if (!tty.controls_caller()) return Errno::ENOTTY;
        i32 group = TRY(get_user<i32>(argument));
        if (group < 0) return Errno::EINVAL;
        IrqSpinGuard guard(tasklist_lock);
        struct pid* found = find_pid(group);
        task_struct* member = nullptr;
        if (found && found->tasks[PIDTYPE_PGID].linked())
            member = leader_of(found->tasks[PIDTYPE_PGID].next, PIDTYPE_PGID);
        if (!member) return Errno::ESRCH;
        if (task_session(*member) != task_session(*task)) return Errno::EPERM;
        tty.foreground_group = group;
        return u64{0};
    }
    case 0x5429: // TIOCGSID
        if (!other_end && task->signal->tty != &tty) return Errno::ENOTTY;
        if (!tty.session) return Errno::ENOTTY;
        TRY(put_user<i32>(argument, tty.session));
        return u64{0};
    case 0x540e: { // TIOCSCTTY
        IrqSpinGuard guard(tasklist_lock);
        if (tty.pty && !pty_master_is_open(*tty.pty)) return Errno::EIO; // it would control us for ever
        if (task->signal->leader && tty.session && tty.session == task_session_nr(*task)) return u64{0};
        if (!task->signal->leader || task->signal->tty) return Errno::EPERM;
        if (tty.session) { // another's: root may steal it, with the argument 1. The console is for whoever
                           // asks.
            if ((argument != 1 && tty.pty) || !capable(*current_cred())) return Errno::EPERM;
            session_clear_tty(tty);
        }
        proc_set_tty(tty);
        return u64{0};
    }
    case 0x5422: // TIOCNOTTY
        if (task->signal->tty != &tty) return Errno::ENOTTY;
        if (task->signal->leader) disassociate_ctty(task);
        {
            IrqSpinGuard guard(tasklist_lock);
            task->signal->tty = nullptr;
        }
        return u64{0};
    default: return Errno::ENOSYS;
    }
}

} // namespace kernel

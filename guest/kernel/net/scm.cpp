// See scm.h.
#include "net/scm.h"

#include "arch/x86_64/user_access.h"
#include "mm/slab.h"
#include "task/pid.h"
#include "task/task.h"

namespace kernel {
namespace {

struct cmsghdr {
    u64 cmsg_len;
    i32 cmsg_level, cmsg_type;
};
static_assert(sizeof(cmsghdr) == 16);
constexpr usize cmsg_align(usize length) { return (length + 7) & ~usize{7}; }

struct ucred {
    i32 pid;
    u32 uid, gid;
};
constexpr u32 OverflowId = 65534; ///< for nobody's

/// The descriptors of one message join the list.
Result<void> scm_fp_copy(const u8* data, usize size, scm_fp_list*& list) {
    usize count = size / sizeof(i32);
    if (!count) return {};
    if (count > SCM_MAX_FD) return Errno::EINVAL;
    if (!list && !(list = make<scm_fp_list>())) return Errno::ENOMEM;
    list->uid = current_cred()->uid;
    if (list->count + count > SCM_MAX_FD) return Errno::EINVAL;
    for (usize i = 0; i < count; i++) {
        i32 fd;
        memcpy(&fd, data + i * sizeof fd, sizeof fd);
        struct file* file = TRY(fget_raw(fd));
        list->fp[list->count++] = file;
    }
    return {};
}

/// Root may say anything that exists; others only what they are.
Result<void> scm_check_creds(const ucred& said) {
    const struct cred& cred = *current_cred();
    if (capable(cred)) return {};
    if (said.pid != get_current()->tgid) return Errno::EPERM;
    bool uid = said.uid == cred.uid || said.uid == cred.euid || said.uid == cred.suid;
    bool gid = said.gid == cred.gid || said.gid == cred.egid || said.gid == cred.sgid;
    return uid && gid ? Result<void>() : Errno::EPERM;
}

Result<void> scm_credentials(const u8* data, usize size, scm_cookie& scm) {
    ucred said;
    if (size != sizeof said) return Errno::EINVAL;
    memcpy(&said, data, sizeof said);
    TRY(scm_check_creds(said));
    struct pid* pid = nullptr;
    {
        IrqSpinGuard guard(tasklist_lock);
        if ((pid = find_pid(said.pid))) get_pid(pid);
    }
    if (!pid) return Errno::ESRCH;
    if (said.uid == ~0U || said.gid == ~0U) {
        put_pid(pid);
        return Errno::EINVAL;
    }
    if (scm.pid) put_pid(scm.pid);
    scm.pid = pid, scm.uid = said.uid, scm.gid = said.gid;
    return {};
}

/// One control message to the caller; one that does not fit is cut, and MSG_CTRUNC says so.
void put_cmsg(msghdr& message, i32 type, const void* data, usize size) {
    usize length = sizeof(cmsghdr) + size;
    if (!message.msg_control_user || message.msg_controllen < sizeof(cmsghdr)) {
        message.msg_flags |= MSG_CTRUNC;
        return;
    }
    if (message.msg_controllen < length) {
        message.msg_flags |= MSG_CTRUNC;
        length = message.msg_controllen;
    }
    cmsghdr header{length, SOL_SOCKET, type};
    if (!put_user(message.msg_control_user, header).ok() ||
        !copy_to_user(message.msg_control_user + sizeof header, data, length - sizeof header).ok())
        return;
    usize taken = min(cmsg_align(length), message.msg_controllen);
    message.msg_control_user += taken;
    message.msg_controllen -= taken;
}

/// The files become descriptors of the caller, as many as it has room for.
void scm_detach_fds(msghdr& message, scm_cookie& scm) {
    scm_fp_list& list = *scm.fp;
    usize room = message.msg_controllen > sizeof(cmsghdr)
                     ? (message.msg_controllen - sizeof(cmsghdr)) / sizeof(i32)
                     : 0;
    usize most = min<usize>(room, list.count), i = 0;
    u64 data = message.msg_control_user + sizeof(cmsghdr);
    for (; i < most; i++) {
        files_struct& table = *get_current()->files;
        Result<i32> fd = get_unused_fd(table, message.msg_flags & MSG_CMSG_CLOEXEC);
        if (!fd.ok()) break;
        if (!put_user(data + i * sizeof(i32), fd.value()).ok()) {
            put_unused_fd(table, fd.value());
            break;
        }
        get_file(list.fp[i]);
        fd_publish(table, fd.value(), list.fp[i]);
    }
    if (i) {
        usize length = sizeof(cmsghdr) + i * sizeof(i32);
        cmsghdr header{length, SOL_SOCKET, SCM_RIGHTS};
        if (put_user(message.msg_control_user, header).ok()) {
            usize taken = min(cmsg_align(length), message.msg_controllen);
            message.msg_control_user += taken;
            message.msg_controllen -= taken;
        }
    }
    if (i < list.count) message.msg_flags |= MSG_CTRUNC;
    scm_fp_destroy(scm.fp);
    scm.fp = nullptr;
}

} // namespace

scm_fp_list* scm_fp_dup(const scm_fp_list& from) {
    auto* copy = make<scm_fp_list>();
    if (!copy) return nullptr;
    copy->count = from.count;
    copy->uid = from.uid;
    for (u32 i = 0; i < from.count; i++) get_file(copy->fp[i] = from.fp[i]);
    return copy;
}

void scm_fp_destroy(scm_fp_list* list) {
    if (!list) return;
    task_struct* task = get_current();
    if (task->scm_work_list) {
        task->scm_work_list->push_back(&list->list);
        return;
    }
    list_head work;
    work.initialise();
    task->scm_work_list = &work;
    work.push_back(&list->list);
    while (list_head* node = work.pop_front()) {
        list = container_of(node, scm_fp_list, list);
        for (u32 i = 0; i < list->count; i++) fput(list->fp[i]);
        destroy(list);
    }
    task->scm_work_list = nullptr;
}

void scm_destroy(scm_cookie& scm) {
    if (scm.pid) put_pid(scm.pid);
    scm.pid = nullptr;
    scm_fp_destroy(scm.fp);
    scm.fp = nullptr;
}

void scm_set_cred(scm_cookie& scm, struct pid* pid, u32 uid, u32 gid) {
    if (scm.pid) put_pid(scm.pid);
    scm.pid = pid ? get_pid(pid) : nullptr;
    scm.uid = uid, scm.gid = gid;
}

Result<void> scm_send(struct socket&, const msghdr& message, scm_cookie& scm) {
    usize at = 0, length = message.msg_controllen;
    Result<void> result;
    while (result.ok() && length - at >= sizeof(cmsghdr)) {
        cmsghdr header;
        memcpy(&header, message.msg_control + at, sizeof header);
        if (header.cmsg_len < sizeof header || header.cmsg_len > length - at) {
            result = Errno::EINVAL;
            break;
        }
        const u8* data = message.msg_control + at + sizeof header;
        usize size = header.cmsg_len - sizeof header;
        if (header.cmsg_level == SOL_SOCKET) {
            switch (header.cmsg_type) {
            case SCM_RIGHTS: result = scm_fp_copy(data, size, scm.fp); break;
            case SCM_CREDENTIALS: result = scm_credentials(data, size, scm); break;
            default: result = Errno::EINVAL;
            }
        }
        usize step = cmsg_align(header.cmsg_len);
        if (step > length - at) break;
        at += step;
    }
    if (!result.ok()) scm_destroy(scm);
    return result;
}

void scm_recv(struct socket& sock, msghdr& message, scm_cookie& scm, u32) {
    if (!message.msg_control_user) {
        if (sock.sk->sk_passcred || scm.fp) message.msg_flags |= MSG_CTRUNC;
        scm_destroy(scm);
        return;
    }
    if (sock.sk->sk_passcred) {
        ucred told{scm.pid ? scm.pid->nr : 0, scm.uid == ~0U ? OverflowId : scm.uid,
                   scm.gid == ~0U ? OverflowId : scm.gid};
        put_cmsg(message, SCM_CREDENTIALS, &told, sizeof told);
    }
    if (scm.fp) scm_detach_fds(message, scm);
    scm_destroy(scm);
}

} // namespace kernel

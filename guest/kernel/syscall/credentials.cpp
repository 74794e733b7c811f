// System calls on identities: users and groups (credentials(7)).
#include "arch/x86_64/user_access.h"
#include "syscall/syscall.h"
#include "task/cred.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr u32 Keep = ~0U; ///< −1: unchanged

Result<i64> sys_getuid() { return i64{current_cred()->uid}; }
Result<i64> sys_getgid() { return i64{current_cred()->gid}; }
Result<i64> sys_geteuid() { return i64{current_cred()->euid}; }
Result<i64> sys_getegid() { return i64{current_cred()->egid}; }

/// One of the three that the caller has already, or anything for root.
bool allowed(u32 wanted, u32 real, u32 effective, u32 saved) {
    return wanted == Keep || wanted == real || wanted == effective || wanted == saved ||
           capable(*current_cred());
}

Result<i64> sys_setresuid(u32 real, u32 effective, u32 saved) {
    const struct cred& now = *current_cred();
    const u32 all[] = {real, effective, saved};
    for (u32 wanted : all)
        if (!allowed(wanted, now.uid, now.euid, now.suid)) return Errno::EPERM;
    struct cred* fresh = TRY(prepare_creds());
    if (real != Keep) fresh->uid = real;
    if (effective != Keep) fresh->euid = effective;
    if (saved != Keep) fresh->suid = saved;
    fresh->fsuid = fresh->euid;
    commit_creds(fresh);
    return i64{0};
}
Result<i64> sys_setresgid(u32 real, u32 effective, u32 saved) {
    const struct cred& now = *current_cred();
    const u32 all[] = {real, effective, saved};
    for (u32 wanted : all)
        if (!allowed(wanted, now.gid, now.egid, now.sgid)) return Errno::EPERM;
    struct cred* fresh = TRY(prepare_creds());
    if (real != Keep) fresh->gid = real;
    if (effective != Keep) fresh->egid = effective;
    if (saved != Keep) fresh->sgid = saved;
    fresh->fsgid = fresh->egid;
    commit_creds(fresh);
    return i64{0};
}
Result<i64> sys_setuid(u32 uid) {
    if (uid == Keep) return Errno::EINVAL;
    if (capable(*current_cred())) return sys_setresuid(uid, uid, uid);
    return sys_setresuid(Keep, uid, Keep);
}
Result<i64> sys_setgid(u32 gid) {
    if (gid == Keep) return Errno::EINVAL;
    if (capable(*current_cred())) return sys_setresgid(gid, gid, gid);
    return sys_setresgid(Keep, gid, Keep);
}
Result<i64> sys_setreuid(u32 real, u32 effective) {
    const struct cred& now = *current_cred();
    if (!capable(now) && real != Keep && real != now.uid && real != now.euid) return Errno::EPERM;
    bool saves = real != Keep || (effective != Keep && effective != now.uid);
    return sys_setresuid(real, effective, saves ? (effective != Keep ? effective : now.euid) : Keep);
}
Result<i64> sys_setregid(u32 real, u32 effective) {
    const struct cred& now = *current_cred();
    if (!capable(now) && real != Keep && real != now.gid && real != now.egid) return Errno::EPERM;
    bool saves = real != Keep || (effective != Keep && effective != now.gid);
    return sys_setresgid(real, effective, saves ? (effective != Keep ? effective : now.egid) : Keep);
}

Result<i64> sys_getresuid(u64 real, u64 effective, u64 saved) {
    const struct cred& now = *current_cred();
    TRY(put_user(real, now.uid));
    TRY(put_user(effective, now.euid));
    TRY(put_user(saved, now.suid));
    return i64{0};
}
Result<i64> sys_getresgid(u64 real, u64 effective, u64 saved) {
    const struct cred& now = *current_cred();
    TRY(put_user(real, now.gid));
    TRY(put_user(effective, now.egid));
    TRY(put_user(saved, now.sgid));
    return i64{0};
}

/// These two never fail: they return what was.
Result<i64> sys_setfsuid(u32 uid) {
    const struct cred& now = *current_cred();
    u32 old = now.fsuid;
    if (uid != Keep && (uid == now.fsuid || allowed(uid, now.uid, now.euid, now.suid))) {
        struct cred* fresh = TRY(prepare_creds());
        fresh->fsuid = uid;
        commit_creds(fresh);
    }
    return i64{old};
}
Result<i64> sys_setfsgid(u32 gid) {
    const struct cred& now = *current_cred();
    u32 old = now.fsgid;
    if (gid != Keep && (gid == now.fsgid || allowed(gid, now.gid, now.egid, now.sgid))) {
        struct cred* fresh = TRY(prepare_creds());
        fresh->fsgid = gid;
        commit_creds(fresh);
    }
    return i64{old};
}

Result<i64> sys_getgroups(i32 size, u64 target) {
    const struct cred& now = *current_cred();
    if (size < 0) return Errno::EINVAL;
    if (size) {
        if (now.ngroups > static_cast<u32>(size)) return Errno::EINVAL;
        TRY(copy_to_user(target, now.groups, now.ngroups * sizeof(u32)));
    }
    return i64{now.ngroups};
}
Result<i64> sys_setgroups(i32 size, u64 source) {
    if (!capable(*current_cred())) return Errno::EPERM;
    if (size < 0 || static_cast<u32>(size) > NGROUPS_MAX) return Errno::EINVAL;
    struct cred* fresh = TRY(prepare_creds());
    fresh->ngroups = static_cast<u32>(size);
    Result<void> copied = copy_from_user(fresh->groups, source, fresh->ngroups * sizeof(u32));
    if (!copied.ok()) {
        abort_creds(fresh);
        return copied.error();
    }
    commit_creds(fresh);
    return i64{0};
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_getuid>(102, "getuid"),
    row<sys_getgid>(104, "getgid"),
    row<sys_setuid>(105, "setuid", Unsigned),
    row<sys_setgid>(106, "setgid", Unsigned),
    row<sys_geteuid>(107, "geteuid"),
    row<sys_getegid>(108, "getegid"),
    row<sys_setreuid>(113, "setreuid", Int, Int),
    row<sys_setregid>(114, "setregid", Int, Int),
    row<sys_getgroups>(115, "getgroups", Int, Pointer),
    row<sys_setgroups>(116, "setgroups", Int, Pointer),
    row<sys_setresuid>(117, "setresuid", Int, Int, Int),
    row<sys_getresuid>(118, "getresuid", Pointer, Pointer, Pointer),
    row<sys_setresgid>(119, "setresgid", Int, Int, Int),
    row<sys_getresgid>(120, "getresgid", Pointer, Pointer, Pointer),
    row<sys_setfsuid>(122, "setfsuid", Unsigned),
    row<sys_setfsgid>(123, "setfsgid", Unsigned),
};

} // namespace

SyscallSpan credential_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel

// Who a task is: user and group identities. A cred never changes once a task has it: a change makes a copy.
#pragma once

#include "lib/result.h"

namespace kernel {

inline constexpr unsigned NGROUPS_MAX = 64;

struct cred {
    u32 usage = 1;
    u32 uid = 0, gid = 0, suid = 0, sgid = 0, euid = 0, egid = 0, fsuid = 0, fsgid = 0;
    u32 ngroups = 0;
    u32 groups[NGROUPS_MAX] = {};
};

extern struct cred init_cred;
const struct cred* get_cred(const struct cred* cred);
void put_cred(const struct cred* cred);
/// A copy of the caller's, to be changed and then given to commit_creds() or abort_creds().
Result<struct cred*> prepare_creds();
void commit_creds(struct cred* fresh);
void abort_creds(struct cred* fresh);
/// For the length of one call: takes over the fresh one's reference, gives back the caller's own for
/// revert_creds().
const struct cred* override_creds(struct cred* fresh);
void revert_creds(const struct cred* old);
const struct cred* current_cred();
/// Root may do what capabilities would allow.
inline bool capable(const struct cred& cred) { return cred.euid == 0; }
bool in_group_p(u32 gid);

} // namespace kernel

// Control messages of sockets: descriptors (SCM_RIGHTS) and credentials (SCM_CREDENTIALS). See unix(7),
// cmsg(3).
#pragma once

#include "net/socket.h"

namespace kernel {

/// What one sendmsg or recvmsg carries beside the bytes.
struct scm_cookie {
    struct pid* pid = nullptr; ///< with a reference
    u32 uid = ~0U, gid = ~0U;
    scm_fp_list* fp = nullptr;
};

/// Reads the caller's control messages. What it finds is scm_destroy()'s to give back.
Result<void> scm_send(struct socket& sock, const msghdr& message, scm_cookie& scm);
/// Writes them to the caller, with its new descriptors; gives back the rest.
void scm_recv(struct socket& sock, msghdr& message, scm_cookie& scm, u32 flags);
void scm_destroy(scm_cookie& scm);
void scm_set_cred(scm_cookie& scm, struct pid* pid, u32 uid, u32 gid);
scm_fp_list* scm_fp_dup(const scm_fp_list& from);
/// Closes the files. What that closes in turn waits its turn, on the task's own list: a chain of sockets in
/// sockets does not go down the stack.
void scm_fp_destroy(scm_fp_list* list);

} // namespace kernel

// A path argument of a system call.
#pragma once

#include "arch/x86_64/user_access.h"
#include "fs/vfs.h"
#include "mm/slab.h"

namespace kernel {

/// A path from user space, and the directory it starts from.
class UserPath {
public:
    UserPath() = default;
    ~UserPath() {
        kfree(text_);
        if (file_) fput(file_);
    }
    UserPath(const UserPath&) = delete;
    UserPath& operator=(const UserPath&) = delete;

    Result<void> fetch(i32 directory, u64 address) {
        text_ = static_cast<char*>(kmalloc(PathMax));
        if (!text_) return Errno::ENOMEM;
        TRY(strncpy_from_user(text_, address, PathMax));
        if (directory != AT_FDCWD && text_[0] != '/') {
            file_ = TRY(fget_raw(directory));
            if (text_[0] && (!file_->f_dentry || !is_directory(file_->f_inode->i_mode)))
                return Errno::ENOTDIR;
        }
        return {};
    }
    const char* text() const { return text_; }
    struct dentry* base() const { return file_ ? file_->f_dentry : nullptr; }
    struct file* file() const { return file_; }

private:
    char* text_ = nullptr;
    struct file* file_ = nullptr;
};

} // namespace kernel

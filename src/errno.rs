//! The words of a system error: a leaf, since configurations, starts and log files all tell of them.

use std::io;

use nix::errno::Errno;

/// Go's text of an error number, which scripts look for: the C library's in lower case, but for some.
pub fn go_words(errno: Errno) -> String {
    match errno {
        Errno::EAGAIN => "resource temporarily unavailable".to_owned(),
        Errno::ENFILE => "too many open files in system".to_owned(),
        Errno::E2BIG => "argument list too long".to_owned(),
        Errno::ENOMEM => "cannot allocate memory".to_owned(),
        Errno::ELOOP => "too many levels of symbolic links".to_owned(),
        Errno::EIO => "input/output error".to_owned(),
        Errno::EBADF => "bad file descriptor".to_owned(),
        _ => {
            let mut letters = errno.desc().chars();
            letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect()
        }
    }
}

/// The same of an error of the standard library; its own words where no system call failed.
pub fn go_words_of(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |number| go_words(Errno::from_raw(number)))
}

/// What to raise when the machine, or a limit of it, has nothing more to give; to be put behind the error. Empty where
/// something else is the matter.
pub fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EMFILE) => " (the limit on open files is too low: ulimit -n, docker run --ulimit nofile=...)",
        Some(Errno::ENFILE) => " (the whole machine has no more open files: sysctl fs.file-max)",
        Some(Errno::EAGAIN) => {
            " (no further thread is allowed: ulimit -u of this user, or the container's limit on pids, docker run --pids-limit)"
        }
        Some(Errno::ENOMEM) => " (there is no memory left: the container's limit, or ulimit -v)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_go() {
        // From `go doc syscall` (zerrors_linux_amd64.go), the numbers that exec and fork can give.
        let words = [
            (Errno::EPERM, "operation not permitted"),
            (Errno::ENOENT, "no such file or directory"),
            (Errno::EIO, "input/output error"),
            (Errno::E2BIG, "argument list too long"),
            (Errno::ENOEXEC, "exec format error"),
            (Errno::EAGAIN, "resource temporarily unavailable"),
            (Errno::ENOMEM, "cannot allocate memory"),
            (Errno::EACCES, "permission denied"),
            (Errno::ENOTDIR, "not a directory"),
            (Errno::EISDIR, "is a directory"),
            (Errno::EINVAL, "invalid argument"),
            (Errno::ENFILE, "too many open files in system"),
            (Errno::EMFILE, "too many open files"),
            (Errno::ETXTBSY, "text file busy"),
            (Errno::ELOOP, "too many levels of symbolic links"),
            (Errno::ENAMETOOLONG, "file name too long"),
        ];
        for (errno, expected) in words {
            assert_eq!(go_words(errno), expected);
        }
    }

    #[test]
    fn what_is_lacking_has_a_remedy_and_other_errors_have_none() {
        let told = |errno: Errno| remedy(&io::Error::from_raw_os_error(errno as i32));
        for (errno, limit) in [
            (Errno::EMFILE, "ulimit -n"),
            (Errno::ENFILE, "fs.file-max"),
            (Errno::EAGAIN, "ulimit -u"),
            (Errno::ENOMEM, "ulimit -v"),
        ] {
            assert!(told(errno).contains(limit), "{errno}");
        }
        assert_eq!(told(Errno::ENOENT), "");
        assert_eq!(remedy(&io::Error::other("odd")), "");
    }

    #[test]
    fn what_no_system_call_said_is_left_as_it_is() {
        assert_eq!(go_words_of(&io::Error::from_raw_os_error(40)), "too many levels of symbolic links");
        assert_eq!(go_words_of(&io::Error::other("Odd")), "Odd");
    }
}

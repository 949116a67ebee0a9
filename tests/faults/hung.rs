//! A file system whose server takes a question and never answers it: who has asked waits in the kernel, and does not even die
//! of SIGKILL. (Who is frozen in a control group of version 1 doesn't, either; in version 2 he does.)

#![expect(clippy::panic, reason = "where there is none the test fails, and says what it needs")]

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

/// The opcode of the kernel's first request.
const INIT: u32 = 26;

/// Until its end nobody who has asked it goes on. To be moved behind the [`Pilot`](crate::support::Pilot), so that it ends
/// first: a PID 1 can't end while somebody of its namespace is held.
pub struct Hung {
    /// The server's end. With its last copy the kernel gives all questions up.
    server: File,
    dir: TempDir,
}

impl Hung {
    /// Mounted for this thread and whom it starts from now on.
    pub fn mounted() -> Self {
        let server = OpenOptions::new().read(true).write(true).open("/dev/fuse");
        let server = server.unwrap_or_else(|error| panic!("this test needs /dev/fuse: {error}"));
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", server.as_raw_fd());
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("hung"), dir.path(), Some("fuse"), flags, Some(options.as_str())).unwrap();
        let mut hung = Self { server, dir };
        let (opcode, unique) = hung.question();
        assert_eq!(opcode, INIT);
        // Length, no error, which question; version 7.31, and zeros for everything that it would like to know.
        let head = [80_u32.to_ne_bytes(), 0_u32.to_ne_bytes()].concat();
        let version = [7_u32.to_ne_bytes(), 31_u32.to_ne_bytes()].concat();
        hung.server.write_all(&[&head[..], &unique.to_ne_bytes(), &version, &[0; 56]].concat()).unwrap();
        hung
    }

    /// A file in it.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("held")
    }

    /// Waits until somebody asks.
    pub fn wait_asked(&mut self) {
        self.question();
    }

    /// The kernel's next question: its opcode and number.
    fn question(&mut self) -> (u32, u64) {
        let mut request = vec![0; 1 << 16];
        let length = self.server.read(&mut request).unwrap();
        assert!(length >= 40, "the head of a request");
        let (opcode, unique) = (request.get(4..8).unwrap(), request.get(8..16).unwrap());
        (u32::from_ne_bytes(opcode.try_into().unwrap()), u64::from_ne_bytes(unique.try_into().unwrap()))
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        let _ = umount2(self.dir.path(), MntFlags::MNT_DETACH);
    }
}

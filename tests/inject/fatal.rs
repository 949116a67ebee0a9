//! Calls without which nothing can go on: then the end comes at once, is told in one line, and leaves nobody.

use crate::smoke::Smoke;
use crate::strace::Strace;

// Seen red with src/app.rs:
//- if !IN_THE_LOOP.get() {
//+ if false {
/// What the runtime can't do without. The kernel gives these errors only when something else is broken.
#[test]
fn a_runtime_that_can_not_go_on_ends_the_jobs_first() {
    for (call, errno) in [("?epoll_wait,?epoll_pwait,?epoll_pwait2", "EBADF"), ("write", "EIO")] {
        let mut smoke = Smoke::start("", "");
        let strace = Strace::inject(&smoke.pilot, smoke.pilot.pid, call, &format!("error={errno}:when=1"));
        smoke.work_until_hit();
        let wrong = smoke.ends(70, vec![Some(strace)]);
        assert_eq!(smoke.pilot.log(), ["term"], "steady was asked to end");
        let stderr = smoke.pilot.stderr();
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("containerpilot: internal error, please report it: "), "{stderr}");
        assert_eq!(wrong, [""; 0], "{call} gives {errno}");
        smoke.pilot.finish();
    }
}

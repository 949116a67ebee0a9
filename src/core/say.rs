//! The original's words for what a command did (v3 §9); scripts look for them.

use super::ExitStatus;
use crate::plan::Signal;

pub use crate::duration::elapsed;
pub use crate::number::count;

/// Go's text of a process state: `exit status 3`, `signal: killed`.
pub fn exit_status(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("exit status {code}"),
        ExitStatus::Signal(signal) => format!("signal: {}", signal_text(signal)),
    }
}

/// Go's text of a signal on Linux.
fn signal_text(signal: Signal) -> String {
    const TEXTS: [&str; 15] = [
        "hangup",
        "interrupt",
        "quit",
        "illegal instruction",
        "trace/breakpoint trap",
        "aborted",
        "bus error",
        "floating point exception",
        "killed",
        "user defined signal 1",
        "segmentation fault",
        "user defined signal 2",
        "broken pipe",
        "alarm clock",
        "terminated",
    ];
    let index = usize::try_from(signal.number()).ok().and_then(|n| n.checked_sub(1));
    match index.and_then(|i| TEXTS.get(i)) {
        Some(text) => (*text).to_owned(),
        None => format!("signal {}", signal.number()),
    }
}

/// `web, db`, the first ten of them and how many more there are.
pub fn some_names(names: &[&str]) -> String {
    const MOST: usize = 10;
    let some: Vec<&str> = names.iter().take(MOST).copied().collect();
    match names.len().saturating_sub(MOST) {
        0 => some.join(", "),
        more => format!("{} and {more} more", some.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_are_told_in_go_words() {
        assert_eq!(exit_status(ExitStatus::Code(255)), "exit status 255");
        assert_eq!(exit_status(ExitStatus::Signal(Signal::KILL)), "signal: killed");
        assert_eq!(exit_status(ExitStatus::Signal(Signal::TERM)), "signal: terminated");
        let real_time = Signal::from_number(34).expect("a signal");
        assert_eq!(exit_status(ExitStatus::Signal(real_time)), "signal: signal 34");
    }
}

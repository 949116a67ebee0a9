//! The original's words for what a command did (v3 §9); scripts look for them.

use std::time::Duration;

use super::ExitStatus;
use crate::plan::Signal;

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

/// A duration for people: three digits are enough.
pub fn elapsed(duration: Duration) -> String {
    if duration.as_secs() >= 10 || (duration.subsec_millis() == 0 && duration.as_secs() > 0) {
        humane(duration.as_secs())
    } else if duration.as_secs() >= 1 {
        format!("{:.1}s", duration.as_secs_f64())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

fn humane(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// `1 job`, `2 jobs`, `2 processes`.
pub fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ if noun.ends_with('s') => format!("{number} {noun}es"),
        _ => format!("{number} {noun}s"),
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

    #[test]
    fn nouns_are_counted() {
        assert_eq!([count(0, "job"), count(1, "process"), count(2, "process")], ["0 jobs", "1 process", "2 processes"]);
    }

    #[test]
    fn durations_are_short() {
        for (millis, text) in [
            (0, "0ms"),
            (250, "250ms"),
            (1000, "1s"),
            (1500, "1.5s"),
            (12_340, "12s"),
            (90_000, "1m 30s"),
            (7_200_000, "2h 0m"),
        ] {
            assert_eq!(elapsed(Duration::from_millis(millis)), text);
        }
    }
}

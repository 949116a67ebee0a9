//! The verbs that change nothing.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::super::client::{Instance, Next, encoded};
use super::super::output::Output;
use super::super::render::{self, Look};
use super::super::{Failed, complain};
use super::{ENDED, pause, print_json};
use crate::api::{Jobs, LogLine, Overview, Readiness};
use crate::number::count;

/// Between two drawings.
const TICK: Duration = Duration::from_secs(1);

/// So much of a job's log is shown with it.
const LAST_LINES: usize = 5;

pub(super) fn overview(json: bool, instance: &Instance<'_>, output: &mut Output<'_>) -> Result<(), Failed> {
    if json {
        return print_json(&instance.get("/v4/jobs")?, output);
    }
    let text = render::overview(&instance.get("/v4/jobs")?, &output.look());
    output.print(&text)
}

pub(super) fn job(name: &str, json: bool, instance: &Instance<'_>, output: &mut Output<'_>) -> Result<(), Failed> {
    let path = path_of(name);
    if json {
        return print_json(&instance.get(&path)?, output);
    }
    let text = blocks(&path, instance, &output.look())?;
    output.print(&text)
}

pub(super) fn path_of(job: &str) -> String {
    format!("/v4/jobs/{}", encoded(job))
}

fn blocks(path: &str, instance: &Instance<'_>, look: &Look<'_>) -> Result<String, Failed> {
    let jobs: Vec<String> = instance.get::<Jobs>(path)?.jobs.iter().map(|job| render::block(job, look)).collect();
    // They are an extra: without them the rest is still right.
    let lines = last_lines(path, instance).unwrap_or_default();
    Ok(jobs.join("\n") + &render::last_lines(&lines, look))
}

fn last_lines(path: &str, instance: &Instance<'_>) -> Result<Vec<LogLine>, Failed> {
    let mut stream = instance.lines(&format!("{path}/logs?lines={LAST_LINES}"))?;
    let mut lines = Vec::new();
    // A server that sends more than it was asked for is not listened to for ever.
    while lines.len() < LAST_LINES {
        match stream.next()? {
            Next::Line(json) => lines.push(stream.typed(&json)?),
            Next::Lost(_) | Next::Alive => {}
            Next::End(_) => break,
        }
    }
    Ok(lines)
}

/// Draws it again and again, until somebody interrupts. The cursor is never hidden and always stands below what was drawn,
/// so that nothing has to be put right whenever and however this process ends.
pub(super) fn watch(job: Option<&str>, instance: &Instance<'_>, output: &mut Output<'_>) -> Result<(), Failed> {
    if output.rows().is_none() {
        return Err(Failed::Usage("--watch draws on a terminal, which standard output is not".to_owned()));
    }
    let mut before = "\x1b[2J";
    loop {
        let look = output.look();
        let drawn = match job {
            None => instance.get::<Overview>("/v4/jobs").map(|all| render::overview(&all, &look)),
            Some(job) => blocks(&path_of(job), instance, &look),
        };
        let text = match drawn {
            Ok(text) => text,
            Err(Failed::Nobody(_)) if before.is_empty() => {
                complain(ENDED);
                return Ok(());
            }
            Err(failed) => return Err(failed),
        };
        let frame = frame(&text, look.width.unwrap_or(usize::MAX), output.rows().unwrap_or(usize::MAX));
        output.print(&format!("{before}{frame}"))?;
        output.flush()?;
        before = "";
        pause(TICK);
    }
}

/// What replaces the drawing before: from the top, each line to its end, and nothing below. As much as there is room for.
///
/// What stands last is the sum of it, so lines are left out before it.
fn frame(text: &str, columns: usize, rows: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    // The last row is the cursor's.
    let room = rows.saturating_sub(1).max(1);
    let mut lines: Vec<String> = all.iter().map(|line| (*line).to_owned()).collect();
    if all.len() > room {
        let (kept, last) = (room.saturating_sub(2), usize::from(room > 1));
        let left_out = format!("… {} more", count(all.len() - kept - last, "line"));
        let end = all.last().filter(|_| last > 0).map(|line| (*line).to_owned());
        lines = all.iter().take(kept).map(|line| (*line).to_owned()).chain([left_out]).chain(end).collect();
    }
    let lines = lines.iter().map(|line| format!("{}\x1b[K\n", cut(line, columns)));
    format!("\x1b[H{}\x1b[J", lines.collect::<String>())
}

/// One that is longer than a row would push the others down. Escape sequences are ours, of colours alone, and take no room.
fn cut(line: &str, columns: usize) -> String {
    let mut sequence = false;
    let parts = line.chars().map(|c| {
        sequence |= c == '\x1b';
        let room = if sequence { 0 } else { render::columns(c) };
        sequence &= c != 'm';
        (c, room)
    });
    let parts: Vec<(char, usize)> = parts.collect();
    if parts.iter().map(|(_, room)| room).sum::<usize>() <= columns {
        return line.to_owned();
    }
    let mut used = 1;
    let fits = |(_, room): &&(char, usize)| {
        used += room;
        used <= columns
    };
    parts.iter().take_while(fits).map(|(c, _)| *c).collect::<String>() + "…\x1b[0m"
}

/// The names of the jobs, one a line, for a shell that completes a word: somebody waits for it. One that a line can't hold,
/// or a terminal should not be shown, is not offered.
pub(super) fn names(instance: &Instance<'_>, output: &mut Output<'_>) -> Result<(), Failed> {
    #[derive(Deserialize)]
    struct Asked {
        jobs: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    let Asked { jobs } = instance.in_a_hurry().get("/v4/jobs")?;
    let names: BTreeSet<String> = jobs.into_iter().map(|Named { name }| name).collect();
    for name in names.iter().filter(|name| !name.is_empty() && render::visible(name) == **name) {
        output.print(&format!("{name}\n"))?;
    }
    Ok(())
}

/// Says nothing if all is well.
pub(super) fn ready(instance: &Instance<'_>) -> Result<(), Failed> {
    /// No more of it: whatever the rest is, it is no reason to call a container ill.
    #[derive(Deserialize)]
    struct Asked {
        ready: Readiness,
    }
    let Asked { ready } = instance.get("/v4/jobs")?;
    match (ready.ready, render::reason(&ready)) {
        (true, _) => Ok(()),
        (false, "") => Err(Failed::Other(format!("not ready: {} of {} are", ready.count, ready.of))),
        (false, reason) => Err(Failed::Other(format!("not ready: {reason}"))),
    }
}

pub(super) fn why(job: &str, json: bool, instance: &Instance<'_>, output: &mut Output<'_>) -> Result<(), Failed> {
    let path = format!("{}/why", path_of(job));
    if json { print_json(&instance.get(&path)?, output) } else { output.print(&render::why(&instance.get(&path)?)) }
}

pub(super) fn watches(json: bool, instance: &Instance<'_>, output: &mut Output<'_>) -> Result<(), Failed> {
    if json {
        return print_json(&instance.get("/v4/watches")?, output);
    }
    let text = render::watches(&instance.get("/v4/watches")?, SystemTime::now(), &output.look());
    output.print(&text)
}

pub(super) fn env(json: bool, instance: &Instance<'_>, output: &mut Output<'_>) -> Result<(), Failed> {
    if json {
        return print_json(&instance.get("/v4/env")?, output);
    }
    let text = render::environment(&instance.get("/v4/env")?);
    output.print(&text)
}

#[cfg(test)]
mod tests {
    use super::{cut, frame};

    #[test]
    fn a_drawing_is_as_high_as_the_terminal_at_most() {
        assert_eq!(frame("a\nb\n", 80, 24), "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
        assert_eq!(frame("a\nb\nc\nd\n", 80, 4), "\x1b[Ha\x1b[K\n… 2 lines more\x1b[K\nd\x1b[K\n\x1b[J");
        assert_eq!(frame("a\nb\n", 80, 1), "\x1b[H… 2 lines more\x1b[K\n\x1b[J");
        assert_eq!(frame("", 80, 0), "\x1b[H\x1b[J");
    }

    #[test]
    fn a_line_is_as_long_as_the_terminal_at_most() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…\x1b[0m");
        assert_eq!(cut("a\x1b[31mbc\x1b[0m", 3), "a\x1b[31mbc\x1b[0m");
        assert_eq!(cut("\x1b[31mabcd\x1b[0m", 3), "\x1b[31mab…\x1b[0m");
        assert_eq!(cut("\x1b[31mab\x1b[0mc", 2), "\x1b[31ma…\x1b[0m");
        // Wide ones take two columns, combining ones none.
        assert_eq!(cut("日本", 4), "日本");
        assert_eq!(cut("日本語", 5), "日本…\x1b[0m");
        assert_eq!(cut("日本語", 4), "日…\x1b[0m");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 3), "e\u{301}e\u{301}e\u{301}");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…\x1b[0m");
    }
}

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::ring::Most;
use super::store::Bounds;
use super::{Begin, Events, Kept, Line, Lines, LogStream, Page, Reader, events};
use crate::api::LogLine;
use crate::block::Block;
use crate::plan::Level;

fn line<'a>(job: &'a str, text: &'a str) -> Line<'a> {
    let time = UNIX_EPOCH + Duration::from_secs(1);
    Line { job, check: false, stream: None, pid: None, level: Level::Info, time, text: text.as_bytes() }
}

/// Bounds that a test reaches.
fn small() -> Kept {
    Kept::within(Bounds { each: Most { lines: 20, bytes: 3000 }, memory: 8000, page: 400 })
}

/// Everything until nothing more is there.
fn all(reader: &mut impl Reader<Item = LogLine>) -> Vec<LogLine> {
    let mut lines = Vec::new();
    loop {
        let page = reader.page();
        assert_eq!(page.dropped, 0);
        lines.extend(page.items);
        if page.over {
            return lines;
        }
    }
}

fn texts(kept: &Kept, of: Option<&str>, begin: Begin) -> Vec<(u64, String)> {
    all(&mut kept.lines(of, begin, false).unwrap()).into_iter().map(|line| (line.seq, line.text)).collect()
}

#[test]
fn a_line_is_told_as_it_was_said() {
    let kept = Kept::new();
    let time = UNIX_EPOCH + Duration::from_millis(1_500);
    let text = b"a\xff\"";
    let stream = Some(LogStream::Stderr);
    kept.line(&Line { job: "web", check: true, stream, pid: Some(7), level: Level::Fatal, time, text });
    let wanted = LogLine {
        seq: 1,
        time: "1970-01-01T00:00:01.500Z".to_owned(),
        job: "web".to_owned(),
        check: true,
        stream,
        pid: Some(7),
        level: "error".to_owned(),
        text: "a\u{fffd}\"".to_owned(),
    };
    assert_eq!(kept.lines(Some("web"), Begin::Last(5), false).unwrap().page().items, [wanted]);
}

#[test]
fn a_line_has_a_number_among_all_and_one_among_those_of_its_job() {
    let kept = Kept::new();
    for (job, text) in [("a", "1"), ("", "ours"), ("b", "x"), ("a", "2")] {
        kept.line(&line(job, text));
    }
    let told = |of, begin| texts(&kept, of, begin).iter().map(|(seq, text)| format!("{seq}{text}")).collect::<Vec<_>>();
    assert_eq!(told(None, Begin::Last(9)), ["11", "2ours", "3x", "42"]);
    assert_eq!(told(None, Begin::Last(2)), ["3x", "42"]);
    assert_eq!(told(None, Begin::From(2)), ["2ours", "3x", "42"]);
    assert_eq!(told(Some("a"), Begin::Last(9)), ["11", "22"]);
    assert_eq!(told(Some("a"), Begin::From(2)), ["22"]);
    for begin in [Begin::Last(0), Begin::From(5), Begin::Since(SystemTime::now())] {
        assert_eq!(told(None, begin), [""; 0]);
        assert_eq!(told(Some("b"), begin), [""; 0]);
    }
    assert_eq!(told(None, Begin::Since(UNIX_EPOCH)).len(), 4);
    assert!(kept.lines(Some("c"), Begin::Last(1), false).is_none());
    assert!(kept.lines(Some(""), Begin::Last(1), false).is_none());
    assert_eq!(kept.jobs(), ["a", "b"]);
}

#[test]
fn the_bounds_of_one_job_are_those_of_the_design() {
    let kept = Kept::new();
    for n in 0..3000 {
        kept.line(&line("web", &n.to_string()));
    }
    let lines = texts(&kept, Some("web"), Begin::Last(usize::MAX));
    assert_eq!((lines.len(), &lines[0]), (1000, &(2001, "2000".to_owned())));
    let long = "x".repeat(64 * 1024);
    for _ in 0..40 {
        kept.line(&line("web", &long));
    }
    assert_eq!(texts(&kept, Some("web"), Begin::Last(usize::MAX)).len(), 16);
    let (memory, _) = kept.taken();
    assert!(memory < 1024 * 1024 + 40 * 1024, "{memory}");
}

/// Lines that say which they are, in blocks as they are read.
fn blocks(kept: &Kept, blocks: usize, lines: usize, length: usize) {
    let mut number = 0;
    for _ in 0..blocks {
        let mut bytes = String::new();
        for _ in 0..lines {
            number += 1;
            let _ = writeln!(bytes, "{number:<length$}");
        }
        kept.block(&line("web", ""), Block::of(bytes.as_bytes()));
        kept.check();
    }
}

#[test]
fn of_blocks_as_many_lines_are_kept_as_of_lines() {
    let kept = Kept::new();
    blocks(&kept, 30, 150, 5);
    let wanted: Vec<_> = (3501..=4500).map(|n| (n, format!("{n:<5}"))).collect();
    assert_eq!(texts(&kept, Some("web"), Begin::Last(usize::MAX)), wanted);
    assert_eq!(texts(&kept, None, Begin::Last(3)), wanted[997..]);
    // By their bytes, with their ends: 1 MiB.
    let kept = Kept::new();
    blocks(&kept, 40, 16, 4000);
    let lines = texts(&kept, Some("web"), Begin::Last(usize::MAX));
    assert_eq!((lines.len(), lines[0].0, lines[0].1.trim_end()), (262, 379, "379"));
    // More in one than are kept at all.
    let kept = Kept::new();
    kept.block(&line("web", ""), Block::of(&b"x\n".repeat(3000)));
    assert_eq!(texts(&kept, Some("web"), Begin::Last(usize::MAX)).first(), Some(&(2001, "x".to_owned())));
}

#[test]
fn the_end_of_a_line_is_not_told() {
    let kept = Kept::new();
    // There is memory for more then.
    blocks(&kept, 10, 150, 20);
    kept.block(&line("web", ""), Block::of(b"lf\ncrlf\r\n\n\rcr\r\r\nlast\r"));
    kept.block(&line("web", ""), Block::piece(b"a piece\r"));
    let last = texts(&kept, Some("web"), Begin::From(1501));
    let told: Vec<&str> = last.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(told, ["lf", "crlf", "", "\rcr\r", "last", "a piece\r"]);
}

#[test]
fn all_jobs_together_take_sixteen_mebibytes_and_share_them() {
    let kept = Kept::new();
    let text = "x".repeat(8 * 1024);
    let jobs: Vec<String> = (0..40).map(|n| format!("job{n}")).collect();
    for _ in 0..200 {
        for job in &jobs {
            kept.line(&line(job, &text));
        }
    }
    kept.check();
    let (memory, _) = kept.taken();
    assert!(memory > 12 * 1024 * 1024 && memory <= 16 * 1024 * 1024, "{memory}");
    for job in &jobs {
        let lines = texts(&kept, Some(job), Begin::Last(usize::MAX));
        assert!(lines.len() >= 20, "{job} has {}", lines.len());
        assert_eq!(lines.last().unwrap().0, 200);
    }
}

#[test]
fn one_job_that_floods_leaves_the_others_what_they_have() {
    let kept = Kept::new();
    kept.line(&line("quiet", "the only word"));
    for n in 0..200_000 {
        kept.line(&line("loud", &n.to_string()));
    }
    assert_eq!(texts(&kept, Some("quiet"), Begin::Last(1)), [(1, "the only word".to_owned())]);
}

#[test]
fn what_was_thrown_away_is_counted() {
    let kept = small();
    for n in 1..=50 {
        kept.line(&line(if n == 5 { "b" } else { "a" }, &n.to_string()));
    }
    let mut reader = kept.lines(None, Begin::From(1), false).unwrap();
    let mut told = Vec::new();
    loop {
        let page = reader.page();
        told.extend((page.dropped > 0).then(|| format!("-{}", page.dropped)));
        told.extend(page.items.iter().map(|line| line.text.clone()));
        if page.over {
            break;
        }
    }
    let wanted: Vec<String> = ["-4".to_owned(), "5".to_owned(), "-25".to_owned()]
        .into_iter()
        .chain((31..=50).map(|n| n.to_string()))
        .collect();
    assert_eq!(told, wanted);
}

#[test]
fn a_job_that_is_gone_is_forgotten_when_its_readers_have_its_last_word() {
    let kept = Kept::new();
    kept.set_jobs(["a", "b"]);
    kept.line(&line("a", "first"));
    let mut of_a = kept.lines(Some("a"), Begin::Last(9), true).unwrap();
    let mut of_all = kept.lines(None, Begin::Last(9), true).unwrap();
    assert_eq!(of_a.page().items.len() + of_all.page().items.len(), 2);
    kept.line(&line("a", "last"));
    kept.set_jobs(["b"]);
    assert!(kept.lines(Some("a"), Begin::Last(1), true).is_none());
    assert_eq!(kept.taken().1, 1);
    assert_eq!(of_all.page().items[0].text, "last");
    // Another one of that name is another one.
    kept.set_jobs(["a", "b"]);
    kept.line(&line("a", "anew"));
    let last = of_a.page();
    assert_eq!((last.items[0].text.as_str(), last.over), ("last", true));
    drop(of_a);
    assert_eq!(of_all.page().items[0].text, "anew");
    assert_eq!(kept.taken().1, 0);
    assert_eq!(texts(&kept, Some("a"), Begin::Last(9)), [(1, "anew".to_owned())]);
    kept.set_jobs([]);
    drop(of_all);
    assert_eq!(kept.taken(), (0, 0), "memory is given back");
}

#[test]
fn the_last_events_are_kept() {
    let kept = Kept::new();
    let mut live = kept.events(Begin::Last(0), true);
    for n in 1..=1200 {
        kept.event(UNIX_EPOCH + Duration::from_secs(n), "web", "exitFailed", &format!("code {n}"));
    }
    kept.check();
    let page = kept.events(Begin::Last(1), false).page();
    assert!(page.over);
    let event = &page.items[0];
    assert_eq!((event.seq, &*event.source, &*event.event, &*event.detail), (1200, "web", "exitFailed", "code 1200"));
    assert_eq!(event.time, "1970-01-01T00:20:00.000Z");
    assert_eq!(live.page().dropped, 200);
    assert_eq!(kept.events(Begin::Since(UNIX_EPOCH + Duration::from_secs(1199)), false).page().items.len(), 2);
    let long = "ä".repeat(700);
    for _ in 0..300 {
        kept.event(UNIX_EPOCH, &long, "error", &long);
    }
    kept.check();
    let page = kept.events(Begin::Last(1), false).page();
    assert_eq!((page.items[0].detail.len(), page.items[0].source.len()), (events::LONGEST, events::LONGEST));
}

#[test]
fn the_events_of_one_job_are_told_without_the_others() {
    let kept = Kept::new();
    kept.set_jobs(["web", "check", "web2"]);
    let all = ["web", "check.web", "web2", "check.web2", "global", "watch.web", "web"];
    for (n, source) in (1..).zip(all) {
        kept.event(UNIX_EPOCH + Duration::from_secs(n), source, "healthy", "");
    }
    let seqs = |begin| {
        let page = kept.events_of("web", begin, false).unwrap().page();
        assert!(page.over);
        page.items.iter().map(|event| event.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(Begin::Last(9)), [1, 2, 7]);
    assert_eq!(seqs(Begin::Last(2)), [2, 7]);
    assert_eq!(seqs(Begin::Last(0)), [0; 0]);
    assert_eq!(seqs(Begin::From(2)), [2, 7]);
    assert_eq!(seqs(Begin::Since(UNIX_EPOCH + Duration::from_secs(3))), [7]);
    assert!(kept.events_of("global", Begin::Last(9), false).is_none());
    // What others do is no news, and once the job is gone nothing comes any more.
    let mut live = kept.events_of("web", Begin::Last(0), true).unwrap();
    kept.event(UNIX_EPOCH, "web2", "stopped", "");
    assert_eq!(live.page(), Page::default());
    kept.event(UNIX_EPOCH, "web", "stopped", "");
    kept.set_jobs(["web2"]);
    let page = live.page();
    assert_eq!((page.items.len(), page.over, live.page().over), (1, false, true));
}

#[tokio::test]
async fn who_waits_is_told_and_the_end_is_the_end() {
    let kept = Kept::new();
    let mut lines = kept.lines(None, Begin::Last(0), true).unwrap();
    let mut events = kept.events(Begin::Last(0), true);
    let other = kept.clone();
    let told = tokio::join!(lines.next(), events.next(), async move {
        tokio::task::yield_now().await;
        other.line(&line("web", "now"));
        other.tell_of_lines();
        other.event(UNIX_EPOCH, "web", "stopped", "");
    });
    assert_eq!((told.0.items.len(), told.1.items.len()), (1, 1));
    kept.line(&line("web", "last"));
    kept.end();
    let page = lines.next().await;
    assert_eq!((page.items.len(), page.over), (1, false));
    assert_eq!(lines.next().await, Page { over: true, ..Page::default() });
    assert!(events.next().await.over);
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Line { job: usize, length: usize },
    Block { job: usize, lengths: Vec<usize>, ending: &'static str },
    Event { length: usize },
    Read { who: usize },
    Jobs { mask: u8 },
    Reopen { who: usize },
}

const JOBS: [&str; 4] = ["", "a", "b", "c"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let length = prop_oneof![8 => 0_usize..60, 2 => 0_usize..900, 1 => 2000_usize..5000];
    let step = prop_oneof![
        20 => (0..JOBS.len(), length.clone()).prop_map(|(job, length)| Step::Line { job, length }),
        5 => (0..JOBS.len(), prop::collection::vec(length, 0..30), prop_oneof![Just("\n"), Just("\r\n")])
            .prop_map(|(job, lengths, ending)| Step::Block { job, lengths, ending }),
        2 => (0_usize..3000).prop_map(|length| Step::Event { length }),
        5 => (0_usize..3).prop_map(|who| Step::Read { who }),
        1 => any::<u8>().prop_map(|mask| Step::Jobs { mask }),
        1 => (0_usize..3).prop_map(|who| Step::Reopen { who }),
    ];
    prop::collection::vec(step, 0..400)
}

/// A reader, and the number that must come next.
struct Checked<R> {
    reader: R,
    next: u64,
}

impl Checked<Lines> {
    fn of(kept: &Kept, of: Option<&str>) -> Option<Self> {
        Some(Self { reader: kept.lines(of, Begin::From(1), true)?, next: 1 })
    }

    /// Reads one page. Every line says in its text which one it is.
    fn read(&mut self, what: &str) -> Result<bool, TestCaseError> {
        let page = self.reader.page();
        let bytes: usize = page.items.iter().map(|line| line.text.len()).sum();
        prop_assert!(bytes <= 400 + 5000 && (page.items.len() <= 1 || bytes <= 400 + 3000));
        self.next += page.dropped;
        for line in &page.items {
            prop_assert_eq!(line.seq, self.next);
            prop_assert!(!line.text.contains(['\r', '\n']));
            let number = line.text.split(' ').find_map(|word| word.strip_prefix(what)).and_then(|n| n.parse().ok());
            // Too short a line can't say it.
            prop_assert!(number.is_none() || number == Some(line.seq), "{} in {}", what, line.text);
            self.next += 1;
        }
        Ok(!page.is_empty())
    }
}

impl Checked<Events> {
    fn read(&mut self) -> Result<bool, TestCaseError> {
        let page = self.reader.page();
        self.next += page.dropped;
        for event in &page.items {
            prop_assert_eq!(event.seq, self.next);
            self.next += 1;
        }
        Ok(!page.is_empty())
    }
}

proptest! {
    #[test]
    fn whatever_happens_nobody_misses_anything_untold(steps in steps()) {
        let kept = small();
        kept.set_jobs(["a", "b", "c"]);
        let mut all = Checked::of(&kept, None).unwrap();
        let mut one = Checked::of(&kept, Some("a")).unwrap();
        let mut events = Checked { reader: kept.events(Begin::From(1), true), next: 1 };
        let (mut lines, mut of_job, mut happened) = (0_u64, [0_u64; 4], 0_u64);
        let mut names = vec!["a", "b", "c"];
        // How many lines the ring had that `one` reads, once that one is gone.
        let mut gone = None;
        for step in steps {
            match step {
                Step::Line { job, length } => {
                    lines += 1;
                    of_job[job] += 1;
                    let mut text = format!("n{lines} j{} ", of_job[job]);
                    text.extend(std::iter::repeat_n('x', length));
                    kept.line(&line(JOBS[job], &text));
                }
                Step::Block { job, lengths, ending } => {
                    let mut bytes = String::new();
                    for length in lengths {
                        lines += 1;
                        of_job[job] += 1;
                        let _ = write!(bytes, "n{lines} j{} {}{ending}", of_job[job], "x".repeat(length));
                    }
                    kept.block(&line(JOBS[job], ""), Block::of(bytes.as_bytes()));
                }
                Step::Event { length } => {
                    happened += 1;
                    kept.event(UNIX_EPOCH, "x", "error", &"x".repeat(length));
                }
                Step::Read { who: 0 } => drop(all.read("n")?),
                Step::Read { who: 1 } => drop(one.read("j")?),
                Step::Read { .. } => drop(events.read()?),
                Step::Jobs { mask } => {
                    names = (1..4).filter(|job| mask & (1 << job) != 0).map(|job| JOBS[job]).collect();
                    for job in 1..4 {
                        if !names.contains(&JOBS[job]) {
                            if job == 1 {
                                gone = gone.or(Some(of_job[1]));
                            }
                            of_job[job] = 0;
                        }
                    }
                    kept.set_jobs(names.iter().copied());
                    for name in &names {
                        prop_assert!(kept.jobs().iter().any(|job| job == name));
                    }
                }
                Step::Reopen { who: 0 } => all = Checked::of(&kept, None).unwrap(),
                Step::Reopen { .. } => {
                    if let Some(new) = Checked::of(&kept, Some("a")) {
                        (one, gone) = (new, None);
                    }
                }
            }
            kept.check();
        }
        while all.read("n")? {}
        prop_assert_eq!(all.next, lines + 1);
        while one.read("j")? {}
        prop_assert_eq!(one.next, gone.unwrap_or(of_job[1]) + 1);
        while events.read()? {}
        prop_assert_eq!(events.next, happened + 1);
    }

    #[test]
    fn the_last_lines_are_the_last_ones(lengths in prop::collection::vec((0..4_usize, 0_usize..300), 0..80), count in 0_usize..60) {
        let kept = small();
        for (job, length) in &lengths {
            kept.line(&line(JOBS[*job], &"x".repeat(*length)));
        }
        let every = {
            let mut reader = kept.lines(None, Begin::From(1), false).unwrap();
            let mut numbers = Vec::new();
            loop {
                let page = reader.page();
                numbers.extend(page.items.iter().map(|line| line.seq));
                if page.over { break numbers }
            }
        };
        let mut reader = kept.lines(None, Begin::Last(count), false).unwrap();
        let mut last = Vec::new();
        loop {
            let page = reader.page();
            last.extend(page.items.iter().map(|line| line.seq));
            if page.over { break }
        }
        prop_assert_eq!(&last, &every[every.len().saturating_sub(count)..]);
    }
}

//! `logging`, `stopTimeout` and `control`: the small sections (v3 §3, §17).

use std::path::PathBuf;
use std::time::Duration;

use crate::config::decode::{Decoder, Field};
use crate::config::files::log_problem;
use crate::config::json5::Node;
use crate::config::raw::{self, Text};
use crate::config::report::{Place, Problem, Rank, Report, Step};
use crate::config::template::go_quote;
use crate::nearest::nearest;
use crate::plan::{Control, Level, LogFormat, LogOutput, Logging};

/// Seconds that a stop may take, unless the file says otherwise.
const DEFAULT_STOP_TIMEOUT: u64 = 5;

/// The `logging` section, not yet judged.
pub(super) fn decode<'n>(node: Option<&'n Node>, report: &mut Report) -> Option<raw::Logging<'n>> {
    let mut decoder = Decoder::new(report, Rank::decoding(Step::Logging));
    let logging = raw::logging(&mut decoder, node?, &Place::section("logging"));
    decoder.finish("");
    logging
}

/// The `stopTimeout` at the top: whole seconds, 0 is the default, a negative one is no wait at all.
pub(super) fn stop_timeout(node: Option<&Node>, report: &mut Report) -> Duration {
    let mut decoder = Decoder::new(report, Rank::decoding(Step::StopTimeout));
    let seconds = decoder.seconds(node, &Place::section("stopTimeout")).number();
    decoder.finish("");
    let seconds = if seconds == 0 { DEFAULT_STOP_TIMEOUT } else { u64::try_from(seconds).unwrap_or(0) };
    Duration::from_secs(seconds)
}

/// The values of `logging`, which the original looked at last.
pub(super) fn values(raw: Option<&raw::Logging>, report: &mut Report) -> Logging {
    let default = Logging::default();
    let Some(raw) = raw else { return default };
    Logging {
        level: level(&raw.level, report).unwrap_or(default.level),
        format: format(&raw.format, report).unwrap_or(default.format),
        output: output(&raw.output, report).unwrap_or(default.output),
    }
}

/// The names of levels; `warning` is `warn`.
const LEVELS: [(&str, Level); 7] = [
    ("debug", Level::Debug),
    ("info", Level::Info),
    ("warn", Level::Warn),
    ("warning", Level::Warn),
    ("error", Level::Error),
    ("fatal", Level::Fatal),
    ("panic", Level::Panic),
];

fn level(text: &Text, report: &mut Report) -> Option<Level> {
    let node = text.node.filter(|_| !text.text().is_empty())?;
    let lower = text.text().to_lowercase();
    if let Some((_, level)) = LEVELS.iter().find(|(name, _)| *name == lower) {
        return Some(*level);
    }
    let found = report.found(node);
    let message = format!("logging.level: expected debug, info, warn, error, fatal or panic, found {found}");
    let original = format!("Unknown log level '{}': not a valid logrus Level: {}", text.text(), go_quote(&lower));
    let problem = Problem::error(Rank(Step::LogValues, 0, 1), "logging.level", node.span, message).original(original);
    let near = nearest(&lower, LEVELS.iter().map(|(name, _)| *name)).filter(|_| report.literal(node.span).is_some());
    report.add(match near {
        Some(near) => problem.label(format!("did you mean \"{near}\"?")),
        None => problem,
    });
    None
}

fn format(text: &Text, report: &mut Report) -> Option<LogFormat> {
    let node = text.node.filter(|_| !text.text().is_empty())?;
    match text.text().to_lowercase().as_str() {
        "default" => Some(LogFormat::Default),
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => {
            let found = report.found(node);
            let message = format!("logging.format: expected \"default\", \"text\" or \"json\", found {found}");
            let rank = Rank(Step::LogValues, 0, 2);
            let original = format!("Unknown log format '{}'", text.text());
            report.add(Problem::error(rank, "logging.format", node.span, message).original(original));
            None
        }
    }
}

fn output(text: &Text, report: &mut Report) -> Option<LogOutput> {
    let node = text.node.filter(|_| !text.text().is_empty())?;
    match text.text().to_lowercase().as_str() {
        "stdout" => return Some(LogOutput::Stdout),
        "stderr" => return Some(LogOutput::Stderr),
        _ => {}
    }
    let path = text.text();
    if let Some(why) = log_problem(path) {
        let reason = why.rsplit(": ").next().unwrap_or("").to_owned();
        let message = format!("logging.output: can't log to {}: {reason}", report.found(node));
        let problem = Problem::error(Rank(Step::LogValues, 0, 3), "logging.output", node.span, message)
            .original(format!("Error initializing log file '{path}': {why}"));
        report.add(problem.help("\"stdout\", \"stderr\", or a file in a directory that exists"));
    }
    Some(LogOutput::File(PathBuf::from(path)))
}

/// The `control` section.
pub(super) fn control(node: Option<&Node>, report: &mut Report) -> Control {
    let default = Control::default();
    let Some(node) = node else { return default };
    let mut decoder = Decoder::new(report, Rank::decoding(Step::Control));
    let socket = raw::control(&mut decoder, node, &Place::section("control"));
    decoder.finish("unable to parse control: control config parsing error: ");
    let Some(Text { field: Field::Given(path, span), .. }) = socket else { return default };
    if path.is_empty() {
        let message = "control.socket: expected a path, found an empty text";
        report.add(
            Problem::error(Rank::decoding(Step::Socket), "control.socket", span, message)
                .original("control: validate failed with control server not loading due to missing config"),
        );
    }
    Control { socket: PathBuf::from(path), configured: true }
}

//! Where fuzzing comes in: a function for each kind of text that comes from outside, which reads it as the program does and
//! asserts what holds whatever it says (reliability rows 62, 65 to 69 and 74).
//!
//! ```text
//!  fuzz/fuzz_targets/*.rs ──► here ──► config, template, control::fuzz, discovery::fuzz
//!  the tests below: fuzz/corpus ─┘
//! ```
//!
//! Compiled for tests and with `--cfg fuzzing`, as cargo-fuzz sets it. Not a feature, since a feature is something that a
//! build can have: a release has none of this, and no parser is public for its sake.

use std::sync::OnceLock;

use crate::config::diagnostic::{Diagnostic, Severity, one_line, render, to_json};
use crate::config::interfaces::Address;
use crate::config::json5::decode_text;
use crate::config::template::{TemplateError, render_bytes};
use crate::config::{self, Context, Outcome, Source};
use crate::control::fuzz;
use crate::core::Moment;
use crate::env::Environment;
use crate::plan;
use crate::telemetry::{Format, Snapshot, Telemetry};

pub use crate::control::fuzz::answer as client;
pub use crate::discovery::fuzz as consul;

/// A value of the environment that no diagnostic may tell (row 69).
const SECRET: &str = "hunter2-Zq9";

/// No template makes more (row 67).
const LONGEST: usize = 1 << 20;

/// Values as an environment has them, odd ones among them.
fn env() -> Environment {
    let pairs = [("X", "value"), ("N", "7"), ("E", ""), ("Q", "\"'\\\n{{"), ("LIST", "a,b,c"), ("SECRET", SECRET)];
    pairs.into_iter().collect()
}

/// A configuration file.
///
/// # Panics
/// When it finds something.
pub fn config(bytes: &[u8]) {
    let source = Source { origin: "app.json5".to_owned(), text: decode_text(bytes).into_owned() };
    let addresses = vec![Address { interface: "eth0".to_owned(), ip: [192, 0, 2, 2].into() }];
    let context = Context { env: env(), addresses: addresses.into(), hostname: "host".to_owned() };
    for strict in [false, true] {
        let Outcome { plan, diagnostics, .. } = config::compile(&source, &context, strict);
        let refused = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        assert_eq!(plan.is_none(), refused, "a plan or an error");
        are_told(&diagnostics, &source);
        if let Some(plan) = plan {
            let shown = Source { text: config::show(&plan), ..source.clone() };
            let again = config::compile(&shown, &context, false);
            assert!(again.plan.is_some(), "what is shown of a plan is none: {:?}\n{}", again.diagnostics, shown.text);
        }
    }
}

/// Diagnostics can be shown in every way, and give nothing away.
fn are_told(diagnostics: &[Diagnostic], source: &Source) {
    let Source { origin, text } = source;
    for diagnostic in diagnostics {
        assert!(!diagnostic.message.trim().is_empty(), "{diagnostic:?}");
        if let Some(span) = diagnostic.span {
            assert!(text.get(span.start..span.end).is_some(), "{diagnostic:?} is not in the file");
        }
        let line = one_line(diagnostic, origin, text);
        assert!(!line.contains(char::is_control), "{line:?}");
        is_no_secret(&line, text);
    }
    let told = render(diagnostics, origin, text);
    assert!(told.ends_with('\n') && !told.contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
    is_no_secret(&told, text);
    let json = to_json(diagnostics, origin, text);
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
    is_no_secret(&json, text);
}

fn is_no_secret(told: &str, source: &str) {
    assert!(!told.contains(SECRET) || source.contains(SECRET), "gives a secret away: {told}");
}

/// A template.
///
/// # Panics
/// When it finds something.
pub fn template(bytes: &[u8]) {
    match render_bytes(bytes, &env()) {
        Ok((text, map)) => {
            assert!(text.len() <= LONGEST, "{} bytes", text.len());
            for place in [0, text.len() / 3, text.len() / 2, text.len()] {
                let span = map.source_span(place..place.saturating_add(1));
                assert!(bytes.get(span.start..span.end).is_some(), "{place}: {span:?} is not in the source");
            }
        }
        Err(TemplateError { span, told, .. }) => {
            assert!(bytes.get(span.start..span.end).is_some(), "{span:?} is not in the source: {told}");
            is_no_secret(&told, &String::from_utf8_lossy(bytes));
        }
    }
}

/// A request of one of our sockets: its path, which serves as `Accept` too, is the first line and its body the others. The
/// metrics that it posts are recorded and shown.
///
/// # Panics
/// When it finds something.
pub fn control(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (path, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let path = String::from_utf8_lossy(path);
    fuzz::path(&path);
    let format = Format::accepted(&path);
    let (variables, values) = fuzz::bodies(body);
    let mut env = Environment::default();
    for (name, value) in variables.into_iter().flatten() {
        assert!(env.set(name, value), "an environment can hold what is kept");
    }
    let mut telemetry = Telemetry::new(metrics(), "4");
    let mut recorded = false;
    for (key, value) in values.into_iter().flatten() {
        let refused = telemetry.check(&key, &value).is_err();
        let record = telemetry.record(&key, &value, Moment::default());
        assert_eq!(record.is_err(), refused, "{key}: {value}");
        recorded |= record.is_ok();
    }
    if recorded {
        let page = telemetry.metrics(format, &Snapshot::default(), Moment::default());
        assert!(!page.contains(|c: char| c.is_control() && c != '\n'), "{page}");
    }
}

/// One metric of each type.
fn metrics() -> &'static plan::Telemetry {
    static METRICS: OnceLock<plan::Telemetry> = OnceLock::new();
    METRICS.get_or_init(|| {
        let metric = |kind: &str| format!("{{ name: \"{kind}\", help: \"{kind}\", type: \"{kind}\" }}");
        let all = ["counter", "gauge", "histogram", "summary"].map(metric).join(", ");
        let text = format!("{{ telemetry: {{ interfaces: [\"static:127.0.0.1\"], metrics: [ {all} ] }} }}");
        let source = Source { origin: String::new(), text };
        let Outcome { plan, diagnostics, .. } = config::compile(&source, &Context::default(), false);
        plan.and_then(|plan| plan.telemetry).unwrap_or_else(|| unreachable!("{diagnostics:?}"))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::panic::catch_unwind;
    use std::path::Path;

    /// Everything that was committed for a target.
    fn replay(name: &str, target: fn(&[u8])) {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let mut count = 0;
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            assert!(catch_unwind(|| target(&bytes)).is_ok(), "{}", path.display());
            count += 1;
        }
        assert!(count > 5, "the corpus was found: {count}");
    }

    #[test]
    fn what_fuzzing_began_with_and_found_is_read() {
        replay("config", super::config);
        replay("template", super::template);
        replay("control", super::control);
        replay("consul", super::consul);
        replay("client", super::client);
    }
}

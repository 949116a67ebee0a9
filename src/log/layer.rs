//! tracing events as records.

use std::fmt::{Debug, Write as _};
use std::num::NonZeroU64;
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{self, Attributes, Id};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use super::record::{Origin, Record, Value};
use super::writer::Log;
use crate::plan::Level;

/// Sends the program's events to the log: `message` is what is said, the fields `job`, `check` and `pid` go to their
/// places, all others are extra fields. Spans are not shown.
///
/// The original has no level below debug (`trace` in a configuration is an error), so events at trace cost nothing.
#[derive(Debug, Clone)]
pub struct LogLayer(Log);

impl LogLayer {
    /// A layer over this log.
    pub fn new(log: Log) -> Self {
        Self(log)
    }

    /// Makes it the destination of all events of this process. Once in its life: later calls change nothing.
    pub fn install(self) {
        // The only error is that there is one already.
        let _ = tracing::subscriber::set_global_default(NoSpans.with(self));
    }

    fn filter(&self) -> LevelFilter {
        let enabled = [
            (Level::Debug, LevelFilter::DEBUG),
            (Level::Info, LevelFilter::INFO),
            (Level::Warn, LevelFilter::WARN),
            (Level::Error, LevelFilter::ERROR),
        ];
        enabled.into_iter().find(|(level, _)| self.0.enabled(*level)).map_or(LevelFilter::OFF, |(_, filter)| filter)
    }
}

/// What is below the layer. The usual registry keeps spans, and takes 32 kB for them before there is one.
struct NoSpans;

impl Subscriber for NoSpans {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_non_zero_u64(NonZeroU64::MIN)
    }

    fn record(&self, _: &Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_ours(metadata.target()) && *metadata.level() <= self.filter()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            _ => Level::Debug,
        };
        let mut said = Said::default();
        event.record(&mut said);
        let fields: Vec<(&str, Value<'_>)> = said.fields.iter().map(|(key, value)| (*key, value.borrow())).collect();
        let origin = match (&said.job, &said.check) {
            (Some(job), _) => Origin::Job(job),
            (None, Some(check)) => Origin::Check(check),
            (None, None) => Origin::Own,
        };
        let time = SystemTime::now();
        let message = said.message.as_bytes();
        self.0.own(&Record { time, level, origin, pid: said.pid, stream: None, message, fields: &fields });
    }
}

/// Libraries are not heard: nobody promises what they say, and it must never be a token.
fn is_ours(target: &str) -> bool {
    target.strip_prefix(env!("CARGO_CRATE_NAME")).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// What an event says, gathered field by field.
#[derive(Default)]
struct Said {
    message: String,
    job: Option<String>,
    check: Option<String>,
    pid: Option<i32>,
    fields: Vec<(&'static str, Owned)>,
}

enum Owned {
    Text(String),
    Plain(Value<'static>),
}

impl Owned {
    fn borrow(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::Text(text),
            Self::Plain(value) => *value,
        }
    }
}

impl Said {
    fn text(&mut self, field: &Field, text: String) {
        match field.name() {
            "message" => self.message = text,
            "job" => self.job = Some(text),
            "check" => self.check = Some(text),
            name => self.fields.push((bare(name), Owned::Text(text))),
        }
    }

    fn plain(&mut self, field: &Field, value: Value<'static>) {
        let pid = match value {
            Value::Int(n) => i32::try_from(n).ok(),
            Value::Uint(n) => i32::try_from(n).ok(),
            Value::Text(_) | Value::Float(_) | Value::Bool(_) => None,
        };
        match (field.name(), pid) {
            ("pid", Some(pid)) => self.pid = Some(pid),
            (name, _) => self.fields.push((bare(name), Owned::Plain(value))),
        }
    }
}

/// `type` for a field that Rust makes us call `r#type`.
fn bare(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // A `Debug` that fails has said what it could.
        let _ = write!(text, "{value:?}");
        self.text(field, text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, Value::Int(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, Value::Uint(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.plain(field, Value::Float(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, Value::Bool(value));
    }
}

#[cfg(test)]
mod tests;

//! The page that a scraper reads: Prometheus' text format 0.0.4 as the original writes it, or OpenMetrics 1.0.
//!
//! Families come by name, samples in the order in which they were given, labels by name. Sample names and the spelling of
//! numbers are the same in both formats, so a series does not change with what a scraper asks for (design §4 row 29).

use std::borrow::Cow;
use std::fmt::Write;

use crate::number::go_format_number;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics, as version 1.0.0.
    OpenMetrics,
    /// OpenMetrics, as version 0.0.1: the same text under the name that older scrapers ask for.
    OpenMetricsDraft,
}

impl Format {
    /// The value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::OpenMetricsDraft => "application/openmetrics-text; version=0.0.1; charset=utf-8",
        }
    }

    /// What a request's `Accept` asks for: OpenMetrics only if it is named and nothing plain is liked better.
    pub fn accepted(accept: &str) -> Self {
        let mut best = (Self::Text, 0);
        for part in accept.split(',') {
            let mut words = part.split(';').map(str::trim);
            let kind = words.next().unwrap_or_default();
            let (mut version, mut weight) = ("", 1000);
            for word in words {
                match word.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
                    Some((name, value)) if name.eq_ignore_ascii_case("version") => version = value,
                    Some((name, value)) if name.eq_ignore_ascii_case("q") => weight = thousandths(value),
                    _ => {}
                }
            }
            let format = match version {
                "" | "1.0.0" if kind.eq_ignore_ascii_case("application/openmetrics-text") => Self::OpenMetrics,
                "0.0.1" if kind.eq_ignore_ascii_case("application/openmetrics-text") => Self::OpenMetricsDraft,
                _ if kind.eq_ignore_ascii_case("text/plain") => Self::Text,
                _ => continue,
            };
            if weight > best.1 {
                best = (format, weight);
            }
        }
        best.0
    }
}

/// A weight of `Accept`, 0 to 1, in thousandths; what is none is 0.
fn thousandths(text: &str) -> u32 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    match (whole, digits.parse()) {
        ("1", _) => 1000,
        ("0" | "", Ok(number)) => number,
        _ => 0,
    }
}

/// What a family's samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}

/// All samples of one name.
#[derive(Debug)]
pub(super) struct Family<'a> {
    pub name: Cow<'a, str>,
    pub help: Cow<'a, str>,
    pub kind: Kind,
    pub samples: Vec<Sample>,
}

impl<'a> Family<'a> {
    /// One without samples, which is not shown until it has some.
    pub fn new(name: impl Into<Cow<'a, str>>, help: impl Into<Cow<'a, str>>, kind: Kind) -> Self {
        Self { name: name.into(), help: help.into(), kind, samples: Vec::new() }
    }

    /// Adds a sample; the labels by name.
    pub fn add(&mut self, labels: &[(&'static str, &str)], value: f64) {
        self.part("", labels, value);
    }

    /// Adds a sample whose name goes on: `_bucket`, `_sum`, `_count`.
    pub fn part(&mut self, suffix: &'static str, labels: &[(&'static str, &str)], value: f64) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.samples.push(Sample { suffix, labels, value });
    }

    /// Whether both would have samples of one name.
    pub fn clashes_with(&self, other: &Family<'_>) -> bool {
        let other = other.sample_names();
        self.sample_names().iter().any(|name| other.contains(name))
    }

    fn sample_names(&self) -> Vec<String> {
        let suffixes: &[&str] = match self.kind {
            Kind::Counter | Kind::Gauge => &[""],
            Kind::Histogram | Kind::Summary => &["", "_bucket", "_sum", "_count"],
        };
        suffixes.iter().map(|suffix| format!("{}{suffix}", self.name)).collect()
    }

    /// With one sample and no labels.
    pub fn single(mut self, value: f64) -> Self {
        self.add(&[], value);
        self
    }
}

/// One line.
#[derive(Debug)]
pub(super) struct Sample {
    suffix: &'static str,
    labels: Vec<(&'static str, String)>,
    value: f64,
}

/// The whole page.
pub(super) fn render(mut families: Vec<Family<'_>>, format: Format) -> String {
    families.retain(|family| !family.samples.is_empty());
    families.sort_by(|one, other| one.name.cmp(&other.name));
    let mut out = String::with_capacity(16 * 1024);
    for family in &families {
        let (name, kind) = match format {
            Format::Text => (&*family.name, family.kind.word()),
            Format::OpenMetrics | Format::OpenMetricsDraft => open_name(family, &families),
        };
        // A String takes every write.
        let _ = writeln!(out, "# HELP {name} {}", escaped(&family.help, format != Format::Text));
        let _ = writeln!(out, "# TYPE {name} {kind}");
        for sample in &family.samples {
            line(&mut out, &family.name, sample);
        }
    }
    if format != Format::Text {
        out.push_str("# EOF\n");
    }
    out
}

/// In OpenMetrics a counter's samples end in `_total` and its family does not. One whose name ends otherwise keeps it and
/// is of no known type, rather than get another name.
fn open_name<'f>(family: &'f Family<'_>, families: &[Family<'_>]) -> (&'f str, &'static str) {
    if family.kind != Kind::Counter {
        return (&family.name, family.kind.word());
    }
    let is_free = |name: &&str| !name.is_empty() && families.iter().all(|other| other.name != *name);
    match family.name.strip_suffix("_total").filter(is_free) {
        Some(name) => (name, "counter"),
        None => (&family.name, "unknown"),
    }
}

fn line(out: &mut String, name: &str, sample: &Sample) {
    out.push_str(name);
    out.push_str(sample.suffix);
    let mut opening = '{';
    for (label, value) in &sample.labels {
        let _ = write!(out, "{opening}{label}=\"{}\"", escaped(value, true));
        opening = ',';
    }
    if !sample.labels.is_empty() {
        out.push('}');
    }
    let _ = writeln!(out, " {}", go_format_number(sample.value));
}

/// Backslashes, line ends and, where the text stands between quotes, quotes.
fn escaped(text: &str, quotes: bool) -> Cow<'_, str> {
    if !text.contains(['\\', '\n', '"']) {
        return Cow::Borrowed(text);
    }
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    Cow::Owned(if quotes { text.replace('"', "\\\"") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families() -> Vec<Family<'static>> {
        let mut events = Family::new("b_events", "say \"what\"\nand\\why", Kind::Counter);
        events.add(&[("code", "Startup"), ("source", "a \"b\"\\\n")], 1e6);
        let seconds = Family::new("c_seconds_total", "time", Kind::Counter).single(1.5);
        vec![events, seconds, Family::new("a", "gauge", Kind::Gauge).single(2.0), Family::new("d", "none", Kind::Gauge)]
    }

    #[test]
    fn the_text_format_is_the_originals() {
        let page = render(families(), Format::Text);
        assert_eq!(
            page,
            concat!(
                "# HELP a gauge\n# TYPE a gauge\na 2\n",
                "# HELP b_events say \"what\"\\nand\\\\why\n# TYPE b_events counter\n",
                "b_events{code=\"Startup\",source=\"a \\\"b\\\"\\\\\\n\"} 1e+06\n",
                "# HELP c_seconds_total time\n# TYPE c_seconds_total counter\nc_seconds_total 1.5\n",
            )
        );
    }

    #[test]
    fn open_metrics_have_the_same_samples() {
        let samples = |page: &str| -> Vec<String> {
            page.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
        };
        let page = render(families(), Format::OpenMetrics);
        assert_eq!(samples(&page), samples(&render(families(), Format::Text)));
        assert!(page.contains("# TYPE b_events unknown\n"), "{page}");
        assert!(page.contains("# TYPE c_seconds counter\nc_seconds_total 1.5\n"), "{page}");
        assert!(page.contains("say \\\"what\\\"\\n"), "{page}");
        assert!(page.ends_with("# EOF\n"));
    }

    #[test]
    fn a_family_does_not_take_anothers_name() {
        let both = vec![
            Family::new("x", "h", Kind::Gauge).single(1.0),
            Family::new("x_total", "h", Kind::Counter).single(1.0),
        ];
        assert!(render(both, Format::OpenMetrics).contains("# TYPE x_total unknown\n"));
    }

    #[test]
    fn open_metrics_come_only_when_asked_for() {
        use Format::{OpenMetrics, OpenMetricsDraft, Text};
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            ("", Text),
            ("*/*", Text),
            ("text/html,application/xhtml+xml", Text),
            (prometheus, OpenMetrics),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; Version=0.0.1", OpenMetricsDraft),
            ("application/openmetrics-text;version=2.0.0", Text),
            ("application/openmetrics-text;q=0.4, text/plain;q=0.5", Text),
            ("application/openmetrics-text;q=0", Text),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", Text),
            ("application/openmetrics-text;q=x,;;=,q", Text),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}

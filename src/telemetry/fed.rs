//! The metrics that jobs feed through the control socket (v3 §16).

use crate::core::Moment;
use crate::number::go_format_number;
use crate::plan::{MetricKind, MetricSpec};

use super::number;
use super::page::{Family, Kind};
use super::quantiles::{TARGETS, Window};

/// The upper bounds of a histogram's buckets, and how they are written.
const BOUNDS: [(f64, &str); 11] = [
    (0.005, "0.005"),
    (0.01, "0.01"),
    (0.025, "0.025"),
    (0.05, "0.05"),
    (0.1, "0.1"),
    (0.25, "0.25"),
    (0.5, "0.5"),
    (1.0, "1"),
    (2.5, "2.5"),
    (5.0, "5"),
    (10.0, "10"),
];

/// A number that nobody wants to read in full.
const LONGEST_TOLD: usize = 200;

/// Why a value is not recorded and the request is refused (design §4 row 15).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A counter only grows.
    #[error("{0} is a counter: it can't grow by {1}, which is negative")]
    Negative(String, String),
}

/// What became of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It counts.
    Done,
    /// There is no such metric, which is no error (v3 §15).
    Unknown,
    /// It is no number, which is told in the log and is no error either; in the original's words.
    NotANumber(String),
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Fed(Vec<Metric>);

#[derive(Debug)]
struct Metric {
    spec: MetricSpec,
    exposed: String,
    post_key: String,
    state: State,
}

#[derive(Debug)]
enum State {
    Counter(f64),
    Gauge(f64),
    Histogram(Histogram),
    Summary { sum: f64, count: u64, window: Window },
}

/// How many values were at most each bound.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [u64; BOUNDS.len()],
    sum: f64,
    count: u64,
}

impl Histogram {
    /// Takes a value.
    pub fn add(&mut self, value: f64) {
        if let Some(first) = BOUNDS.iter().position(|(bound, _)| value <= *bound) {
            self.buckets.iter_mut().skip(first).for_each(|bucket| *bucket += 1);
        }
        self.sum += value;
        self.count += 1;
    }

    /// Shows it.
    pub fn show(&self, family: &mut Family<'_>) {
        for (count, (_, bound)) in self.buckets.iter().zip(BOUNDS) {
            family.part("_bucket", &[("le", bound)], number::of(*count));
        }
        family.part("_bucket", &[("le", "+Inf")], number::of(self.count));
        family.part("_sum", &[], self.sum);
        family.part("_count", &[], number::of(self.count));
    }
}

impl Metric {
    fn new(spec: &MetricSpec) -> Self {
        let state = match spec.kind {
            MetricKind::Counter => State::Counter(0.0),
            MetricKind::Gauge => State::Gauge(0.0),
            MetricKind::Histogram => State::Histogram(Histogram::default()),
            MetricKind::Summary => State::Summary { sum: 0.0, count: 0, window: Window::default() },
        };
        Self { spec: spec.clone(), exposed: spec.exposed_name(), post_key: spec.post_key(), state }
    }

    fn add(&mut self, value: f64, now: Moment) {
        match &mut self.state {
            State::Counter(sum) => *sum += value,
            State::Gauge(last) => *last = value,
            State::Histogram(histogram) => histogram.add(value),
            State::Summary { sum, count, window } => {
                *sum += value;
                *count += 1;
                window.add(value, now);
            }
        }
    }

    fn show(&mut self, now: Moment) -> Family<'_> {
        let kind = match self.state {
            State::Counter(_) => Kind::Counter,
            State::Gauge(_) => Kind::Gauge,
            State::Histogram(_) => Kind::Histogram,
            State::Summary { .. } => Kind::Summary,
        };
        let mut family = Family::new(self.exposed.as_str(), self.spec.help.as_str(), kind);
        match &mut self.state {
            State::Counter(value) | State::Gauge(value) => family.add(&[], *value),
            State::Histogram(histogram) => histogram.show(&mut family),
            State::Summary { sum, count, window } => {
                for (quantile, _) in TARGETS {
                    family.add(&[("quantile", &go_format_number(quantile))], window.quantile(quantile, now));
                }
                family.part("_sum", &[], *sum);
                family.part("_count", &[], number::of(*count));
            }
        }
        family
    }
}

impl Fed {
    /// These metrics from now on. One that was there with the same words and kind keeps its value, all others begin at
    /// nothing. Of two with one exposed name the later takes the place of the earlier, as in the original.
    pub fn configure(&mut self, specs: &[MetricSpec]) {
        let mut before = std::mem::take(&mut self.0);
        for spec in specs {
            let kept = before.iter().position(|old| old.spec == *spec).map(|index| before.swap_remove(index));
            let metric = kept.unwrap_or_else(|| Metric::new(spec));
            self.0.retain(|earlier| earlier.exposed != metric.exposed);
            self.0.push(metric);
        }
    }

    /// Whether a posted value would be refused.
    pub fn check(&self, key: &str, value: &str) -> Result<(), Refused> {
        let (key, value) = split(key, value);
        let Ok(number) = number::parse(value.trim()) else { return Ok(()) };
        let is_refused = |metric: &Metric| number < 0.0 && metric.spec.kind == MetricKind::Counter;
        if self.called(key).any(|index| self.0.get(index).is_some_and(is_refused)) {
            return Err(Refused::Negative(told(key), told(value)));
        }
        Ok(())
    }

    /// Records a posted value; see [`super::Telemetry::record`].
    pub fn record(&mut self, key: &str, value: &str, now: Moment) -> Result<Recorded, Refused> {
        self.check(key, value)?;
        let (key, value) = split(key, value);
        let indices: Vec<usize> = self.called(key).collect();
        if indices.is_empty() {
            return Ok(Recorded::Unknown);
        }
        let trimmed = value.trim();
        let number = match number::parse(trimmed) {
            Ok(number) => number,
            Err(error) => {
                let (value, words) = (told(value), error.words());
                let quoted = format!("{:?}", told(trimmed));
                return Ok(Recorded::NotANumber(format!(
                    "metric produced non-numeric value: {value}: strconv.ParseFloat: parsing {quoted}: {words}"
                )));
            }
        };
        for index in indices {
            if let Some(metric) = self.0.get_mut(index) {
                metric.add(number, now);
            }
        }
        Ok(Recorded::Done)
    }

    /// The families of the page.
    pub fn show(&mut self, now: Moment) -> impl Iterator<Item = Family<'_>> {
        self.0.iter_mut().map(move |metric| metric.show(now))
    }

    /// Where the metrics are that a posted key means: those with that key in the original's spelling, else the one that
    /// is exposed under it (design §4 row 15).
    fn called(&self, key: &str) -> impl Iterator<Item = usize> {
        let by_key = self.0.iter().any(|metric| metric.post_key == key);
        let is_it = move |metric: &Metric| (if by_key { &metric.post_key } else { &metric.exposed }) == key;
        self.0.iter().enumerate().filter(move |(_, metric)| is_it(metric)).map(|(index, _)| index)
    }
}

/// The original hands both on as one text, `key|value`, and takes the first two of its parts (`golden/metrics.json`: "a
/// pipe in the key", "a pipe in the value"). No metric's name has a `|`, so nothing that means well is cut.
fn split<'t>(key: &'t str, value: &'t str) -> (&'t str, &'t str) {
    match key.split_once('|') {
        Some((key, rest)) => (key, rest.split('|').next().unwrap_or_default()),
        None => (key, value.split('|').next().unwrap_or_default()),
    }
}

/// A text of somebody else on one line of the log, and not for ever.
fn told(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST_TOLD).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::super::page::{Format, render};
    use super::*;

    fn spec(parts: [&str; 3], kind: MetricKind) -> MetricSpec {
        let [namespace, subsystem, name] = parts.map(str::to_owned);
        MetricSpec { namespace, subsystem, name, help: "help".to_owned(), kind }
    }

    fn fed(specs: &[MetricSpec]) -> Fed {
        let mut fed = Fed::default();
        fed.configure(specs);
        fed
    }

    fn page(fed: &mut Fed) -> Vec<String> {
        let page = render(fed.show(Moment::default()).collect(), Format::Text);
        page.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn both_names_of_a_metric_are_known() {
        let mut fed = fed(&[spec(["", "", "bare"], MetricKind::Counter), spec(["app", "", "x"], MetricKind::Gauge)]);
        for (key, value) in [("__bare", "1"), ("bare", "2"), ("app__x", "3"), ("app_x", "4")] {
            assert_eq!(fed.record(key, value, Moment::default()), Ok(Recorded::Done), "{key}");
        }
        assert_eq!(fed.record("_bare", "1", Moment::default()), Ok(Recorded::Unknown));
        assert_eq!(page(&mut fed), ["app_x 4", "bare 3"]);
    }

    #[test]
    fn the_originals_key_comes_first_where_two_metrics_share_a_name() {
        // The key of the first is the exposed name of the second.
        let mut fed = fed(&[spec(["", "", "x"], MetricKind::Gauge), spec(["", "", "__x"], MetricKind::Gauge)]);
        assert_eq!(fed.record("__x", "1", Moment::default()), Ok(Recorded::Done));
        assert_eq!(page(&mut fed), ["__x 0", "x 1"]);
    }

    #[test]
    fn f75_a_counter_never_shrinks() {
        let mut fed = fed(&[spec(["a", "b", "c"], MetricKind::Counter), spec(["a", "b", "g"], MetricKind::Gauge)]);
        fed.record("a_b_c", "5", Moment::default()).unwrap();
        for value in ["-1", "-1e-300", "-Inf"] {
            let refused = fed.record("a_b_c", value, Moment::default()).unwrap_err();
            let told = format!("a_b_c is a counter: it can't grow by {value}, which is negative");
            assert_eq!(refused.to_string(), told);
        }
        fed.record("a_b_c", "-0", Moment::default()).unwrap();
        fed.record("a_b_g", "-1", Moment::default()).unwrap();
        assert_eq!(page(&mut fed), ["a_b_c 5", "a_b_g -1"]);
    }

    #[test]
    fn f75_what_is_no_number_is_told_and_changes_nothing() {
        let mut fed = fed(&[spec(["a", "b", "c"], MetricKind::Counter)]);
        let long = "x".repeat(100_000);
        let Ok(Recorded::NotANumber(told)) = fed.record("a_b_c", &long, Moment::default()) else { panic!() };
        assert!(told.len() < 600 && told.ends_with(": invalid syntax"), "{told}");
        let Ok(Recorded::NotANumber(told)) = fed.record("a_b_c", " a\nb ", Moment::default()) else { panic!() };
        assert_eq!(
            told,
            "metric produced non-numeric value:  a b : strconv.ParseFloat: parsing \"a b\": invalid syntax"
        );
        assert_eq!(page(&mut fed), ["a_b_c 0"]);
    }

    #[test]
    fn a_reload_keeps_the_value_of_what_did_not_change() {
        let (kept, changed) = (spec(["a", "b", "kept"], MetricKind::Counter), spec(["a", "b", "c"], MetricKind::Gauge));
        let mut fed = fed(&[kept.clone(), changed.clone(), spec(["a", "b", "gone"], MetricKind::Gauge)]);
        for key in ["a_b_kept", "a_b_c", "a_b_gone"] {
            fed.record(key, "7", Moment::default()).unwrap();
        }
        fed.configure(&[MetricSpec { kind: MetricKind::Counter, ..changed }, kept]);
        assert_eq!(page(&mut fed), ["a_b_c 0", "a_b_kept 7"]);
    }
}

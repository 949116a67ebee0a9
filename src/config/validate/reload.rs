//! What a reload does, and how soon: `reload` at the top (design §4 row 11, §6).

use std::time::Duration;

use super::judge::{Judge, Length};
use crate::config::decode::{Decoder, Field};
use crate::config::json5::{Node, Value};
use crate::config::raw::{self, Text};
use crate::config::report::{Place, Rank, Report, Step};
use crate::plan::{Reload, ReloadMode};

/// The words for what it does.
pub(in crate::config) const MODES: [(&str, ReloadMode); 2] =
    [("reconcile", ReloadMode::Reconcile), ("restart", ReloadMode::Restart)];

/// The longest wait: a reload that comes later is one that nobody remembers.
const LONGEST: Duration = Duration::from_hours(1);

/// Reads `reload`.
pub(super) fn reload(node: Option<&Node>, report: &mut Report) -> Reload {
    let default = Reload::default();
    let Some(node) = node else { return default };
    let path = "reload".to_owned();
    let mut judge = Judge { report, path, step: Step::Ours, item: 0, prefix: "" };
    match &node.value {
        Value::String(word) => Reload { mode: mode("", word, node, &mut judge), ..default },
        Value::Object(_) => {
            let mut decoder = Decoder::new(judge.report, Rank::OURS);
            let raw = raw::reload(&mut decoder, node, &Place::section("reload"));
            decoder.finish_ours();
            raw.map_or(default, |raw| parts(&raw, &mut judge))
        }
        _ => {
            let message = format!("expected \"reconcile\", \"restart\" or an object, {}", judge.found(node));
            let problem = judge.our_error("", node.span, message);
            judge.add(problem.help("{ mode: \"reconcile\", quiesce: \"500ms\", coalesce: \"5s\" }"));
            default
        }
    }
}

fn mode(key: &str, word: &str, node: &Node, judge: &mut Judge) -> ReloadMode {
    if let Some((_, mode)) = MODES.iter().find(|(known, _)| *known == word) {
        return *mode;
    }
    let message = format!("expected \"reconcile\" or \"restart\", {}", judge.found(node));
    let problem = judge.our_error(key, node.span, message);
    judge.add(problem.help("\"restart\" stops everything and starts it anew, as ContainerPilot 3 did"));
    ReloadMode::default()
}

fn parts(raw: &raw::Reload, judge: &mut Judge) -> Reload {
    let default = Reload::default();
    let mode = match raw.mode.node {
        Some(node) if !raw.mode.field.is_bad() => mode("mode", raw.mode.text(), node, judge),
        _ => default.mode,
    };
    let quiesce = wait("quiesce", &raw.quiesce, default.quiesce, judge);
    let coalesce = wait("coalesce", &raw.coalesce, default.coalesce.max(quiesce), judge);
    if let (true, Some(node)) = (coalesce < quiesce, raw.coalesce.node) {
        let problem = judge.our_error("coalesce", node.span, "shorter than the quiet period, `quiesce`");
        judge.add(problem);
    }
    let watch = matches!(raw.watch, Field::Given(true, _));
    Reload { mode, quiesce, coalesce, watch }
}

/// A length up to an hour; 0 waits for nobody.
fn wait(key: &str, text: &Text, default: Duration, judge: &mut Judge) -> Duration {
    let length = judge.length_of_ours(key, text);
    match (length, text.node) {
        (Length::Is(duration), _) if duration.0 >= 0 && duration.to_std() <= LONGEST => duration.to_std(),
        (Length::Is(_), Some(node)) => {
            let message = format!("expected a time from 0 to \"1h\", {}", judge.found(node));
            let problem = judge.our_error(key, node.span, message);
            judge.add(problem);
            default
        }
        _ => default,
    }
}

#[cfg(test)]
mod tests {
    use super::super::said::{outcome, plan, said};
    use super::*;

    fn reload_of(text: &str) -> Reload {
        plan(&format!("{{ reload: {text} }}")).reload
    }

    #[test]
    fn what_it_does_is_a_word_or_part_of_an_object() {
        let restart = Reload { mode: ReloadMode::Restart, ..Reload::default() };
        assert_eq!(plan("{}").reload, Reload::default());
        assert_eq!(reload_of("null"), Reload::default());
        assert_eq!(reload_of("{}"), Reload::default());
        assert_eq!(reload_of("\"reconcile\""), Reload::default());
        assert_eq!(reload_of("\"restart\""), restart);
        assert_eq!(reload_of("{ mode: \"restart\", watch: false }"), restart);
    }

    #[test]
    fn the_quiet_period_and_its_bound_are_durations() {
        let ms = Duration::from_millis;
        let waits = |text: &str| (reload_of(text).quiesce, reload_of(text).coalesce);
        assert_eq!(waits("{}"), (ms(500), ms(5000)));
        assert_eq!(waits("{ quiesce: \"50ms\", coalesce: 1 }"), (ms(50), ms(1000)));
        assert_eq!(waits("{ quiesce: 0 }").0, ms(0));
        assert_eq!(waits("{ quiesce: 10 }"), (ms(10_000), ms(10_000)), "the bound is never below it");
    }

    #[test]
    fn the_file_is_watched_only_if_that_is_said() {
        assert!(!reload_of("{}").watch && !reload_of("\"restart\"").watch && !reload_of("{ watch: null }").watch);
        assert_eq!(reload_of("{ watch: true }"), Reload { watch: true, ..Reload::default() });
    }

    #[test]
    fn what_can_not_be_is_refused() {
        let refused = |text: &str, want: &str| {
            let said = said(&outcome(&format!("{{ reload: {text}, jobs: [ {{ name: \"a\" }} ] }}")));
            assert_eq!(said, [format!("E {want}")]);
        };
        refused("true", "reload: expected \"reconcile\", \"restart\" or an object, found true");
        refused("\"no\"", "reload: expected \"reconcile\" or \"restart\", found \"no\"");
        refused("{ mode: \"\" }", "reload.mode: expected \"reconcile\" or \"restart\", found \"\"");
        refused("{ quiesce: \"-1s\" }", "reload.quiesce: expected a time from 0 to \"1h\", found \"-1s\"");
        refused("{ coalesce: \"100ms\" }", "reload.coalesce: shorter than the quiet period, `quiesce`");
        refused("{ watch: {} }", "reload.watch: expected true or false, found an object");
        refused("{ wait: 1 }", "reload.wait: unknown key `wait` in reload");
    }
}

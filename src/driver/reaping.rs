//! The dead: those of jobs, whose output comes before their end, and orphans.

use std::time::Duration;

use tracing::{debug, warn};

use super::{DRAIN, Draining, Driver, LAST_OUTPUT};
use crate::core::{self, Input, Moment};
use crate::plan::Signal;
use crate::process::{self, Death, Stop};

/// Orphans that die one after the other, as where a container starts processes by the thousands that nobody waits for.
///
/// Each alone costs six calls, for a signal, a look, a burial. A short pause lets some die meanwhile, and the burials remain. The
/// death of a job, whose next run should not wait, ends the storm; that one, or a signal to us, is late by the pause.
#[derive(Debug, Default)]
pub(super) struct Storm {
    /// So often only orphans were dead, one time soon after the other.
    times: u32,
    last: Moment,
}

impl Storm {
    /// It is one after so many times, each within a pause after the last.
    const BEGINS: u32 = 16;
    /// In a storm nobody is looked for so long.
    const PAUSE: Duration = Duration::from_millis(1);

    /// So many orphans were found dead at this moment, and nobody else; or somebody else was.
    fn found(&mut self, now: Moment, orphans: Option<usize>) {
        let goes_on = match orphans {
            None => false,
            // A pause that gathers nobody is a wake-up more.
            Some(orphans) if self.rages() => orphans > 1,
            Some(_) => now.since(self.last) <= Self::PAUSE,
        };
        self.times = if goes_on { self.times.saturating_add(1) } else { 0 };
        self.last = now;
    }

    fn rages(&self) -> bool {
        self.times >= Self::BEGINS
    }

    /// Until when nobody need be looked for, in a storm.
    fn pause(&self) -> Option<Moment> {
        self.rages().then(|| self.last.after(Self::PAUSE))
    }
}

impl Driver {
    /// Reaps everybody who is dead, and tells the deaths whose output is complete.
    pub(super) fn reap(&mut self) {
        let reaped = self.children.reap();
        self.child_news |= reaped.more;
        for death in &reaped.deaths {
            self.on_death(death);
        }
        for Stop { id, pid, signal } in &reaped.stops {
            let name = self.runs.name(*id);
            warn!("{name} (pid {pid}) was stopped by {} and does not run on by itself", signal.name());
            self.runs.set_stopped(*id, Some(*signal));
        }
        for id in &reaped.continued {
            self.runs.set_stopped(*id, None);
        }
        if !reaped.orphans.is_empty() {
            self.observe(|telemetry| telemetry.orphans_reaped(reaped.orphans.len()));
            debug!("reaped {}: {:?}", core::count(reaped.orphans.len(), "orphan"), reaped.orphans);
        }
        let somebody = !reaped.deaths.is_empty() || !reaped.stops.is_empty() || !reaped.continued.is_empty();
        if somebody || !reaped.orphans.is_empty() {
            self.storm.found(self.now(), (!somebody).then_some(reaped.orphans.len()));
        }
        let died = !reaped.deaths.is_empty() || !reaped.orphans.is_empty();
        if let Some(signal) = self.sweeping.filter(|_| died) {
            self.sweep(signal, !process::is_pid_one());
        }
    }

    fn on_death(&mut self, death: &Death) {
        let now = self.now();
        if death.left_behind {
            self.tell_left_behind(death, now);
        }
        // What the pipes still hold is there already, and nobody else's turn need be waited for.
        let pumped = self.read(|outputs, sink| outputs.pump_child(death.id, LAST_OUTPUT, sink));
        let Death { id: child, status, out_of_memory, .. } = *death;
        self.draining.push(Draining { child, status, out_of_memory, until: now.after(DRAIN) });
        self.pumped(pumped);
    }

    /// Until when no signal need be waited for, since it would tell of one more orphan. Not at the end, which waits for them.
    pub(super) fn pause_for_more_orphans(&self) -> Option<Moment> {
        let pause = self.storm.pause().filter(|_| self.sweeping.is_none())?;
        (self.now() < pause).then_some(pause)
    }

    /// Signals what is left, or says that nothing is. Those who are not PID 1 do it again after each death, which may
    /// have brought them new orphans.
    pub(super) fn sweep(&mut self, signal: Signal, send: bool) {
        if !self.children.any_left() {
            self.sweeping = None;
            self.inbox.push_back(Input::NothingLeft);
        } else if send {
            self.children.sweep(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Moment {
        Moment(Duration::from_micros(micros))
    }

    /// Finds of so many orphans, or of somebody else, with so many microseconds between them.
    fn storm(apart: u64, finds: impl IntoIterator<Item = Option<usize>>) -> Storm {
        let mut storm = Storm::default();
        (1..).zip(finds).for_each(|(n, orphans)| storm.found(at(apart * n), orphans));
        storm
    }

    #[test]
    fn orphans_by_the_dozen_are_waited_for() {
        assert_eq!(storm(900, [Some(1); 15]).pause(), None);
        assert_eq!(storm(900, [Some(1); 16]).pause(), Some(at(16 * 900 + 1000)));
        let goes_on = [[Some(1); 16], [Some(2); 16]].concat();
        assert_eq!(storm(900, goes_on).pause(), Some(at(32 * 900 + 1000)));
    }

    #[test]
    fn a_few_are_not_nor_those_that_come_now_and_then() {
        assert_eq!(storm(1100, [Some(5); 40]).pause(), None);
        let ends = [&[Some(1); 16][..], &[Some(1)]].concat();
        assert_eq!(storm(900, ends).pause(), None, "a pause that gathers nobody");
    }

    #[test]
    fn the_death_of_a_job_ends_it() {
        let ends = [&[Some(1); 16][..], &[None], &[Some(2); 15]].concat();
        assert_eq!(storm(900, ends).pause(), None);
    }
}

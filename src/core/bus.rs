//! The event bus: a queue that each step hands out to its end (design §1).

use super::job::Verdict;
use super::turn::Queued;
use super::world::World;
use super::{Effect, Event, GLOBAL, JobId, Moment, Slot};
use crate::plan::{EventCode, Level};

/// One step publishes no more events than this; a configuration that wants more is a cycle (design §1).
const MOST_EVENTS: usize = 10_000;

impl World {
    /// Hands out what is queued, and lets stopping jobs move, until nothing is left to do.
    pub(super) fn settle(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let most = MOST_EVENTS.max(self.jobs.len().saturating_mul(16));
        let mut handed_out = 0_usize;
        loop {
            while let Some(queued) = self.ledger.queue.pop_front() {
                handed_out += 1;
                if handed_out > most {
                    handed_out = 0;
                    self.cut_cycle(queued, now, effects);
                    break;
                }
                match queued {
                    Queued::Event { event, from } => self.deliver(&event, from, now, effects),
                    Queued::Quit(id) => {
                        let verdict = self.job_turn(id, now, effects).map(|(job, mut turn)| {
                            let keep = job.waits_for_a_stop().is_some();
                            job.on_quit(keep, &mut turn)
                        });
                        self.carry_out(id, verdict.unwrap_or(Verdict::GoOn), now, effects);
                    }
                }
            }
            if !self.release(now, effects) && self.ledger.queue.is_empty() {
                return;
            }
        }
    }

    /// Hands an event to all whom it may concern, in file order: what is global to everybody, the rest to those who
    /// wait for that source and to the job whose run it tells about.
    fn deliver(&mut self, event: &Event, from: Option<Slot>, now: Moment, effects: &mut Vec<Effect>) {
        let concerned = if &*event.source == GLOBAL {
            self.ids().collect()
        } else {
            let mut followers = self.followers(&event.source).to_vec();
            let own = from.map(Slot::job);
            let place = |id: &JobId| self.job(*id).map(|job| job.place);
            if let Some((own, Err(at))) = own.map(|own| (own, followers.binary_search_by_key(&place(&own), place))) {
                followers.insert(at, own);
            }
            followers
        };
        for id in concerned {
            let own = from.filter(|slot| slot.job() == id);
            let verdict = self.job_turn(id, now, effects).map(|(job, mut turn)| job.on_event(event, own, &mut turn));
            self.carry_out(id, verdict.unwrap_or(Verdict::GoOn), now, effects);
        }
    }

    pub(super) fn carry_out(&mut self, id: JobId, verdict: Verdict, now: Moment, effects: &mut Vec<Effect>) {
        match verdict {
            Verdict::GoOn => {}
            Verdict::Stop => self.stop_job(id, now, effects),
        }
    }

    /// Too many events in one step: news that can repeat are dropped, and the job that they are of is stopped. The
    /// ends of runs and of jobs can't repeat without a process that runs between, and must not be lost.
    fn cut_cycle(&mut self, last: Queued, now: Moment, effects: &mut Vec<Effect>) {
        let source = match &last {
            Queued::Event { event, .. } => {
                let source = event.source.to_string();
                let message = format!(
                    "more than {MOST_EVENTS} events at once, the last is {event}: dropping the rest, stopping {source}"
                );
                effects.push(Effect::Log { level: Level::Error, message });
                Some(source)
            }
            Queued::Quit(_) => None,
        };
        self.ledger.queue.push_front(last);
        self.ledger.queue.retain(|queued| match queued {
            Queued::Quit(_) => true,
            Queued::Event { event, from } => {
                from.is_some() || matches!(event.code, EventCode::Stopping | EventCode::Stopped | EventCode::Shutdown)
            }
        });
        let at_fault: Vec<JobId> =
            self.jobs().filter(|job| source.as_deref() == Some(job.name())).map(|job| job.id).collect();
        for id in at_fault {
            self.stop_job(id, now, effects);
        }
    }
}

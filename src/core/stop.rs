//! How one job stops (v3 §12.1, design §3 and §4 rows 3 and 4): tell, wait for those who act on it, ask, insist.

use super::exec::Phase;
use super::job::{Job, Stage, Status};
use super::say::elapsed;
use super::turn::Turn;
use super::world::World;
use super::{Effect, Event, JobId, Moment, Timer};
use crate::plan::{EventCode, Level};

impl Job {
    /// Publishes `stopping` and takes nothing new on.
    fn leave(&mut self, turn: &mut Turn<'_>) {
        self.stage = Stage::Leaving;
        self.armed = false;
        self.starts_left = false;
        self.due = 0;
        self.pausing = false;
        for timer in [Timer::Interval, Timer::Heartbeat, Timer::Wait, Timer::Restart, Timer::Stop] {
            turn.disarm(timer(self.id));
        }
        turn.publish(Event::new(EventCode::Stopping, self.name()), None);
    }

    /// Asks its processes to end. Without one it is complete at once.
    fn terminate(&mut self, turn: &mut Turn<'_>) {
        self.stage = Stage::Terminating;
        self.waiting_for.clear();
        turn.disarm(Timer::Stop(self.id));
        for slot in [&mut self.run, &mut self.check] {
            match slot {
                Some(run) if run.phase == Phase::Retrying => {
                    run.ended(turn);
                    *slot = None;
                }
                Some(run) => run.terminate(turn),
                None => {}
            }
        }
        self.finish(turn);
    }

    /// Complete, if nothing of it lives any more.
    pub(super) fn finish(&mut self, turn: &mut Turn<'_>) {
        if self.stage == Stage::Terminating && self.run.is_none() && self.check.is_none() {
            self.stage = Stage::Complete;
            self.set_status(Status::Unknown);
            turn.publish(Event::new(EventCode::Stopped, self.name()), None);
        }
    }

    /// No grace any more: what lives is killed.
    fn kill(&mut self, turn: &mut Turn<'_>) {
        for run in [&mut self.run, &mut self.check].into_iter().flatten() {
            run.kill(turn);
        }
    }

    /// A process does not even die of SIGKILL (reliability row 20). A job that stops is given up on.
    pub(super) fn give_up(&mut self, turn: &mut Turn<'_>) -> bool {
        let name = self.name().to_owned();
        turn.log(
            Level::Error,
            format!("{name} is still there {} after SIGKILL: the kernel holds it", elapsed(super::exec::PATIENCE)),
        );
        if self.stage != Stage::Terminating {
            return false;
        }
        for slot in [&mut self.run, &mut self.check] {
            if let Some(run) = slot.take() {
                run.ended(turn);
            }
        }
        self.finish(turn);
        true
    }
}

impl World {
    /// Stops one job: `stopping` now, the first signal once its dependents are done.
    pub(super) fn stop_job(&mut self, id: JobId, now: Moment, effects: &mut Vec<Effect>) {
        let waiting_for = self.dependents(id);
        let Some((job, mut turn)) = self.job_turn(id, now, effects) else { return };
        if job.stage != Stage::Live {
            return;
        }
        job.leave(&mut turn);
        if waiting_for.is_empty() || turn.ledger.urgent {
            job.terminate(&mut turn);
        } else {
            job.waiting_for = waiting_for;
            turn.arm(Timer::Stop(id), now.after(job.spec.stop_timeout));
        }
    }

    /// The jobs that act on this job's `stopping` and can still do so.
    fn dependents(&self, id: JobId) -> Vec<JobId> {
        let Some(job) = self.job(id) else { return Vec::new() };
        let acts = |other: &&Job| {
            other.id != id
                && other.stage == Stage::Live
                && other.waits_for_a_stop() == Some((job.name(), EventCode::Stopping))
        };
        self.jobs().filter(acts).map(|other| other.id).collect()
    }

    /// Lets those jobs go on stopping whose dependents are done. Called when the queue is empty, so a dependent
    /// that is settled has seen the event. Says whether anything moved.
    pub(super) fn release(&mut self, now: Moment, effects: &mut Vec<Effect>) -> bool {
        let free: Vec<JobId> = self
            .jobs()
            .filter(|job| job.stage == Stage::Leaving)
            .filter(|job| job.waiting_for.iter().all(|&other| self.job(other).is_none_or(Job::is_settled)))
            .map(|job| job.id)
            .collect();
        for &id in &free {
            if let Some((job, mut turn)) = self.job_turn(id, now, effects) {
                job.terminate(&mut turn);
            }
        }
        !free.is_empty()
    }

    /// The bound of a stop is reached: the wait for dependents, or the run of a post-stop job, is cut short.
    pub(super) fn on_stop_timeout(&mut self, id: JobId, now: Moment, effects: &mut Vec<Effect>) {
        let unsettled: Vec<JobId> = self.job(id).map_or_else(Vec::new, |job| {
            job.waiting_for
                .iter()
                .copied()
                .filter(|&other| self.job(other).is_some_and(|job| !job.is_settled()))
                .collect()
        });
        let names: Vec<&str> = unsettled.iter().filter_map(|&other| self.job(other)).map(Job::name).collect();
        let names = names.join(", ");
        let Some((job, mut turn)) = self.job_turn(id, now, effects) else { return };
        let (name, bound) = (job.name().to_owned(), elapsed(job.spec.stop_timeout));
        match job.stage {
            Stage::Leaving => {
                turn.log(
                    Level::Warn,
                    format!("{name} has waited its stopTimeout of {bound} for {names}: stopping both now"),
                );
                job.terminate(&mut turn);
                for other in unsettled {
                    self.stop_job(other, now, effects);
                }
            }
            Stage::Live => {
                turn.log(
                    Level::Warn,
                    format!("{name} has run for its stopTimeout of {bound} during the stop: it is cut short"),
                );
                self.stop_job(id, now, effects);
            }
            Stage::Terminating | Stage::Complete => {}
        }
    }

    /// The second TERM: every wait is over, every process is killed.
    pub(super) fn cut_all_grace(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        for id in self.ids() {
            self.stop_job(id, now, effects);
            if let Some((job, mut turn)) = self.job_turn(id, now, effects) {
                if job.stage == Stage::Leaving {
                    job.terminate(&mut turn);
                }
                job.kill(&mut turn);
            }
        }
    }
}

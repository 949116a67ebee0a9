//! How one job stops (v3 §12.1, design §3 and §4 rows 3 and 4): tell, wait for those who act on it, take its service
//! out of Consul, ask, insist.

use super::exec::{PATIENCE, Phase};
use super::job::{Job, Stage, Status};
use super::say::elapsed;
use super::turn::Turn;
use super::world::World;
use super::{Effect, Event, JobId, Moment, Slot, Timer};
use crate::plan::{EventCode, Level};

impl Job {
    /// Publishes `stopping` and takes nothing new on.
    fn leave(&mut self, turn: &mut Turn<'_>) {
        self.stage = Stage::Leaving;
        self.since = turn.now;
        self.armed = false;
        self.starts_left = false;
        self.due = 0;
        self.pausing = false;
        self.held_check = None;
        for timer in [Timer::Interval, Timer::Heartbeat, Timer::Wait, Timer::Restart, Timer::Stop] {
            turn.disarm(timer(self.id));
        }
        self.drop_retries(turn);
        turn.publish(Event::new(EventCode::Stopping, self.name()), None);
    }

    /// A start that failed is not tried again by a job that stops, whatever it waits for: nobody wants a process that
    /// is asked to end as soon as it is there (reliability row 24).
    fn drop_retries(&mut self, turn: &mut Turn<'_>) {
        for slot in [&mut self.run, &mut self.check] {
            if let Some(run) = slot.take_if(|run| run.phase == Phase::Retrying) {
                run.ended(turn);
            }
        }
    }

    /// Asks its processes to end. Without one it is complete at once.
    pub(super) fn terminate(&mut self, turn: &mut Turn<'_>) {
        self.stage = Stage::Terminating;
        self.waiting_for.clear();
        turn.disarm(Timer::Stop(self.id));
        turn.disarm(Timer::Withdraw(self.id));
        for run in [&mut self.run, &mut self.check].into_iter().flatten() {
            run.terminate(turn);
        }
        self.finish(turn);
    }

    /// Complete, if nothing of it lives any more.
    pub(super) fn finish(&mut self, turn: &mut Turn<'_>) {
        if self.stage == Stage::Terminating && self.run.is_none() && self.check.is_none() {
            self.stage = Stage::Complete;
            turn.ledger.look_again = true;
            self.since = turn.now;
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

    /// A process does not even die of SIGKILL (reliability row 20). A job that stops goes on without its end, which
    /// is said with `true`; any other waits for it.
    pub(super) fn give_up(&mut self, slot: Slot, turn: &mut Turn<'_>) -> bool {
        let leaves = self.stage == Stage::Terminating;
        let name = self.command_name(slot);
        let run = match slot {
            Slot::Exec(_) => &mut self.run,
            Slot::Check(_) => &mut self.check,
        };
        let Some(stuck) = run.as_ref().filter(|run| run.phase == Phase::Killed) else { return false };
        let patience = elapsed(PATIENCE);
        let what_now = if leaves { "leaving it behind" } else { "it can't be started again until it ends" };
        turn.log(
            Level::Error,
            format!("{name} is still there {patience} after SIGKILL, the kernel holds it: {what_now}"),
        );
        if !leaves {
            return false;
        }
        stuck.ended(turn);
        *run = None;
        if matches!(slot, Slot::Exec(_)) {
            // How its last run ends nobody will know.
            self.last = None;
        }
        self.finish(turn);
        true
    }
}

impl World {
    /// Stops one job: `stopping` now, the first signal once its dependents are done.
    pub(super) fn stop_job(&mut self, id: JobId, now: Moment, effects: &mut Vec<Effect>) {
        let Some(job) = self.job(id).filter(|job| job.stage == Stage::Live) else { return };
        let is_over = !job.retired && !job.halted && !job.again;
        if job.spec.main && is_over && !self.is_stopping() {
            // The container's application ends: so does everything else, itself included.
            let reason = format!("the end of {}", job.name());
            self.shut_down(&reason, false, now, effects);
            return;
        }
        let waiting_for = self.dependents(job);
        let goes_last = !self.still_announced(id).is_empty();
        let Some((job, mut turn)) = self.job_turn(id, now, effects) else { return };
        job.leave(&mut turn);
        if waiting_for.is_empty() && !goes_last {
            job.withdraw_and_terminate(&mut turn);
        } else {
            job.waiting_for = waiting_for;
            turn.arm(Timer::Stop(id), now.after(job.patience(turn.ledger.stop_timeout)));
            self.leaving.push(id);
        }
    }

    /// The jobs that act on this job's `stopping` and can still do so.
    fn dependents(&self, job: &Job) -> Vec<JobId> {
        let acts = |other: &&Job| {
            other.id != job.id
                && other.stage == Stage::Live
                && other.waits_for_a_stop() == Some((job.name(), EventCode::Stopping))
        };
        let followers = self.followers(job.name()).iter().filter_map(|&other| self.job(other));
        followers.filter(acts).map(|other| other.id).collect()
    }

    /// Lets those jobs go on stopping whose dependents are done. Called when the queue is empty, so a dependent
    /// that is settled has seen the event. Says whether anything moved.
    pub(super) fn release(&mut self, now: Moment, effects: &mut Vec<Effect>) -> bool {
        let mut leaving = std::mem::take(&mut self.leaving);
        leaving.retain(|&id| self.job(id).is_some_and(|job| job.stage == Stage::Leaving));
        let waits = |id: &JobId| !self.awaited(*id).is_empty();
        let (wait, free): (Vec<JobId>, Vec<JobId>) = leaving.into_iter().partition(waits);
        self.leaving = wait;
        for &id in &free {
            if let Some((job, mut turn)) = self.job_turn(id, now, effects) {
                job.withdraw_and_terminate(&mut turn);
            }
        }
        !free.is_empty()
    }

    /// Whose end a leaving job waits for: those who act on its `stopping`; and if it is the local Consul agent, those
    /// whom it still has to tell of.
    pub(super) fn awaited(&self, id: JobId) -> Vec<JobId> {
        let Some(job) = self.job(id) else { return Vec::new() };
        let unsettled = |other: &JobId| self.job(*other).is_some_and(|job| !job.is_settled());
        let mut awaited: Vec<JobId> = job.waiting_for.iter().copied().filter(unsettled).collect();
        awaited.extend(self.still_announced(id));
        awaited
    }

    /// The bound of a stop is reached: the wait for dependents, or the run of a post-stop job, is cut short.
    pub(super) fn on_stop_timeout(&mut self, id: JobId, now: Moment, effects: &mut Vec<Effect>) {
        let unsettled = self.awaited(id);
        let names: Vec<&str> = unsettled.iter().filter_map(|&other| self.job(other)).map(Job::name).collect();
        let names = names.join(", ");
        let Some((job, mut turn)) = self.job_turn(id, now, effects) else { return };
        let (name, bound) = (job.name().to_owned(), elapsed(job.spec.stop_timeout));
        match job.stage {
            Stage::Leaving => {
                let patience = elapsed(job.patience(turn.ledger.stop_timeout));
                let part = if job.is_announced() { format!("{patience} of ") } else { String::new() };
                let wait = format!("{part}its stopTimeout of {bound}");
                turn.log(Level::Warn, format!("{name} has waited {wait} for {names}: stopping all of them now"));
                job.withdraw_and_terminate(&mut turn);
                for other in unsettled {
                    self.stop_job(other, now, effects);
                }
            }
            Stage::Live if job.keeps => {
                turn.log(
                    Level::Warn,
                    format!("{name} has run for its stopTimeout of {bound} during the stop: it is cut short"),
                );
                self.stop_job(id, now, effects);
            }
            Stage::Live | Stage::Withdrawing | Stage::Terminating | Stage::Complete => {}
        }
    }

    /// The second TERM: every wait is over, every process is killed.
    pub(super) fn cut_all_grace(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        for id in self.ids() {
            self.stop_job(id, now, effects);
            if let Some((job, mut turn)) = self.job_turn(id, now, effects) {
                match job.stage {
                    Stage::Leaving => job.withdraw_and_terminate(&mut turn),
                    Stage::Withdrawing => job.withdraw_no_longer(&mut turn),
                    Stage::Live | Stage::Terminating | Stage::Complete => {}
                }
                job.kill(&mut turn);
            }
        }
    }
}

//! What the loop knows of live children beside the world: whose words their output is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tracing::{debug, error, warn};

use super::{Driver, watched};
use crate::block::Block;
use crate::core::{self, ChildId, Input, Moment, Slot, SpawnFailure};
use crate::kept::LogStream;
use crate::log::{Lines, Origin, Speaker};
use crate::plan::{CommandSpec, Plan, Signal};
use crate::process::{BlockSink, Children, Death, Outputs, SpawnError, Stream};

/// A start that holds up the loop for so long is told (reliability row 31).
const SLOW_START: Duration = Duration::from_millis(100);
/// A job that ends well so soon and leaves processes behind has probably put itself into the background (row 5).
const DAEMONISED: Duration = Duration::from_secs(1);
/// So many starts that have failed are told before an answer.
const FAILED_STARTS: usize = 64;
/// Appended to each piece of a line that goes on in the next one (design §4 row 13).
const CUT: &[u8] = b" [cut]";

/// A live child, or a dead one whose output is not yet delivered.
#[derive(Debug)]
pub(super) struct Run {
    /// What runs.
    pub(super) command: Arc<CommandSpec>,
    /// For the log and the variable.
    pub(super) pid: i32,
    /// When it was started.
    pub(super) since: Moment,
    /// A health check, not a job.
    pub(super) is_check: bool,
    /// What has stopped it, until it is continued.
    pub(super) stopped_by: Option<Signal>,
}

impl Run {
    /// The command's name.
    pub(super) fn name(&self) -> &str {
        &self.command.name
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Runs {
    live: BTreeMap<ChildId, Run>,
    /// How often a job seems to have put itself into the background, by its name. Only those that did are here.
    daemonised: BTreeMap<String, u32>,
}

impl Runs {
    /// Notes a start.
    pub(super) fn add(&mut self, child: ChildId, command: Arc<CommandSpec>, pid: i32, since: Moment, is_check: bool) {
        self.live.insert(child, Run { command, pid, since, is_check, stopped_by: None });
    }

    /// One of them.
    pub(super) fn get(&self, child: ChildId) -> Option<&Run> {
        self.live.get(&child)
    }

    /// Its name, for messages.
    pub(super) fn name(&self, child: ChildId) -> &str {
        self.get(child).map_or("a process", Run::name)
    }

    /// It was stopped by this signal, or runs on.
    pub(super) fn set_stopped(&mut self, child: ChildId, by: Option<Signal>) {
        if let Some(run) = self.live.get_mut(&child) {
            run.stopped_by = by;
        }
    }

    /// Forgets it.
    pub(super) fn remove(&mut self, child: ChildId) -> Option<Run> {
        self.live.remove(&child)
    }

    /// The job seems to have put itself into the background: how often it did so, this time included.
    fn daemonised(&mut self, name: &str) -> u32 {
        let times = self.daemonised.entry(name.to_owned()).or_default();
        *times = times.saturating_add(1);
        *times
    }

    /// From now on there are these jobs.
    pub(super) fn set_jobs<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let mut before = std::mem::take(&mut self.daemonised);
        if !before.is_empty() {
            self.daemonised = names.into_iter().filter_map(|name| before.remove_entry(name)).collect();
        }
    }
}

/// Hands what a child has written to the log. Says how much of it was taken.
fn deliver(lines: &mut Lines<'_>, runs: &Runs, child: ChildId, stream: Stream, block: Block<'_>) -> usize {
    let length = block.bytes().len();
    let Some(run) = runs.get(child) else { return length };
    let origin = if run.is_check { Origin::Check(run.name()) } else { Origin::Job(run.name()) };
    let stream = match stream {
        Stream::Stdout => LogStream::Stdout,
        Stream::Stderr => LogStream::Stderr,
    };
    let speaker = Speaker { origin, pid: Some(run.pid), stream: Some(stream) };
    if block.is_cut() {
        let marked = [block.bytes(), CUT].concat();
        return if lines.push(speaker, Block::piece(&marked)) > 0 { length } else { 0 };
    }
    lines.push(speaker, block)
}

impl Driver {
    /// Jobs that write by themselves to where the log goes may tear its lines apart.
    pub(super) fn share_output(&self, plan: &Plan) {
        let commands = plan.jobs.iter().flat_map(|job| job.exec.iter().chain(job.check()));
        if commands.into_iter().any(|command| command.raw) {
            self.log.share();
        }
    }

    /// Reads output, whose lines go to the log as read now.
    pub(super) fn read<R>(&mut self, read: impl FnOnce(&mut Outputs, &mut BlockSink<'_>) -> R) -> R {
        let Self { outputs, log, runs, .. } = self;
        let mut lines = log.lines(SystemTime::now());
        read(outputs, &mut |child, stream, block| deliver(&mut lines, runs, child, stream, block))
    }

    /// Processes of a dead job's group were left.
    pub(super) fn tell_left_behind(&mut self, death: &Death, now: Moment) {
        let Some(run) = self.runs.get(death.id) else { return };
        let command = Arc::clone(&run.command);
        let name = &command.name;
        let at_once = death.status.is_success() && now.since(run.since) < DAEMONISED && !run.is_check;
        // A periodic job may do so for ever. Counting looks at every process, which is not to be done each time either.
        let times = if at_once { self.runs.daemonised(name) } else { 0 };
        if times.is_power_of_two() {
            let how_many = Children::count_group(death.pid).filter(|count| *count > 0);
            let what = how_many.map_or_else(|| "processes".to_owned(), |number| core::count(number, "process"));
            let so_far = if times > 1 { format!(" ({times} times so far)") } else { String::new() };
            warn!(
                "job {name} exited 0 within 1s but left {what} behind: to be supervised it must stay in the foreground\
                 {so_far}"
            );
        } else {
            debug!("{name} left processes behind, which got SIGTERM");
        }
    }

    /// No job lives any more: those whom none of them owns are about to be asked to end. Told once.
    pub(super) fn tell_left_over(&self, signal: Signal) {
        if self.sweeping.is_some() || !self.children.any_left() {
            return;
        }
        if let Some(left) = Children::count_left().filter(|left| *left > 0) {
            let (left, signal) = (core::count(left, "process"), signal.name());
            warn!("left over by jobs: {left}; {signal} to all that is left");
        }
    }

    /// Some output can't be read any more.
    pub(super) fn tell_broken(&mut self) {
        for (child, why) in self.outputs.take_broken() {
            error!("the output of {} can't be read any more: {why}", self.runs.name(child));
        }
    }

    pub(super) fn spawn(&mut self, child: ChildId, slot: Slot) {
        let Some(command) = self.world.command(slot).cloned() else {
            // No world says so; but it must not wait for ever for the end of what never began.
            let failure = SpawnFailure { reason: "no command".to_owned(), exit_code: 126, lacks: None };
            return self.inbox.push_back(Input::SpawnFailed { child, failure });
        };
        let began = self.now();
        let started = match self.world.watched_by(slot) {
            Some((service, instances)) => {
                let mut env = self.env.clone();
                watched::tell(&mut env, service, &instances);
                self.children.spawn(child, &command, &env)
            }
            None => self.children.spawn(child, &command, &self.env),
        };
        let now = self.now();
        let took = now.since(began);
        if took > SLOW_START {
            warn!("the start of {} took {} and held up everything else", command.name, core::elapsed(took));
        }
        match started {
            Ok(started) => {
                debug!(pid = started.pid, "{}.Run start", command.name);
                if !command.pid_variable.is_empty() {
                    self.env.set(command.pid_variable.as_str(), started.pid.to_string());
                }
                if let Slot::Exec(_) = slot {
                    let why = self.world.job(slot.job()).map(core::Job::start_in_words).unwrap_or_default();
                    self.tell_event(&command.name, "start", &format!("pid {} ({why})", started.pid));
                }
                for pipe in started.outputs {
                    if let Err(error) = self.outputs.add(child, pipe) {
                        error!("the output of {} is lost: {error}", command.name);
                    }
                }
                self.runs.add(child, command, started.pid, now, matches!(slot, Slot::Check(_)));
            }
            Err(error) => self.inbox.push_back(Input::SpawnFailed { child, failure: failure_of(&error) }),
        }
    }

    /// Who is told how things stand shall not hear that a job runs whose start has failed already. That is no more news
    /// than a few, nor does it take longer than a turn: one that fails and starts at once again for ever is not waited for.
    pub(super) fn hear_of_failed_starts(&mut self) {
        self.a_turn_of(FAILED_STARTS, |driver| {
            if driver.exit.is_some() {
                return false;
            }
            let failed = driver.inbox.iter().position(|input| matches!(input, Input::SpawnFailed { .. }));
            let Some(input) = failed.and_then(|index| driver.inbox.remove(index)) else { return false };
            driver.step(&input);
            true
        });
    }
}

fn failure_of(error: &SpawnError) -> SpawnFailure {
    SpawnFailure { reason: error.to_string(), exit_code: error.exit_code(), lacks: error.lacks() }
}

//! Everything that can happen to the world.

use serde::{Deserialize, Serialize};

use super::{ChildId, ExitStatus, Instance, JobId, Order, WatchId};
use crate::plan::{Plan, Signal};

/// One thing that happened outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// Everything is ready: jobs may start.
    Start,
    /// We got a signal.
    Signal(Signal),
    /// Maintenance mode is asked for, or its end. Each request is an event, also for what is so already.
    Maintenance(bool),
    /// Everything is to stop, as on SIGTERM: the program can't do what it is for.
    Stop {
        /// Why, for people.
        reason: String,
    },
    /// A child is dead and its output is delivered. Told exactly once for each spawn that succeeded.
    Exited {
        /// Which run.
        child: ChildId,
        /// How it ended.
        status: ExitStatus,
    },
    /// A spawn did not succeed; there is no child.
    SpawnFailed {
        /// Which run.
        child: ChildId,
        /// Why.
        failure: SpawnFailure,
    },
    /// A timer that was armed is due.
    Timer(Timer),
    /// Consul was told that the service is gone, or could not be told: nothing more is done about it.
    Withdrawn {
        /// Whose service.
        job: JobId,
    },
    /// Consul's answer to a watch. An unreachable Consul is no input at all: nothing is known then.
    Seen {
        /// Which watch.
        watch: WatchId,
        /// All healthy instances, in any order.
        instances: Vec<Instance>,
    },
    /// Somebody orders something of all jobs of this name.
    Order {
        /// Their name.
        job: String,
        /// What.
        order: Order,
    },
    /// After [`Effect::Sweep`](super::Effect::Sweep): no process is left but us.
    NothingLeft,
    /// Somebody wants this plan instead: it is read and found good, and will be followed after the quiet period.
    Reload(Box<Plan>),
    /// Who tells Consul of us has begun anew, with another agent or token: it knows our services, and has told nothing.
    ConsulChanged,
}

/// Why a command could not be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnFailure {
    /// For people, in the original's words.
    pub reason: String,
    /// The exit status that stands for it: 127 missing, 126 not to be run.
    pub exit_code: i32,
    /// What was not to be had, if it was for want of something: then it may well succeed a moment later.
    pub lacks: Option<Lack>,
}

/// What a start may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lack {
    /// No more processes may be made.
    Processes,
    /// There is no memory.
    Memory,
    /// No descriptor is free.
    Descriptors,
}

impl Lack {
    /// What helps, as a sentence without a full stop.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Processes => {
                "the limit on processes is reached: raise that of the container (`--pids-limit`, `pids.max` of its cgroup) \
                 or of its user (`ulimit -u`), or let less run"
            }
            Self::Memory => {
                "there is no memory left: raise the container's limit (`--memory`, `memory.max` of its cgroup, \
                 `ulimit -v`), or let less run"
            }
            Self::Descriptors => {
                "the limit on open files is reached: raise that of the container (`--ulimit nofile=`, `ulimit -n`; each \
                 running job and check takes two), or that of the machine (`fs.file-max`)"
            }
        }
    }
}

/// What a timer is for. A timer of a run carries its [`ChildId`], so one that outlived its run is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Timer {
    /// The next period of a periodic job.
    Interval(JobId),
    /// The next health check.
    Heartbeat(JobId),
    /// The end of `when.timeout`.
    Wait(JobId),
    /// The end of the pause before a restart.
    Restart(JobId),
    /// The end of the wait from `stopping` to the first signal, or of a post-stop job's time.
    Stop(JobId),
    /// The end of the wait for Consul to take a stopping job's service out.
    Withdraw(JobId),
    /// The end of the time that a run may take.
    Timeout(ChildId),
    /// The next try of a spawn that failed for lack of something.
    Retry(ChildId),
    /// The end of the grace after SIGTERM.
    Grace(ChildId),
    /// The end of our patience after SIGKILL.
    GiveUp(ChildId),
    /// The end of the grace, and then of the patience, for what no job owns.
    Sweep,
    /// The end of the quiet period before a reload.
    Reload,
}

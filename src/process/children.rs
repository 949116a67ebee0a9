//! The children: spawned, signalled and reaped by one thread without a lock.
//!
//! A pid lives in the table from the spawn to the call that reaps it, so it always names the child that is meant: the
//! kernel gives the number to nobody else while a zombie has it. Outside of this room a child is a [`ChildId`].
//!
//! A death is worked through in one go: see the zombie without reaping it, signal the rest of its group (whose number
//! the zombie still pins), reap it, forget it. Nothing else in the program may wait for a child.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use nix::errno::Errno;

use super::memory::OomKills;
use super::output::OutputPipe;
use super::spawn::Spawner;
use super::spawn_error::SpawnError;
use super::sys::Change;
use super::{guard, proc_table, sys};
use crate::core::{ChildId, ExitStatus};
use crate::env::Environment;
use crate::plan::{CommandSpec, Signal};

/// So many deaths and stops are told by one [`Children::reap`], so that a storm of orphans can't hold up the loop.
const MOST: usize = 4096;
/// How a child ends that KILL ended, or a shell whose command it ended.
const BY_KILL: i32 = 128 + libc::SIGKILL;

/// All our children.
#[derive(Debug)]
pub struct Children {
    spawner: Spawner,
    by_id: BTreeMap<ChildId, Child>,
    by_pid: BTreeMap<i32, ChildId>,
    subreaper: Result<(), Errno>,
    oom_kills: OomKills,
    /// Who got TERM from [`Self::sweep`] and is not reaped yet, unless we are PID 1.
    asked: BTreeSet<i32>,
}

/// An unreaped child, and so also the number of a group.
#[derive(Debug)]
struct Child {
    pid: i32,
    /// Whether the group got KILL; then what is left of it gets KILL as well.
    killed: bool,
}

/// A child that was started.
#[derive(Debug)]
pub struct Spawned {
    /// Its pid, for logs and variables only: signals go by [`ChildId`].
    pub pid: i32,
    /// The read ends of its output, for [`super::Outputs::add`]; none if the command is `raw`.
    pub outputs: Vec<OutputPipe>,
}

/// The end of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Death {
    /// Which one.
    pub id: ChildId,
    /// The pid it had. It may be somebody else's by now.
    pub pid: i32,
    /// How it ended.
    pub status: ExitStatus,
    /// Whether its group had other members. They got TERM and CONT, or KILL if the group was killed before.
    pub left_behind: bool,
    /// Whether it was killed, not by us, and the kernel killed somebody of our memory group for want of memory.
    pub out_of_memory: bool,
}

/// A child that was stopped, by a signal or by reading from a terminal in the background (row 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// Which one.
    pub id: ChildId,
    /// Its pid.
    pub pid: i32,
    /// What stopped it.
    pub signal: Signal,
}

/// What a [`Children::reap`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Children that died.
    pub deaths: Vec<Death>,
    /// Children that were stopped, each told once a stop.
    pub stops: Vec<Stop>,
    /// Children that were stopped, perhaps just now, and run on.
    pub continued: Vec<ChildId>,
    /// The pids that orphans had, processes of others that we adopted.
    pub orphans: Vec<i32>,
    /// Whether there may be more: call again, no signal will ask for it.
    pub more: bool,
}

impl Children {
    /// An empty table. When we aren't PID 1 we ask to adopt orphans ([`Self::adopts_orphans`]); descriptors that we inherited are
    /// kept from children (row 29).
    ///
    /// # Errors
    ///
    /// Out of memory or descriptors.
    pub fn new() -> io::Result<Self> {
        sys::seal_descriptors();
        let subreaper = if sys::is_pid_one() { Ok(()) } else { nix::sys::prctl::set_child_subreaper(true) };
        Ok(Self {
            spawner: Spawner::new()?,
            by_id: BTreeMap::new(),
            by_pid: BTreeMap::new(),
            subreaper,
            oom_kills: OomKills::default(),
            asked: BTreeSet::new(),
        })
    }

    /// Whether orphans of our children come to us; an error deserves a warning (row 21).
    pub fn adopts_orphans(&self) -> io::Result<()> {
        Ok(self.subreaper?)
    }

    /// Starts a command as this child: in a group of its own, with standard input from /dev/null, this environment and
    /// nothing else, PATH looked up in it (v3 §9).
    pub fn spawn(&mut self, id: ChildId, command: &CommandSpec, env: &Environment) -> Result<Spawned, SpawnError> {
        if self.by_id.contains_key(&id) {
            return Err(SpawnError::call("spawn", Errno::EEXIST));
        }
        if guard::is_aborting() {
            return Err(SpawnError::call("spawn", Errno::ECANCELED));
        }
        let (pid, outputs) = self.spawner.spawn(command, env)?;
        self.by_id.insert(id, Child { pid, killed: false });
        self.by_pid.insert(pid, id);
        guard::born(pid);
        self.oom_kills.begin();
        Ok(Spawned { pid, outputs })
    }

    /// Sends one signal to a child's whole group, and says whether somebody got it. `false` for one that was reaped.
    /// TERM doesn't bring CONT with it: that is the caller's to add.
    pub fn signal(&mut self, id: ChildId, signal: Signal) -> bool {
        let Some(child) = self.by_id.get_mut(&id) else { return false };
        child.killed |= signal == Signal::KILL;
        guard::signal_group(child.pid, signal)
    }

    /// The pid of an unreaped child.
    pub fn pid(&self, id: ChildId) -> Option<i32> {
        self.by_id.get(&id).map(|child| child.pid)
    }

    /// How many children of the table are unreaped.
    pub fn count(&self) -> usize {
        self.by_id.len()
    }

    /// Reaps everybody who is dead and tells who was stopped. To be called on every [`super::Received::Child`], after
    /// [`super::Signals::listen`] and before sleeping for the first time (row 3).
    pub fn reap(&mut self) -> Reaped {
        let mut reaped = Reaped { more: true, ..Reaped::default() };
        let mut oom = None;
        let mut stops = false;
        for _ in 0..MOST {
            // The dead first: a stop can be made again and again.
            let dead = if stops { sys::any_dead() } else { Ok(None) };
            let changed = if let Ok(None) = dead { sys::any_changed() } else { dead };
            let went_on = match changed {
                Ok(Some((pid, Change::Dead(status)))) => self.bury(pid, status, &mut oom, &mut reaped),
                Ok(Some((pid, _))) => {
                    stops = true;
                    self.note_stop(pid, &mut reaped)
                }
                Ok(None) | Err(_) => false,
            };
            if !went_on {
                reaped.more = false;
                break;
            }
        }
        reaped
    }

    /// Works through a death. `oom` is one look for all who died together. `false` if the zombie can't be buried: it would come
    /// again and again.
    fn bury(&mut self, pid: i32, status: ExitStatus, oom: &mut Option<bool>, reaped: &mut Reaped) -> bool {
        // Taken out before the burial frees the number (row 9).
        self.asked.remove(&pid);
        let Some(id) = self.by_pid.remove(&pid) else {
            let buried = guard::bury(pid);
            reaped.orphans.extend(buried.then_some(pid));
            return buried;
        };
        // Whoever is dead is not stopped.
        reaped.stops.retain(|stop| stop.id != id);
        reaped.continued.retain(|other| *other != id);
        let killed = self.by_id.remove(&id).is_some_and(|child| child.killed);
        let (left_behind, buried) = finish_group(pid, killed);
        let suspect = !killed && status.shell_code() == BY_KILL;
        let out_of_memory = suspect && *oom.get_or_insert_with(|| self.oom_kills.more());
        reaped.deaths.push(Death { id, pid, status, left_behind, out_of_memory });
        buried
    }

    /// Notes that somebody was stopped, or goes on. `false` if that can't be noted.
    fn note_stop(&mut self, pid: i32, reaped: &mut Reaped) -> bool {
        let Ok(change) = sys::note_stop(pid) else { return false };
        // Between two looks it may have become another.
        if let (Some(&id), Some((_, change))) = (self.by_pid.get(&pid), change) {
            match change {
                Change::Stopped(signal) => {
                    reaped.continued.retain(|other| *other != id);
                    reaped.stops.push(Stop { id, pid, signal });
                }
                Change::Continued => reaped.continued.push(id),
                Change::Dead(_) => {}
            }
        }
        true
    }

    /// Whether we have any child at all, adopted orphans and zombies included.
    pub fn any_left(&self) -> bool {
        sys::any_dead() != Err(Errno::ECHILD)
    }

    /// Sends one signal to everything but us, TERM with CONT behind it. As PID 1 that is everything in the pid
    /// namespace. Else it is the groups of our children and, where /proc is mounted, the orphans that we adopted with the
    /// groups they lead: what hangs deeper is adopted when its parent dies, so a stop asks again after each death until
    /// [`Self::any_left`] says no. Nobody gets TERM twice: a second one means haste to many programs.
    pub fn sweep(&mut self, signal: Signal) {
        if signal != Signal::TERM {
            guard::signal_everything_else(signal, |_| true);
            return;
        }
        let mut asked = std::mem::take(&mut self.asked);
        guard::signal_everything_else(Signal::TERM, |pid| asked.insert(pid));
        guard::signal_everything_else(Signal::CONT, |_| true);
        self.asked = asked;
    }

    /// How many of the living are left for [`Self::sweep`], where /proc is mounted: as PID 1 all but who came in from outside,
    /// else the orphans that came to us. Who is dying already is not.
    pub fn count_left() -> Option<usize> {
        let (own, all) = (sys::own_pid(), sys::is_pid_one());
        let is_left = |entry: &proc_table::Entry| {
            let ours = if all { entry.pid != own && entry.parent != 0 } else { entry.parent == own };
            ours && !entry.zombie && !entry.dying
        };
        Some(proc_table::scan()?.iter().filter(|entry| is_left(entry)).count())
    }

    /// The living processes of a group, where /proc is mounted. For telling how many a [`Death`] left behind; they may
    /// be dying of their TERM. Looks at every process: not for every death.
    pub fn count_group(pid: i32) -> Option<usize> {
        let members = proc_table::scan()?;
        Some(members.iter().filter(|entry| entry.group == pid && !entry.zombie).count())
    }
}

/// Signals what is left of a zombie's group and buries it. Says whether something was left, and whether it is buried.
fn finish_group(pid: i32, killed: bool) -> (bool, bool) {
    let last_words: &[Signal] = if killed { &[Signal::KILL] } else { &[Signal::TERM, Signal::CONT] };
    for signal in last_words {
        let _ = sys::kill(-pid, Some(*signal));
    }
    let buried = guard::bury(pid);
    // While the zombie was in it, the group could not be told from an empty one. Members keep the number from being
    // given away, and nobody can have got it since the line above but by a full turn of all pids; it is only a question.
    (sys::kill(-pid, None) != Err(Errno::ESRCH), buried)
}

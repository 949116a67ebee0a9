//! The output of children: many pipes, few polls, whole lines.
//!
//! All pipes are in one epoll of our own, and only that is registered with the runtime: a task and a registration for
//! each pipe cost four times the memory (design §9). An idle pipe costs an entry of a map; one buffer serves all.
//!
//! The epoll is level-triggered and hands out as many pipes as will be read, so that the kernel's list turns: a pipe
//! that floods gets one read of 16 KiB, then waits for all others that have something (design §9: 16 KiB is the
//! measured optimum).
//!
//! When the sink has no room, reading stops, the pipes fill and their writers wait: that is the back-pressure. The caller
//! then doesn't wait for [`Outputs::ready`], which would be true at once, but for room in its sink.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::lines::{Flow, Lines};
use super::sys;
use crate::block::Block;
use crate::core::ChildId;
use crate::errno::go_words;

/// Bytes of one read.
const CHUNK: usize = 16 * 1024;

/// What a read takes from the budget at least, in bytes.
const LEAST: usize = 256;

/// What is read of a dead child's pipe at most, in bytes: as much as a pipe holds, unless a privileged process made it
/// larger. There is more if somebody goes on writing.
const LAST: usize = 1024 * 1024;

/// A pipe that can't be read so many times in a row is given up. No pipe does that by itself; but a job must not die of
/// SIGPIPE because a kernel, or what stands before it, said no once.
const TRIES: usize = 8;

/// Pipes of one poll, at most.
const EVENTS: usize = 64;

/// Which descriptor of the child the bytes were written to, if it didn't move them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

/// The end of a child's output that we read.
#[derive(Debug)]
pub struct OutputPipe {
    /// Doesn't block.
    pub(super) fd: OwnedFd,
    pub(super) stream: Stream,
}

/// Takes what a child has written to one of its streams, and says how many bytes of it it took: whole lines. What it did not
/// take comes again.
pub type BlockSink<'a> = dyn FnMut(ChildId, Stream, Block<'_>) -> usize + 'a;

/// What a pump did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pumped {
    /// So many bytes were read.
    pub bytes: usize,
    /// The sink had no room: pump again when it has.
    pub full: bool,
    /// It read, and ended before a poll found nothing: there may be more at once. Who is always told so must let the runtime look
    /// between two pumps, since [`Outputs::ready`] then never waits, and nothing else would be heard of.
    pub more: bool,
}

/// What a release found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Released {
    /// Whether somebody still held a pipe open: a process that outlived the child.
    pub still_open: bool,
    /// So many bytes were dropped, from the pipes too, because the sink had no room. What such a process goes on to
    /// write is not among them.
    pub lost_bytes: usize,
}

/// The output pipes of all children.
#[derive(Debug)]
pub struct Outputs {
    epoll: AsyncFd<OwnedFd>,
    /// By child and stream: an id is never used twice, so neither is a key.
    pipes: BTreeMap<u64, Pipe>,
    /// Keys of pipes whose lines found no room, longest waiting first.
    stalled: VecDeque<u64>,
    /// Whose output can't be read any more, and why; nobody has been told yet.
    broken: Vec<(ChildId, Errno)>,
    /// Made by the first read: who never says a word costs no memory.
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Pipe {
    /// `None` at the end of the stream, when only lines remain to be delivered.
    fd: Option<OwnedFd>,
    lines: Lines,
    stalled: bool,
}

fn key(id: ChildId, stream: Stream) -> u64 {
    (id.0 << 1) | u64::from(stream == Stream::Stderr)
}

fn owner(key: u64) -> (ChildId, Stream) {
    (ChildId(key >> 1), if key & 1 == 1 { Stream::Stderr } else { Stream::Stdout })
}

fn keys(id: ChildId) -> [u64; 2] {
    [key(id, Stream::Stdout), key(id, Stream::Stderr)]
}

impl Outputs {
    /// No pipes yet. Needs a runtime with I/O.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: sys::watch(sys::epoll_create()?)?,
            pipes: BTreeMap::new(),
            stalled: VecDeque::new(),
            broken: Vec::new(),
            buffer: Vec::new(),
        })
    }

    /// Takes a pipe of this child.
    ///
    /// # Errors
    ///
    /// Out of memory or watches; the pipe is then closed, and its writer will get SIGPIPE.
    pub fn add(&mut self, id: ChildId, pipe: OutputPipe) -> io::Result<()> {
        let key = key(id, pipe.stream);
        sys::epoll_add(self.epoll.get_ref(), &pipe.fd, key)?;
        self.pipes.insert(key, Pipe { fd: Some(pipe.fd), lines: Lines::default(), stalled: false });
        Ok(())
    }

    /// Waits until [`Self::pump`] has something to do. Cancel-safe. Not to be waited for while the sink is full.
    pub async fn ready(&self) -> io::Result<()> {
        // What was ready stays so until a poll finds nothing.
        self.epoll.readable().await.map(|mut guard| guard.retain_ready())
    }

    /// Reads what is there, about `budget` bytes at most, and delivers whole lines, those first that found no room
    /// before. To be called when [`Self::ready`] said so, or when the sink has room again.
    pub fn pump(&mut self, budget: usize, sink: &mut BlockSink<'_>) -> Pumped {
        let mut pumped = Pumped::default();
        while let Some(key) = self.stalled.front().copied() {
            if self.unstall(key, sink) == Flow::Full {
                pumped.full = true;
                return pumped;
            }
        }
        let (mut spent, mut trickles) = (0, 0);
        pumped.more = true;
        // Who writes line by line as fast as he can is read in few large pieces, if he is left alone now and then: when nobody else
        // waits, and there was little twice.
        while spent < budget && trickles < 2 {
            let mut events = [sys::NO_EVENT; EVENTS];
            let wanted = (budget - spent).div_ceil(CHUNK).min(EVENTS);
            let polled = self.epoll.try_io(Interest::READABLE, |epoll| {
                match sys::epoll_now(epoll, events.get_mut(..wanted).unwrap_or_default())? {
                    0 => Err(io::ErrorKind::WouldBlock.into()),
                    count => Ok(count),
                }
            });
            let Ok(count) = polled else {
                pumped.more = false;
                break;
            };
            let mut is_trickle = count < wanted;
            for event in events.iter().take(count) {
                let (bytes, flow) = self.read(event.u64, sink);
                is_trickle &= bytes < CHUNK;
                pumped.bytes += bytes;
                // A short line costs a read as well, and the end of a stream has no bytes at all.
                spent += bytes.max(LEAST);
                if flow == Flow::Full {
                    pumped.full = true;
                    return pumped;
                }
            }
            trickles += usize::from(is_trickle);
        }
        pumped
    }

    /// Like [`Self::pump`], but for this child alone and without a poll: after its death all of its output is there to be
    /// read, and its end need not wait for the turn of others.
    pub fn pump_child(&mut self, id: ChildId, budget: usize, sink: &mut BlockSink<'_>) -> Pumped {
        let mut pumped = Pumped::default();
        for key in keys(id) {
            let (bytes, flow) = self.pump_pipe(key, budget.saturating_sub(pumped.bytes), sink);
            pumped.bytes += bytes;
            pumped.full |= flow == Flow::Full;
        }
        pumped
    }

    /// Whether all pipes of this child have ended and all lines were delivered. Also for a child without pipes.
    pub fn drained(&self, id: ChildId) -> bool {
        keys(id).iter().all(|key| !self.pipes.contains_key(key))
    }

    /// Reads what is left, delivers it, a last partial line too, and closes the pipes of this child. A sink without room
    /// loses the rest; the count is in the answer.
    pub fn release(&mut self, id: ChildId, sink: &mut BlockSink<'_>) -> Released {
        let mut released = Released::default();
        for key in keys(id) {
            let (_, flow) = self.pump_pipe(key, LAST, sink);
            let Some(mut pipe) = self.pipes.remove(&key) else { continue };
            self.stalled.retain(|stalled| *stalled != key);
            if let Some(fd) = pipe.fd.take() {
                // Without a refusal all that there was is read, but for what somebody goes on to write.
                let (bytes, open) = if flow == Flow::Full { self.throw_away(&fd) } else { (0, true) };
                released.lost_bytes += bytes;
                released.still_open |= open;
            }
            if pipe.lines.finish(&mut to_blocks(key, sink)) == Flow::Full {
                released.lost_bytes += pipe.lines.len();
            }
        }
        released
    }

    /// Whose output could not be read since the last call, and why in words: that pipe was closed, what was in it is lost,
    /// and its writer gets SIGPIPE.
    pub fn take_broken(&mut self) -> Vec<(ChildId, String)> {
        self.broken.drain(..).map(|(child, why)| (child, go_words(why))).collect()
    }

    /// Reads what is in a pipe and drops it. Gives the number of bytes, and whether somebody can still write.
    fn throw_away(&mut self, fd: &OwnedFd) -> (usize, bool) {
        let (buffer, mut dropped) = (ready(&mut self.buffer), 0);
        while dropped < LAST {
            match read(fd, buffer) {
                Err(Errno::EAGAIN) => return (dropped, true),
                Ok(0) | Err(_) => return (dropped, false),
                Ok(bytes) => dropped += bytes,
            }
        }
        (dropped, true)
    }

    /// Reads one pipe until it is empty, the sink is full, or about so many bytes were read.
    fn pump_pipe(&mut self, key: u64, budget: usize, sink: &mut BlockSink<'_>) -> (usize, Flow) {
        let (mut total, mut flow) = (0, self.unstall(key, sink));
        while flow == Flow::Taken && total < budget {
            let bytes;
            (bytes, flow) = self.read(key, sink);
            total += bytes;
            if bytes == 0 {
                break;
            }
        }
        (total, flow)
    }

    /// Tries the lines of a stalled pipe again. `Taken` for one that isn't.
    fn unstall(&mut self, key: u64, sink: &mut BlockSink<'_>) -> Flow {
        let Some(pipe) = self.pipes.get_mut(&key).filter(|pipe| pipe.stalled) else { return Flow::Taken };
        let flow = pipe.lines.resume(&mut to_blocks(key, sink));
        if flow == Flow::Taken {
            pipe.stalled = false;
            let ended = pipe.fd.is_none();
            self.stalled.retain(|stalled| *stalled != key);
            if ended {
                self.pipes.remove(&key);
            }
        }
        flow
    }

    /// One read of one pipe.
    fn read(&mut self, key: u64, sink: &mut BlockSink<'_>) -> (usize, Flow) {
        let Some(pipe) = self.pipes.get_mut(&key) else { return (0, Flow::Taken) };
        let Some(fd) = pipe.fd.as_ref().filter(|_| !pipe.stalled) else { return (0, Flow::Taken) };
        let (buffer, sink) = (ready(&mut self.buffer), &mut to_blocks(key, sink));
        let (bytes, flow) = match read(fd, buffer) {
            Err(Errno::EAGAIN) => return (0, Flow::Taken),
            ended @ (Ok(0) | Err(_)) => {
                self.broken.extend(ended.err().map(|why| (owner(key).0, why)));
                pipe.fd = None;
                (0, pipe.lines.finish(sink))
            }
            Ok(bytes) => (bytes, pipe.lines.feed(buffer.get(..bytes).unwrap_or_default(), sink)),
        };
        if flow == Flow::Full {
            pipe.stalled = true;
            self.stalled.push_back(key);
        } else if pipe.fd.is_none() {
            self.pipes.remove(&key);
        }
        (bytes, flow)
    }
}

/// The buffer in its full size: a read into none would look like the end of a stream.
fn ready(buffer: &mut Vec<u8>) -> &mut [u8] {
    buffer.resize(CHUNK, 0);
    buffer
}

/// One read of a pipe, as often as it takes. `EAGAIN` for one that is empty.
fn read(fd: &OwnedFd, buffer: &mut [u8]) -> nix::Result<usize> {
    let mut result = Err(Errno::EAGAIN);
    for _ in 0..TRIES {
        result = nix::unistd::read(fd, buffer);
        if matches!(result, Ok(_) | Err(Errno::EAGAIN)) {
            break;
        }
    }
    result
}

/// The sink of one pipe.
fn to_blocks<'a>(key: u64, sink: &'a mut BlockSink<'_>) -> impl FnMut(Block<'_>) -> usize + 'a {
    let (id, stream) = owner(key);
    move |block| sink(id, stream, block)
}

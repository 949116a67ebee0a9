//! Bytes to lines: a pure splitter that keeps what the sink has no room for.
//!
//! As the original's scanner: a line ends with LF, one CR before it is not part of it, and neither is at the end of the
//! stream. Otherwise bytes are kept, whatever they are. A line over [`LONGEST`] comes in pieces, all but the last marked as cut, where
//! the original stopped reading for ever (v3 §9, design §4 row 13).

use crate::block::Block;

/// The longest line, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// Takes lines, and says how many bytes of them it took: whole lines, in their order. What it did not take is kept and comes
/// again; nothing more is read before all of it is taken.
pub(super) type BlockSink<'a> = dyn FnMut(Block<'_>) -> usize + 'a;

/// Whether all that there was has been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "lines that found no room must be kept"]
pub(super) enum Flow {
    /// Everything was taken.
    Taken,
    /// There was no room for all of it.
    Full,
}

/// The splitter of one stream. Takes no memory while there is no partial line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// What was read and not delivered: a partial line, or lines that found no room.
    held: Vec<u8>,
    /// Whether the stream has ended, so that a partial line is a line.
    ended: bool,
}

impl Lines {
    /// Delivers the lines that end in this chunk and keeps the rest. To be called only when nothing is stalled, since
    /// what is held is then known to have no line end.
    pub fn feed(&mut self, chunk: &[u8], sink: &mut BlockSink<'_>) -> Flow {
        if self.held.is_empty() {
            let (used, flow) = deliver(chunk, 0, self.ended, sink);
            self.held.extend_from_slice(chunk.get(used..).unwrap_or_default());
            return flow;
        }
        let searched = self.held.len();
        self.held.extend_from_slice(chunk);
        self.deliver_held(searched, sink)
    }

    /// Delivers what found no room before.
    pub fn resume(&mut self, sink: &mut BlockSink<'_>) -> Flow {
        self.deliver_held(0, sink)
    }

    /// The stream has ended: delivers everything.
    pub fn finish(&mut self, sink: &mut BlockSink<'_>) -> Flow {
        self.ended = true;
        self.deliver_held(0, sink)
    }

    /// So many bytes are not delivered yet.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    fn deliver_held(&mut self, searched: usize, sink: &mut BlockSink<'_>) -> Flow {
        let (used, flow) = deliver(&self.held, searched, self.ended, sink);
        self.held.drain(..used.min(self.held.len()));
        // An idle stream gives its memory back; a partial line keeps about its own size.
        if self.held.is_empty() {
            self.held = Vec::new();
        } else if self.held.capacity() > 512 + 2 * self.held.len() {
            self.held.shrink_to_fit();
        }
        flow
    }
}

/// Delivers lines from the front of `data`, whose first `searched` bytes are known to have no LF. Says how many bytes were taken.
fn deliver(data: &[u8], searched: usize, ended: bool, sink: &mut BlockSink<'_>) -> (usize, Flow) {
    let mut used = 0;
    let mut searched = searched;
    while let Some(block) = next(data.get(used..).unwrap_or_default(), std::mem::take(&mut searched), ended) {
        let length = block.bytes().len();
        let taken = sink(block).min(length);
        used += taken;
        if taken < length {
            return (used, Flow::Full);
        }
    }
    (used, Flow::Taken)
}

/// What can be delivered of the front of `rest`: as many whole lines as [`LONGEST`] bytes have, else one line, else a piece of one.
fn next(rest: &[u8], searched: usize, ended: bool) -> Option<Block<'_>> {
    let window = rest.get(..LONGEST).unwrap_or(rest);
    let searched = searched.min(window.len());
    if let Some(last) = memchr::memrchr(b'\n', window.get(searched..)?) {
        return rest.get(..=searched + last).map(Block::of);
    }
    // No line ends within the longest.
    let end = memchr::memchr(b'\n', rest.get(LONGEST..).unwrap_or_default()).map(|at| LONGEST + at + 1);
    let line = match end {
        Some(end) => rest.get(..end)?,
        // One more than the longest may still be a line with its CR.
        None if rest.len() > LONGEST + 1 || (ended && !rest.is_empty()) => rest,
        None => return None,
    };
    let is_whole = end.is_some() || ended;
    let text = if is_whole { Block::of(line).lines().next().map_or(line, |(text, _)| text) } else { line };
    Some(if text.len() > LONGEST { Block::piece(cut_between_characters(text)) } else { Block::of(line) })
}

/// The first [`LONGEST`] bytes, or up to three fewer where that would tear a character of UTF-8 apart.
fn cut_between_characters(line: &[u8]) -> &[u8] {
    let full = line.get(..LONGEST).unwrap_or(line);
    for back in 1..=3 {
        let Some((front, tail)) = full.split_at_checked(full.len().saturating_sub(back)) else { break };
        match tail.first().map(|byte| byte.leading_ones() as usize) {
            Some(1) => {}
            Some(length @ 2..=4) if length > back => return front,
            _ => break,
        }
    }
    full
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds chunks to a sink that takes all, or refuses so many times and then takes one line.
    fn split(chunks: &[&[u8]], refusals: usize) -> Vec<(Vec<u8>, bool)> {
        let mut lines = Lines::default();
        let mut got = Vec::new();
        let mut refused = 0;
        let mut sink = |block: Block<'_>| {
            if refused < refusals {
                refused += 1;
                return 0;
            }
            refused = 0;
            let most = if refusals == 0 { usize::MAX } else { 1 };
            let mut taken = 0;
            for (line, end) in block.lines().take(most) {
                got.push((line.to_vec(), block.is_cut()));
                taken = end;
            }
            taken
        };
        for chunk in chunks {
            let mut flow = lines.feed(chunk, &mut sink);
            while flow == Flow::Full {
                flow = lines.resume(&mut sink);
            }
        }
        while lines.finish(&mut sink) == Flow::Full {}
        assert_eq!(lines.len(), 0);
        assert_eq!(lines.held.capacity(), 0);
        got
    }

    fn whole(lines: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        lines.iter().map(|line| (line.to_vec(), false)).collect()
    }

    #[test]
    fn lines_end_with_lf_or_crlf_or_the_stream() {
        assert_eq!(split(&[b"a\nb\r\n\n\r\nc\r\r\nd\re"], 0), whole(&[b"a", b"b", b"", b"", b"c\r", b"d\re"]));
        assert_eq!(split(&[b"a", b"b\r", b"\nlast\r"], 0), whole(&[b"ab", b"last"]));
        assert_eq!(split(&[b"\xff\0\x1b[1m\n"], 0), whole(&[b"\xff\0\x1b[1m"]));
        assert_eq!(split(&[], 0), whole(&[]));
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_not_cut() {
        let line = vec![b'x'; LONGEST];
        for end in [&b"\n"[..], b"\r\n", b"", b"\r"] {
            assert_eq!(split(&[&line, end], 0), whole(&[&line]), "{end:?}");
            assert_eq!(split(&[&[&line[..], end].concat()], 1), whole(&[&line]), "{end:?}");
        }
    }

    #[test]
    fn a_longer_line_comes_in_marked_pieces() {
        let line = vec![b'x'; 2 * LONGEST + 1];
        let pieces = vec![(vec![b'x'; LONGEST], true), (vec![b'x'; LONGEST], true), (b"x".to_vec(), false)];
        assert_eq!(split(&[&line, b"\n"], 0), pieces);
        assert_eq!(split(&line.chunks(1000).collect::<Vec<_>>(), 3), pieces);
    }

    #[test]
    fn a_cut_does_not_tear_a_character() {
        for (character, prefix) in [("ä", 1), ("€", 1), ("€", 2), ("😀", 3), ("😀", 1)] {
            let mut line = vec![b'x'; LONGEST - prefix];
            line.extend_from_slice(character.as_bytes());
            line.extend_from_slice(b"yyyy");
            let got = split(&[&line], 0);
            assert_eq!(got[0].0.len(), LONGEST - prefix);
            assert!(String::from_utf8(got[1].0.clone()).unwrap().starts_with(character));
        }
        // What is no UTF-8 anyway is cut at the limit.
        let line = vec![0xbf; LONGEST + 9];
        assert_eq!(split(&[&line], 0)[0].0.len(), LONGEST);
    }

    proptest! {
        #[test]
        fn nothing_depends_on_the_chunks_or_on_the_room(
            // Mostly line ends, so that they meet the borders of chunks.
            data in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            size in 1_usize..40,
            refusals in 0_usize..3,
        ) {
            let expected = split(&[&data], 0);
            prop_assert_eq!(&split(&data.chunks(size).collect::<Vec<_>>(), refusals), &expected);
            let ends = data.split(|byte| *byte == b'\n').count() - 1;
            let partial = usize::from(data.last().is_some_and(|byte| *byte != b'\n'));
            prop_assert_eq!(expected.len(), ends + partial);
            let blocks = Block::of(&data);
            let ends: Vec<usize> = blocks.lines().map(|(_, end)| end).collect();
            prop_assert_eq!(ends.last().copied().unwrap_or_default(), data.len());
            for end in ends {
                let (front, all) = (blocks.up_to(end).lines(), blocks.lines());
                prop_assert!(front.zip(all).all(|(one, other)| one == other));
            }
        }
    }
}

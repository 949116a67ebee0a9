//! Formatted lines in one piece of memory.

use super::format::Formatter;
use super::record::Record;
use crate::block::Block;

/// Lines one after the other, and where each ends.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The beginning of the first line has been written already.
    begun: bool,
}

impl Batch {
    /// Appends a record.
    pub(super) fn push(&mut self, formatter: &mut Formatter, record: &Record<'_>) {
        formatter.write(record, &mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Appends lines, all of which the record is but for the message, as long as they began within so many bytes more. Says how
    /// many bytes of the block those are.
    pub(super) fn push_block(
        &mut self,
        formatter: &mut Formatter,
        record: &Record<'_>,
        block: Block<'_>,
        room: usize,
    ) -> usize {
        let limit = self.bytes.len().saturating_add(room);
        let has_frame = formatter.begin(record);
        if has_frame && let Some(before) = formatter.all_but_the_message(record) {
            return self.push_behind(before, block, limit);
        }
        let mut taken = 0;
        for (message, end) in block.lines() {
            if self.bytes.len() >= limit {
                break;
            }
            let record = Record { message, ..*record };
            if has_frame {
                formatter.go_on(&record, &mut self.bytes);
            } else {
                formatter.write(&record, &mut self.bytes);
            }
            self.ends.push(self.bytes.len());
            taken = end;
        }
        taken
    }

    /// Likewise, where each line is this and the message.
    fn push_behind(&mut self, before: &[u8], block: Block<'_>, limit: usize) -> usize {
        let mut taken = 0;
        for (message, end) in block.lines() {
            if self.bytes.len() >= limit {
                break;
            }
            self.bytes.extend_from_slice(before);
            match block.bytes().get(taken..end) {
                // Its newline with it, which is mostly all that it has behind it.
                Some(whole) if whole.len() == message.len() + 1 && whole.ends_with(b"\n") => {
                    self.bytes.extend_from_slice(whole);
                }
                _ => {
                    self.bytes.extend_from_slice(message);
                    self.bytes.push(b'\n');
                }
            }
            self.ends.push(self.bytes.len());
            taken = end;
        }
        taken
    }

    /// The bytes of all lines.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How many lines.
    pub(super) fn lines(&self) -> u64 {
        self.ends.len() as u64
    }

    /// How many lines are complete within the first `written` bytes, and whether one more has begun.
    pub(super) fn complete_within(&self, written: usize) -> (u64, bool) {
        let complete = self.ends.partition_point(|end| *end <= written);
        let end = complete.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0);
        (complete as u64, written > end || (complete == 0 && self.begun))
    }

    /// All bytes, cut between lines so that a piece has at most `most` bytes; a longer line is a piece of its own.
    pub(super) fn chunks(&self, most: usize) -> impl Iterator<Item = &[u8]> {
        let mut start = 0_usize;
        let mut next = 0_usize;
        std::iter::from_fn(move || {
            let first = *self.ends.get(next)?;
            let limit = start.saturating_add(most);
            let rest = self.ends.get(next..)?;
            let fitting = rest.partition_point(|end| *end <= limit);
            let end = fitting.checked_sub(1).and_then(|last| rest.get(last)).copied().unwrap_or(first);
            next += fitting.max(1);
            let chunk = self.bytes.get(start..end);
            start = end;
            chunk
        })
    }

    /// Forgets the first bytes, which are written.
    pub(super) fn skip(&mut self, written: usize) {
        let complete = self.ends.partition_point(|end| *end <= written);
        let begun =
            complete.checked_sub(1).and_then(|last| self.ends.get(last)).map_or(written > 0, |end| *end < written);
        self.begun = begun || (complete == 0 && self.begun);
        self.ends.drain(..complete);
        for end in &mut self.ends {
            *end -= written;
        }
        self.bytes.drain(..written.min(self.bytes.len()));
    }

    /// Bytes of memory that lines have room in.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// Makes it empty; keeps at most `keep` bytes of memory.
    pub(super) fn clear(&mut self, keep: usize) {
        self.bytes.clear();
        self.ends.clear();
        self.begun = false;
        self.bytes.shrink_to(keep);
        self.ends.shrink_to(keep / 64);
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use proptest::prelude::*;

    use super::*;
    use crate::log::{Origin, Zone};
    use crate::plan::LogFormat;

    fn batch(lines: &[usize]) -> Batch {
        let mut formatter = Formatter::new(LogFormat::Default, None, Zone::utc());
        let mut batch = Batch::default();
        for length in lines {
            batch.push(&mut formatter, &Record::line(UNIX_EPOCH, Origin::Own, None, &vec![b'x'; *length]));
        }
        batch
    }

    proptest! {
        #[test]
        fn chunks_are_all_the_bytes_cut_between_lines(lines in prop::collection::vec(0_usize..200, 0..40), most in 1_usize..600) {
            let batch = batch(&lines);
            let chunks: Vec<&[u8]> = batch.chunks(most).collect();
            prop_assert_eq!(chunks.concat(), batch.bytes.clone());
            for chunk in chunks {
                prop_assert!(chunk.ends_with(b"\n"));
                let lines = chunk.split_inclusive(|b| *b == b'\n').count();
                prop_assert!(chunk.len() <= most || lines == 1);
            }
        }

        #[test]
        fn a_block_is_written_as_its_lines_would_be_one_by_one(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'x'), any::<u8>()], 0..200),
            cut: bool,
            format in prop_oneof![Just(LogFormat::Default), Just(LogFormat::Text), Just(LogFormat::Json)],
            origin in prop_oneof![Just(Origin::Job("web")), Just(Origin::Check("check.web")), Just(Origin::Own)],
            room in 0_usize..3000,
        ) {
            let record = Record::line(UNIX_EPOCH, origin, Some(7), b"");
            let block = if cut { Block::piece(&bytes) } else { Block::of(&bytes) };
            let mut formatter = Formatter::new(format, None, Zone::utc());
            let (mut alone, mut taken) = (Batch::default(), 0);
            for (message, end) in block.lines() {
                if alone.len() >= room {
                    break;
                }
                alone.push(&mut formatter, &Record { message, ..record });
                taken = end;
            }
            let mut batch = Batch::default();
            prop_assert_eq!(batch.push_block(&mut formatter, &record, block, room), taken);
            prop_assert_eq!(batch.bytes, alone.bytes);
            prop_assert_eq!(batch.ends, alone.ends);
        }

        #[test]
        fn what_is_written_in_pieces_is_counted_as_in_one(
            lines in prop::collection::vec(0_usize..50, 0..20), pieces in prop::collection::vec(0_usize..400, 0..5), last in 0_usize..400
        ) {
            let whole = batch(&lines);
            let mut rest = batch(&lines);
            let mut written = 0;
            for piece in pieces {
                let piece = piece.min(rest.len());
                rest.skip(piece);
                written += piece;
            }
            let last = last.min(rest.len());
            let (complete, torn) = whole.complete_within(written + last);
            let (before, _) = whole.complete_within(written);
            prop_assert_eq!(rest.complete_within(last), (complete - before, torn));
            prop_assert_eq!(rest.lines(), whole.lines() - before);
            prop_assert_eq!(&rest.bytes[..], &whole.bytes[written..]);
        }

        #[test]
        fn what_is_complete_is_counted(lines in prop::collection::vec(0_usize..50, 0..20), written in 0_usize..2000) {
            let batch = batch(&lines);
            let written = written.min(batch.len());
            let (complete, torn) = batch.complete_within(written);
            let bytes = batch.bytes.get(..written).unwrap();
            prop_assert_eq!(complete, bytes.split(|b| *b == b'\n').skip(1).count() as u64);
            prop_assert_eq!(torn, !bytes.is_empty() && !bytes.ends_with(b"\n"));
        }
    }
}

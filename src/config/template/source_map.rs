//! From the rendered text back to the source.

use std::ops::Range;

use crate::config::diagnostic::Span;

/// Where each byte of a rendered text came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceMap {
    /// In the order of the rendered text, without gaps.
    pieces: Vec<Piece>,
}

/// A run of rendered bytes of one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    /// Where it ends in the rendered text.
    end: usize,
    /// The literal text or the action that made it.
    source: Span,
    /// Literal text: its bytes correspond one to one.
    literal: bool,
}

impl SourceMap {
    /// Maps a range of bytes of the rendered text to bytes of the source.
    ///
    /// Literal text maps exactly; text that an action made maps to the whole action, `{{…}}`. A range over several
    /// pieces maps to the smallest span that holds them. Beyond the end, the end counts.
    pub fn source_span(&self, rendered: Range<usize>) -> Span {
        let first = self.pieces.partition_point(|piece| piece.end <= rendered.start);
        let last = if rendered.end <= rendered.start {
            first
        } else {
            self.pieces.partition_point(|piece| piece.end < rendered.end)
        };
        let mut result: Option<Span> = None;
        for index in first..=last.max(first) {
            let Some(piece) = self.pieces.get(index) else { break };
            let begin = index.checked_sub(1).and_then(|before| self.pieces.get(before)).map_or(0, |before| before.end);
            let span = piece.span_of(begin, &rendered);
            result =
                Some(result.map_or(span, |so_far| Span {
                    start: so_far.start.min(span.start),
                    end: so_far.end.max(span.end),
                }));
        }
        result.unwrap_or_else(|| {
            let end = self.pieces.last().map_or(0, |piece| piece.source.end);
            Span { start: end, end }
        })
    }

    /// Notes that the rendered text now ends at `end`, and what made the bytes since the piece before.
    pub(super) fn push(&mut self, end: usize, source: Span, literal: bool) {
        let begin = self.pieces.last().map_or(0, |piece| piece.end);
        if end <= begin {
            return;
        }
        match self.pieces.last_mut() {
            Some(last) if !literal && !last.literal && last.source == source => last.end = end,
            _ => self.pieces.push(Piece { end, source, literal }),
        }
    }

    /// The same map for a text whose invalid bytes became U+FFFD. `moved` gives the new offset of an old one and
    /// never goes back.
    pub(super) fn shifted(mut self, mut moved: impl FnMut(usize) -> usize) -> Self {
        let (mut old, mut new) = (0, 0);
        for piece in &mut self.pieces {
            let (old_length, end) = (piece.end - old, moved(piece.end).max(new));
            old = piece.end;
            piece.end = end;
            // A literal with invalid bytes no longer corresponds byte by byte.
            piece.literal = piece.literal && end - new == old_length;
            new = end;
        }
        self
    }
}

impl Piece {
    /// The source of that part of `rendered` that lies in this piece, which begins at `begin`.
    fn span_of(&self, begin: usize, rendered: &Range<usize>) -> Span {
        if !self.literal {
            return self.source;
        }
        let into = |offset: usize| self.source.start + offset.clamp(begin, self.end) - begin;
        Span { start: into(rendered.start), end: into(rendered.end.max(rendered.start)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    /// `ab{{ 12345 }}cd`: 0..2, the action 2..13, 13..15.
    fn map() -> SourceMap {
        let mut map = SourceMap::default();
        map.push(2, span(0, 2), true);
        map.push(7, span(2, 13), false);
        map.push(9, span(13, 15), true);
        map
    }

    #[test]
    fn literal_text_maps_exactly_and_an_action_as_a_whole() {
        assert_eq!(map().source_span(0..1), span(0, 1));
        assert_eq!(map().source_span(1..2), span(1, 2));
        assert_eq!(map().source_span(3..4), span(2, 13));
        assert_eq!(map().source_span(8..9), span(14, 15));
        assert_eq!(map().source_span(1..8), span(1, 14));
    }

    #[test]
    fn a_position_maps_to_the_piece_that_follows_it_and_the_end_to_the_end() {
        assert_eq!(map().source_span(2..2), span(2, 13));
        assert_eq!(map().source_span(7..7), span(13, 13));
        assert_eq!(map().source_span(9..9), span(15, 15));
        assert_eq!(map().source_span(90..99), span(15, 15));
        assert_eq!(SourceMap::default().source_span(0..3), span(0, 0));
    }
}

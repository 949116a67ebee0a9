//! What one read of a job's output gave: many lines in one piece of memory.
//!
//! They go their whole way so, from the pipe to the log and to what is kept: a lock, a look at the clock and the spelling of who
//! has written them are had once for all of them.

/// Whole lines, or a piece of one that is too long. Any bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    bytes: &'a [u8],
    cut: bool,
}

impl<'a> Block<'a> {
    /// Lines, each with its end, LF or CR and LF; the last one may have none, or a CR.
    pub fn of(lines: &'a [u8]) -> Self {
        Self { bytes: lines, cut: false }
    }

    /// A piece of a line that goes on in the next block of its stream.
    pub fn piece(bytes: &'a [u8]) -> Self {
        Self { bytes, cut: true }
    }

    /// Whether it is a piece of a line that goes on.
    pub fn is_cut(self) -> bool {
        self.cut
    }

    /// All of it, with the ends of lines.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Its first bytes. They must end where a line does.
    #[must_use]
    pub fn up_to(self, end: usize) -> Self {
        Self { bytes: self.bytes.get(..end).unwrap_or(self.bytes), ..self }
    }

    /// How many lines [`Self::lines`] gives: a fraction of what asking each of them would cost.
    ///
    /// ```
    /// use containerpilot::block::Block;
    /// assert_eq!([Block::of(b"one\n\nlast").count(), Block::of(b"").count(), Block::piece(b"a\nb").count()], [3, 0, 1]);
    /// ```
    pub fn count(self) -> usize {
        let last = match self.bytes.last() {
            None => return 0,
            Some(_) if self.cut => return 1,
            Some(last) => *last,
        };
        memchr::memchr_iter(b'\n', self.bytes).count() + usize::from(last != b'\n')
    }

    /// Its lines without their ends, and where each ends within [`Self::bytes`], its end included.
    ///
    /// ```
    /// use containerpilot::block::Block;
    /// let lines: Vec<_> = Block::of(b"one\r\n\nlast").lines().collect();
    /// assert_eq!(lines, [(&b"one"[..], 5), (b"", 6), (b"last", 10)]);
    /// ```
    pub fn lines(self) -> impl Iterator<Item = (&'a [u8], usize)> {
        let Self { bytes, cut } = self;
        let mut begin = 0;
        std::iter::from_fn(move || {
            let rest = bytes.get(begin..).filter(|rest| !rest.is_empty())?;
            if cut {
                begin = bytes.len();
                return Some((rest, begin));
            }
            let (line, length) = match memchr::memchr(b'\n', rest) {
                Some(at) => (rest.get(..at)?, at + 1),
                None => (rest, rest.len()),
            };
            begin += length;
            Some((line.strip_suffix(b"\r").unwrap_or(line), begin))
        })
    }
}

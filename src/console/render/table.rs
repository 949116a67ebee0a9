//! Columns.

use unicode_width::UnicodeWidthChar;

use super::{Colour, Look, visible};

/// What stands in a row and a column.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    word: String,
    colour: Option<Colour>,
    rest: String,
    right: bool,
}

impl Cell {
    pub(super) fn text(text: &str) -> Self {
        Self { rest: visible(text), ..Self::default() }
    }

    /// A number, whose digits stand below those of others.
    pub(super) fn number(number: i32) -> Self {
        Self { rest: number.to_string(), right: true, ..Self::default() }
    }

    /// A word of state, and what is said behind it.
    pub(super) fn state(word: &str, colour: Option<Colour>, rest: &str) -> Self {
        Self { word: visible(word), colour, rest: visible(rest), right: false }
    }

    fn width(&self) -> usize {
        width(&self.word) + width(&self.rest)
    }

    fn is_empty(&self) -> bool {
        self.word.is_empty() && self.rest.is_empty()
    }
}

/// The columns that a character takes: wide ones two, combining ones none.
pub(in crate::console) fn columns(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// The columns that a text takes. Terminals add up its characters, too.
pub(in crate::console) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// As much of the beginning as so many columns have room for, with the marks that stand on its last character.
fn fitting(text: &str, room: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, c)| {
        used += columns(*c);
        used > room
    });
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// The text, and blanks behind it up to so many columns.
pub(super) fn filled(text: &str, room: usize) -> String {
    format!("{text}{}", " ".repeat(room.saturating_sub(width(text))))
}

/// Between two columns.
const GAP: usize = 2;

/// A line whose length is known though it holds colours.
#[derive(Default)]
struct Line {
    parts: Vec<(String, Option<Colour>)>,
    width: usize,
}

impl Line {
    fn push(&mut self, text: &str, colour: Option<Colour>) {
        self.width += width(text);
        self.parts.push((text.to_owned(), colour));
    }

    fn pad_to(&mut self, column: usize) {
        let blanks = column.saturating_sub(self.width);
        self.push(&" ".repeat(blanks), None);
    }

    /// The text, cut with an ellipsis where it does not fit.
    fn finish(self, look: &Look<'_>) -> String {
        let most = look.width.filter(|most| self.width > *most);
        let mut room = most.map_or(usize::MAX, |most| most.saturating_sub(1));
        let mut text = String::new();
        for (part, colour) in self.parts {
            let kept = fitting(&part, room);
            // Where a wide character had no room, a narrow one behind it has none either.
            room = if kept.len() < part.len() { 0 } else { room - width(kept) };
            match colour {
                Some(colour) if look.colour && !kept.is_empty() => text += &colour.paint(kept),
                _ => text += kept,
            }
        }
        let text = if most.is_some() { text + "…" } else { text.trim_end().to_owned() };
        text + "\n"
    }
}

/// Rows below a header. A column with nothing in it is left out. Where a terminal is too narrow, what stands last in a row
/// moves left over its empty neighbours, and is cut at the edge; a first column of more than a quarter of it is cut as well.
pub(super) fn table(header: &[&str], rows: &[Vec<Cell>], look: &Look<'_>) -> String {
    let used: Vec<usize> =
        (0..header.len()).filter(|at| *at == 0 || rows.iter().any(|row| !cell(row, *at).is_empty())).collect();
    let name = |at: usize| header.get(at).copied().unwrap_or_default();
    let widths =
        used.iter().map(|at| rows.iter().map(|row| cell(row, *at).width()).max().unwrap_or(0).max(width(name(*at))));
    let mut widths: Vec<usize> = widths.collect();
    let needed = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    let narrow = look.width.filter(|most| needed > *most);
    if let (Some(most), Some(first)) = (narrow, widths.first_mut()) {
        *first = (*first).min((most / 4).max(width(name(0))));
    }
    let right = |at: usize| rows.iter().any(|row| cell(row, at).right);
    let mut head: Vec<Cell> =
        used.iter().map(|at| Cell { rest: name(*at).to_owned(), right: right(*at), ..Cell::default() }).collect();
    // What stands in the last column may have moved away from below it.
    let start: usize = widths.iter().rev().skip(1).map(|width| width + GAP).sum();
    if let Some(last) = head.last_mut().filter(|last| narrow.is_some_and(|most| start + last.width() > most)) {
        *last = Cell::default();
    }
    let body = rows.iter().map(|row| used.iter().map(|at| cell(row, *at)).collect());
    std::iter::once(head).chain(body).map(|cells: Vec<Cell>| line(&cells, &widths, narrow).finish(look)).collect()
}

fn cell(row: &[Cell], at: usize) -> Cell {
    row.get(at).cloned().unwrap_or_default()
}

fn line(cells: &[Cell], widths: &[usize], narrow: Option<usize>) -> Line {
    let mut line = Line::default();
    let mut start = 0;
    // Where the next cell could stand, if it moved over empty ones.
    let mut free = 0;
    for (index, (cell, room)) in cells.iter().zip(widths).enumerate() {
        let is_last = index + 1 == widths.len();
        let fits = narrow.is_none_or(|most| start + cell.width() <= most);
        if !cell.is_empty() {
            line.pad_to(if is_last && !fits { free } else { start });
            if cell.right && !is_last {
                line.pad_to(start + room.saturating_sub(cell.width()));
            }
            let (word, rest) = (&cell.word, &cell.rest);
            if !is_last && cell.width() > *room {
                let whole = [word.as_str(), rest].concat();
                line.push(&format!("{}…", fitting(&whole, room.saturating_sub(1))), cell.colour);
            } else {
                line.push(word, cell.colour);
                line.push(rest, None);
            }
            free = start + room + GAP;
        }
        start += room + GAP;
    }
    line
}

/// A part of a line: words, and perhaps one of state behind them.
pub(super) struct Part {
    text: String,
    word: Option<(&'static str, Colour)>,
}

impl Part {
    pub(super) fn text(text: &str) -> Self {
        Self { text: visible(text), word: None }
    }

    pub(super) fn state(text: &str, word: &'static str, colour: Colour) -> Self {
        Self { text: visible(text), word: Some((word, colour)) }
    }
}

/// Parts in one line with `separator` between them; in several where a terminal has no room.
pub(super) fn wrapped(parts: &[Part], separator: &str, look: &Look<'_>) -> String {
    let mut text = String::new();
    let mut used = 0;
    for part in parts {
        let needed = width(&part.text) + part.word.map_or(0, |(word, _)| width(word));
        let fits = look.width.is_none_or(|most| used + width(separator) + needed <= most);
        if used > 0 && fits {
            text += separator;
            used += width(separator);
        } else if used > 0 {
            text.push('\n');
            used = 0;
        }
        text += &part.text;
        match part.word {
            Some((word, colour)) if look.colour => text += &colour.paint(word),
            Some((word, _)) => text += word,
            None => {}
        }
        used += needed;
    }
    text + "\n"
}

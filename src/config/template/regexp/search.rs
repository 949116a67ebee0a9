//! Finds the leftmost match that the pattern prefers, in time proportional to text × program.
//!
//! All ways through the program are followed at once, in the order of preference; of ways that meet at an
//! instruction only the first goes on.

use super::super::budget::{Budget, Failure};
use super::super::runes::{decode, decode_last};
use super::program::{Instruction, Program};
use super::syntax::Assertion;
use super::unicode::contains;

/// Where the groups of a match begin and end, two for each; the whole match comes first.
pub(super) type Slots = Vec<Option<usize>>;

/// Followed instructions and copied positions that cost as much as one step.
const WORK_PER_STEP: usize = 4;

/// The ways that stand before the same character.
#[derive(Debug, Default)]
struct Ways {
    /// Instructions in the order of preference.
    order: Vec<usize>,
    /// By instruction: the round in which it was reached last.
    reached: Vec<u64>,
    round: u64,
    /// By instruction: the positions noted on the way.
    slots: Vec<Option<usize>>,
}

impl Ways {
    fn new(program: &Program) -> Self {
        let count = program.instructions.len();
        Self { order: Vec::new(), reached: vec![0; count], round: 0, slots: vec![None; count * program.slots] }
    }

    fn clear(&mut self) {
        self.order.clear();
        self.round += 1;
    }
}

/// What is still to be followed.
#[derive(Debug, Clone, Copy)]
enum Todo {
    Follow(usize),
    /// Puts a position back for the ways that branched off before.
    Restore(usize, Option<usize>),
}

/// Searches a text, again and again.
pub(super) struct Search<'s> {
    program: &'s Program,
    text: &'s [u8],
    now: Ways,
    then: Ways,
    todo: Vec<Todo>,
    /// The positions of the way that is being followed.
    slots: Slots,
    work: usize,
}

impl<'s> Search<'s> {
    pub(super) fn new(program: &'s Program, text: &'s [u8]) -> Self {
        Self {
            program,
            text,
            now: Ways::new(program),
            then: Ways::new(program),
            todo: Vec::new(),
            slots: vec![None; program.slots],
            work: 0,
        }
    }

    /// The first match at or after `from`.
    pub(super) fn find(&mut self, from: usize, budget: &mut Budget) -> Result<Option<Slots>, Failure> {
        let mut found: Option<Slots> = None;
        let mut position = from;
        self.now.clear();
        loop {
            if found.is_none() {
                // A match may begin here, but one that began before is better.
                self.slots.fill(None);
                self.follow(0, position, Side::Now);
            }
            let character = self.text.get(position..).and_then(decode);
            self.then.clear();
            let order = std::mem::take(&mut self.now.order);
            for &index in &order {
                match self.program.instructions.get(index) {
                    Some(Instruction::Match) => {
                        found = Some(self.noted(index).to_vec());
                        // What comes after in the order is worse than this.
                        break;
                    }
                    Some(Instruction::Class(class)) => {
                        let matches = self.program.classes.get(*class).zip(character);
                        if let Some((class, (c, length))) = matches
                            && contains(class, c)
                        {
                            let mut slots = std::mem::take(&mut self.slots);
                            slots.clear();
                            slots.extend_from_slice(self.noted(index));
                            self.slots = slots;
                            self.follow(index + 1, position + length, Side::Then);
                        }
                    }
                    _ => {}
                }
            }
            self.work += order.len() * (1 + self.program.slots / 4);
            self.now.order = order;
            std::mem::swap(&mut self.now, &mut self.then);
            budget.spend(self.work / WORK_PER_STEP)?;
            self.work %= WORK_PER_STEP;
            let Some((_, length)) = character else { return Ok(found) };
            if found.is_some() && self.now.order.is_empty() {
                return Ok(found);
            }
            position += length;
        }
    }

    /// The positions noted on the way to an instruction.
    fn noted(&self, index: usize) -> &[Option<usize>] {
        let start = index * self.program.slots;
        self.now.slots.get(start..start + self.program.slots).unwrap_or_default()
    }

    /// Follows a way up to all the characters that it may take next, or to the end.
    fn follow(&mut self, start: usize, position: usize, side: Side) {
        self.todo.push(Todo::Follow(start));
        while let Some(todo) = self.todo.pop() {
            let index = match todo {
                Todo::Restore(slot, before) => {
                    if let Some(place) = self.slots.get_mut(slot) {
                        *place = before;
                    }
                    continue;
                }
                Todo::Follow(index) => index,
            };
            self.work += 1;
            let ways = match side {
                Side::Now => &mut self.now,
                Side::Then => &mut self.then,
            };
            let round = ways.round;
            match ways.reached.get_mut(index) {
                Some(reached) if *reached != round => *reached = round,
                _ => continue,
            }
            match self.program.instructions.get(index) {
                Some(Instruction::Split(first, second)) => {
                    self.todo.push(Todo::Follow(*second));
                    self.todo.push(Todo::Follow(*first));
                }
                Some(Instruction::Save(slot)) => {
                    if let Some(place) = self.slots.get_mut(*slot) {
                        self.todo.push(Todo::Restore(*slot, *place));
                        *place = Some(position);
                    }
                    self.todo.push(Todo::Follow(index + 1));
                }
                Some(Instruction::Assertion(assertion)) if holds(*assertion, self.text, position) => {
                    self.todo.push(Todo::Follow(index + 1));
                }
                Some(Instruction::Class(_) | Instruction::Match) => {
                    ways.order.push(index);
                    let start = index * self.program.slots;
                    if let Some(noted) = ways.slots.get_mut(start..start + self.program.slots) {
                        noted.copy_from_slice(&self.slots);
                    }
                    self.work += self.program.slots / 4;
                }
                Some(Instruction::Assertion(_)) | None => {}
            }
        }
    }
}

/// Before which character a way stands.
#[derive(Debug, Clone, Copy)]
enum Side {
    Now,
    Then,
}

fn holds(assertion: Assertion, text: &[u8], position: usize) -> bool {
    let (before, after) = text.split_at_checked(position).unwrap_or((text, &[]));
    let is_word = |decoded: Option<(char, usize)>| decoded.is_some_and(|(c, _)| c == '_' || c.is_ascii_alphanumeric());
    let boundary = || is_word(decode_last(before)) != is_word(decode(after));
    match assertion {
        Assertion::TextStart => before.is_empty(),
        Assertion::TextEnd => after.is_empty(),
        Assertion::LineStart => before.last().is_none_or(|&byte| byte == b'\n'),
        Assertion::LineEnd => after.first().is_none_or(|&byte| byte == b'\n'),
        Assertion::WordBoundary => boundary(),
        Assertion::NoWordBoundary => !boundary(),
    }
}

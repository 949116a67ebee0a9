//! From a tree to instructions for the search.

use std::rc::Rc;

use regex_syntax::hir::ClassUnicode;

use super::super::budget::Failure;
use super::super::error::Class;
use super::syntax::{Assertion, Tree};

/// Instructions of one pattern, and instructions times noted positions: what a search keeps in memory.
const MAX_INSTRUCTIONS: usize = 20_000;
const MAX_NOTES: usize = 200_000;

/// An instruction. Without a target of its own it goes on to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Takes a character of this class.
    Class(usize),
    Assertion(Assertion),
    /// Notes the position.
    Save(usize),
    /// Goes both ways; what the first finds counts more.
    Split(usize, usize),
    Match,
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) instructions: Vec<Instruction>,
    pub(super) classes: Vec<Rc<ClassUnicode>>,
    /// Two for each group: where it begins and ends.
    pub(super) slots: usize,
}

impl Program {
    pub(super) fn new(tree: &Tree, groups: usize) -> Result<Self, Failure> {
        let mut program = Self { instructions: Vec::new(), classes: Vec::new(), slots: groups * 2 };
        program.push(Instruction::Save(0))?;
        program.tree(tree)?;
        program.push(Instruction::Save(1))?;
        program.push(Instruction::Match)?;
        if program.instructions.len().saturating_mul(program.slots) > MAX_NOTES {
            return Err(too_large());
        }
        Ok(program)
    }

    fn push(&mut self, instruction: Instruction) -> Result<usize, Failure> {
        if self.instructions.len() >= MAX_INSTRUCTIONS {
            return Err(too_large());
        }
        self.instructions.push(instruction);
        Ok(self.instructions.len() - 1)
    }

    fn set(&mut self, index: usize, instruction: Instruction) {
        if let Some(place) = self.instructions.get_mut(index) {
            *place = instruction;
        }
    }

    fn tree(&mut self, tree: &Tree) -> Result<(), Failure> {
        match tree {
            Tree::Class(class) => {
                let index = self.classes.len();
                self.classes.push(Rc::clone(class));
                self.push(Instruction::Class(index))?;
            }
            Tree::Assertion(assertion) => {
                self.push(Instruction::Assertion(*assertion))?;
            }
            Tree::Group(index, inner) => {
                self.push(Instruction::Save(index * 2))?;
                self.tree(inner)?;
                self.push(Instruction::Save(index * 2 + 1))?;
            }
            Tree::Sequence(items) => items.iter().try_for_each(|item| self.tree(item))?,
            Tree::Alternatives(all) => self.alternatives(all)?,
            Tree::Repeat { inner, least, most, greedy } => self.repeat(inner, *least, *most, *greedy)?,
        }
        Ok(())
    }

    fn alternatives(&mut self, all: &[Tree]) -> Result<(), Failure> {
        let mut jumps = Vec::new();
        for (index, one) in all.iter().enumerate() {
            if index + 1 == all.len() {
                self.tree(one)?;
                continue;
            }
            let split = self.push(Instruction::Split(0, 0))?;
            self.tree(one)?;
            jumps.push(self.push(Instruction::Split(0, 0))?);
            let next = self.instructions.len();
            self.set(split, Instruction::Split(split + 1, next));
        }
        let end = self.instructions.len();
        for jump in jumps {
            self.set(jump, Instruction::Split(end, end));
        }
        Ok(())
    }

    fn repeat(&mut self, inner: &Tree, least: u32, most: Option<u32>, greedy: bool) -> Result<(), Failure> {
        let prefer = |first: usize, second: usize| {
            if greedy { Instruction::Split(first, second) } else { Instruction::Split(second, first) }
        };
        let Some(most) = most else {
            // `x*` is `(x+)?`: so an `x` that matches nothing is tried once, as Go and Perl do it.
            let skip = if least == 0 { Some(self.push(Instruction::Split(0, 0))?) } else { None };
            for _ in 1..least {
                self.tree(inner)?;
            }
            let start = self.instructions.len();
            self.tree(inner)?;
            let split = self.push(Instruction::Split(0, 0))?;
            self.set(split, prefer(start, split + 1));
            if let Some(skip) = skip {
                self.set(skip, prefer(skip + 1, split + 1));
            }
            return Ok(());
        };
        for _ in 0..least {
            self.tree(inner)?;
        }
        let mut splits = Vec::new();
        for _ in least..most {
            splits.push(self.push(Instruction::Split(0, 0))?);
            self.tree(inner)?;
        }
        let end = self.instructions.len();
        for split in splits {
            self.set(split, prefer(split + 1, end));
        }
        Ok(())
    }
}

fn too_large() -> Failure {
    Failure::new(Class::Limit, "the regular expression is too large")
}

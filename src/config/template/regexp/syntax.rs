//! From a pattern to a tree: RE2's syntax with Perl's extensions, and Go's errors. Single characters and classes are in
//! [`super::classes`].

use std::collections::BTreeMap;
use std::rc::Rc;

use regex_syntax::hir::ClassUnicode;

use super::super::budget::Failure;
use super::super::error::Class;
use super::unicode::{class, fold};

/// Groups and alternatives within each other; Go's limit is 1000.
const MAX_NESTING: usize = 100;
/// The largest count of a repetition, and of repetitions within each other taken together.
const MAX_REPEAT: u32 = 1000;

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tree {
    /// One character of a class.
    Class(Rc<ClassUnicode>),
    Assertion(Assertion),
    /// A numbered group.
    Group(usize, Box<Tree>),
    Repeat {
        inner: Box<Tree>,
        least: u32,
        most: Option<u32>,
        greedy: bool,
    },
    Sequence(Vec<Tree>),
    Alternatives(Vec<Tree>),
}

/// What holds between two characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Assertion {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordBoundary,
    NoWordBoundary,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) fold: bool,
    multi_line: bool,
    dot_newline: bool,
    lazy: bool,
}

/// The function's argument that is the pattern.
pub(super) const PATTERN: usize = 0;

/// The error for a part of a pattern.
pub(super) fn error<T>(words: &str, part: &str) -> Result<T, Failure> {
    let message = format!("error parsing regexp: {words}: `{part}`");
    Err(Failure::repeating(Class::BadRegexp, PATTERN, message, format!("error parsing regexp: {words}: `…`")))
}

/// A pattern and the names of its groups, the whole match (without a name) included.
pub(super) fn parse(pattern: &str) -> Result<(Tree, Vec<Option<String>>), Failure> {
    let mut parser = Parser {
        whole: pattern,
        rest: pattern,
        flags: Flags::default(),
        names: vec![None],
        known: BTreeMap::new(),
        depth: 0,
    };
    let tree = parser.alternatives()?;
    if !parser.rest.is_empty() {
        return error("unexpected )", pattern);
    }
    Ok((tree, parser.names))
}

pub(super) struct Parser<'p> {
    whole: &'p str,
    pub(super) rest: &'p str,
    pub(super) flags: Flags,
    names: Vec<Option<String>>,
    /// Classes that were named before, by name and whether case matters: some are large.
    pub(super) known: BTreeMap<(&'p str, bool), Rc<ClassUnicode>>,
    depth: usize,
}

impl<'p> Parser<'p> {
    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
        Some(c)
    }

    /// Takes a text if it is next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// What was read since `start`, which was the rest then.
    pub(super) fn since(&self, start: &'p str) -> &'p str {
        start.get(..start.len() - self.rest.len()).unwrap_or(start)
    }

    /// Everything up to `)` or the end.
    fn alternatives(&mut self) -> Result<Tree, Failure> {
        if self.depth >= MAX_NESTING {
            return error("expression nests too deeply", self.whole);
        }
        self.depth += 1;
        let mut all = Vec::new();
        loop {
            all.push(self.sequence()?);
            if !self.take("|") {
                break;
            }
        }
        self.depth -= 1;
        Ok(match all.pop() {
            Some(only) if all.is_empty() => only,
            Some(last) => {
                all.push(last);
                Tree::Alternatives(all)
            }
            None => Tree::Sequence(all),
        })
    }

    fn sequence(&mut self) -> Result<Tree, Failure> {
        let mut items = Vec::new();
        let mut last_repeat = None;
        while let Some(c) = self.peek() {
            let start = self.rest;
            let mut repeat = None;
            match c {
                '|' | ')' => break,
                '(' => items.extend(self.group()?),
                '*' | '+' | '?' => {
                    self.next();
                    let (least, most) = match c {
                        '*' => (0, None),
                        '+' => (1, None),
                        _ => (0, Some(1)),
                    };
                    self.repeat(&mut items, start, last_repeat, least, most)?;
                    repeat = Some(start);
                }
                '{' => match self.counts() {
                    Some((Some(least), most))
                        if least <= MAX_REPEAT
                            && most
                                .is_none_or(|most| most.is_some_and(|most| (least..=MAX_REPEAT).contains(&most))) =>
                    {
                        self.repeat(&mut items, start, last_repeat, least, most.flatten())?;
                        repeat = Some(start);
                    }
                    Some(_) => return error("invalid repeat count", self.since(start)),
                    None => {
                        self.next();
                        items.push(self.literal('{'));
                    }
                },
                '[' => items.push(Tree::Class(self.bracket()?)),
                '.' => {
                    self.next();
                    let mut any = class(&[('\0', char::MAX)]);
                    if !self.flags.dot_newline {
                        any.difference(&class(&[('\n', '\n')]));
                    }
                    items.push(Tree::Class(Rc::new(any)));
                }
                '^' => {
                    self.next();
                    let line = self.flags.multi_line;
                    items.push(Tree::Assertion(if line { Assertion::LineStart } else { Assertion::TextStart }));
                }
                '$' => {
                    self.next();
                    let line = self.flags.multi_line;
                    items.push(Tree::Assertion(if line { Assertion::LineEnd } else { Assertion::TextEnd }));
                }
                '\\' => self.backslash(&mut items)?,
                _ => {
                    self.next();
                    items.push(self.literal(c));
                }
            }
            last_repeat = repeat;
        }
        Ok(Tree::Sequence(items))
    }

    pub(super) fn literal(&self, c: char) -> Tree {
        let mut one = class(&[(c, c)]);
        self.fold_if_asked(&mut one);
        Tree::Class(Rc::new(one))
    }

    pub(super) fn fold_if_asked(&self, class: &mut ClassUnicode) {
        if self.flags.fold {
            fold(class);
        }
    }

    /// Repeats the last item. `start` is where the operator stands, `before` where an operator right before it does.
    fn repeat(
        &mut self,
        items: &mut Vec<Tree>,
        start: &'p str,
        before: Option<&'p str>,
        least: u32,
        most: Option<u32>,
    ) -> Result<(), Failure> {
        let lazy = self.take("?") != self.flags.lazy;
        if let Some(before) = before {
            return error("invalid nested repetition operator", self.since(before));
        }
        let Some(inner) = items.pop() else {
            return error("missing argument to repetition operator", self.since(start));
        };
        let tree = Tree::Repeat { inner: Box::new(inner), least, most, greedy: !lazy };
        if copies(&tree) > MAX_REPEAT {
            return error("invalid repeat count", self.since(start));
        }
        items.push(tree);
        Ok(())
    }

    /// `{2}`, `{2,}`, `{2,3}`. `None`, and nothing taken, if it is none of these; a number that is too large is
    /// `None` within.
    #[expect(clippy::option_option, reason = "no upper count, and one that is too large")]
    fn counts(&mut self) -> Option<(Option<u32>, Option<Option<u32>>)> {
        let start = self.rest;
        let found = self.counts_after_brace();
        if found.is_none() {
            self.rest = start;
        }
        found
    }

    #[expect(clippy::option_option, reason = "no upper count, and one that is too large")]
    fn counts_after_brace(&mut self) -> Option<(Option<u32>, Option<Option<u32>>)> {
        self.next();
        let least = self.count()?;
        let most = if self.take(",") {
            if self.rest.starts_with('}') { None } else { Some(self.count()?) }
        } else {
            Some(least)
        };
        self.take("}").then_some((least, most))
    }

    #[expect(clippy::option_option, reason = "no number, and one that is too large")]
    fn count(&mut self) -> Option<Option<u32>> {
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at_checked(length)?;
        if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
            return None;
        }
        self.rest = rest;
        Some(digits.parse().ok())
    }

    /// `(…)`, `(?:…)`, `(?P<name>…)`, or flags, which are no item of their own.
    fn group(&mut self) -> Result<Option<Tree>, Failure> {
        let start = self.rest;
        let outer = self.flags;
        self.next();
        let mut index = None;
        if self.rest.starts_with("?P<") {
            self.rest = self.rest.get(3..).unwrap_or_default();
            let Some((name, rest)) = self.rest.split_once('>') else {
                return error("invalid named capture", start);
            };
            self.rest = rest;
            let right = !name.is_empty() && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
            if !right {
                return error("invalid named capture", self.since(start));
            }
            if self.names.iter().flatten().any(|other| other == name) {
                return error("duplicate capture group name", name);
            }
            index = Some(self.names.len());
            self.names.push(Some(name.to_owned()));
        } else if self.take("?") {
            if self.flags_of_group(start)? {
                return Ok(None);
            }
        } else {
            index = Some(self.names.len());
            self.names.push(None);
        }
        let inner = self.alternatives()?;
        if !self.take(")") {
            return error("missing closing )", self.whole);
        }
        self.flags = outer;
        Ok(Some(match index {
            Some(index) => Tree::Group(index, Box::new(inner)),
            None => Tree::Sequence(vec![inner]),
        }))
    }

    /// `i`, `m`, `s`, `U`, set or behind `-` unset. Whether they stand alone: `)`, not `:`, follows.
    fn flags_of_group(&mut self, start: &'p str) -> Result<bool, Failure> {
        let mut flags = self.flags;
        let (mut value, mut some) = (true, false);
        while let Some(c) = self.next() {
            let flag = match c {
                'i' => &mut flags.fold,
                'm' => &mut flags.multi_line,
                's' => &mut flags.dot_newline,
                'U' => &mut flags.lazy,
                '-' if value => {
                    (value, some) = (false, false);
                    continue;
                }
                ':' | ')' if value || some => {
                    self.flags = flags;
                    return Ok(c == ')');
                }
                _ => break,
            };
            *flag = value;
            some = true;
        }
        error("invalid or unsupported Perl syntax", self.since(start))
    }

    /// What a backslash begins, outside brackets.
    fn backslash(&mut self, items: &mut Vec<Tree>) -> Result<(), Failure> {
        let assertion = match self.rest.chars().nth(1) {
            Some('A') => Some(Assertion::TextStart),
            Some('b') => Some(Assertion::WordBoundary),
            Some('B') => Some(Assertion::NoWordBoundary),
            Some('z') => Some(Assertion::TextEnd),
            Some('Q') => {
                self.rest = self.rest.get(2..).unwrap_or_default();
                let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                items.extend(quoted.chars().map(|c| self.literal(c)));
                self.rest = rest;
                return Ok(());
            }
            _ => None,
        };
        if let Some(assertion) = assertion {
            self.rest = self.rest.get(2..).unwrap_or_default();
            items.push(Tree::Assertion(assertion));
            return Ok(());
        }
        if let Some(class) = self.named_class()? {
            items.push(Tree::Class(class));
            return Ok(());
        }
        let c = self.escape()?;
        items.push(self.literal(c));
        Ok(())
    }
}

/// The most copies of anything in a tree that its repetitions ask for.
fn copies(tree: &Tree) -> u32 {
    match tree {
        Tree::Class(_) | Tree::Assertion(_) => 1,
        Tree::Group(_, inner) => copies(inner),
        Tree::Sequence(items) | Tree::Alternatives(items) => items.iter().map(copies).max().unwrap_or(1),
        Tree::Repeat { inner, least, most, .. } => {
            // `*`, `+` and `?` need no copies.
            let count = most.unwrap_or(*least).max(*least).max(1);
            copies(inner).saturating_mul(count)
        }
    }
}

//! The part of the syntax that spells single characters: escapes, named classes and brackets.

use std::rc::Rc;

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use super::super::budget::Failure;
use super::syntax::{Parser, error};
use super::unicode::{self, category, class, perl};

impl Parser<'_> {
    /// `\d`, `\pL`, `\p{Greek}`, `\P{^Greek}`. `None`, and nothing taken, if it is none of these.
    pub(super) fn named_class(&mut self) -> Result<Option<Rc<ClassUnicode>>, Failure> {
        let start = self.rest;
        let Some(letter) = self.rest.strip_prefix('\\').and_then(|rest| rest.chars().next()) else {
            return Ok(None);
        };
        if let Some(mut class) = perl(letter) {
            self.rest = self.rest.get(2..).unwrap_or_default();
            self.fold_if_asked(&mut class);
            return Ok(Some(Rc::new(class)));
        }
        if !matches!(letter, 'p' | 'P') {
            return Ok(None);
        }
        self.rest = self.rest.get(2..).unwrap_or_default();
        let mut negated = letter == 'P';
        let name = if self.take("{") {
            let Some((name, rest)) = self.rest.split_once('}') else {
                return error("invalid character class range", start);
            };
            self.rest = rest;
            name
        } else {
            let one = self.rest;
            self.next();
            self.since(one)
        };
        let plain = name.strip_prefix('^').inspect(|_| negated = !negated).unwrap_or(name);
        let key = (plain, self.flags.fold);
        if !self.known.contains_key(&key) {
            let Some(mut class) = category(plain) else {
                return error("invalid character class range", self.since(start));
            };
            self.fold_if_asked(&mut class);
            self.known.insert(key, Rc::new(class));
        }
        let class = self.known.get(&key).cloned().unwrap_or_else(|| Rc::new(class(&[])));
        if !negated {
            return Ok(Some(class));
        }
        let mut rest = ClassUnicode::clone(&class);
        rest.negate();
        Ok(Some(Rc::new(rest)))
    }

    /// `[…]`.
    pub(super) fn bracket(&mut self) -> Result<Rc<ClassUnicode>, Failure> {
        let whole = self.rest;
        self.next();
        let negated = self.take("^");
        // Collected first and put in order once: a pattern may name thousands.
        let mut plain: Vec<ClassUnicodeRange> = Vec::new();
        let mut named: Vec<ClassUnicodeRange> = Vec::new();
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            if self.rest.starts_with("[:")
                && let Some(end) = self.rest.find(":]")
            {
                let name = self.rest.get(..end + 2).unwrap_or_default();
                let inner = self.rest.get(2..end).unwrap_or_default();
                let (posix_negated, inner) = inner.strip_prefix('^').map_or((false, inner), |inner| (true, inner));
                let Some(mut posix) = unicode::posix(inner) else {
                    return error("invalid character class range", name);
                };
                self.rest = self.rest.get(end + 2..).unwrap_or_default();
                self.fold_if_asked(&mut posix);
                if posix_negated {
                    posix.negate();
                }
                named.extend_from_slice(posix.ranges());
                continue;
            }
            if let Some(class) = self.named_class()? {
                named.extend_from_slice(class.ranges());
                continue;
            }
            let start = self.rest;
            let low = self.class_character(whole)?;
            let mut high = low;
            let range = self.rest.strip_prefix('-').filter(|rest| !rest.is_empty() && !rest.starts_with(']'));
            if let Some(rest) = range {
                self.rest = rest;
                high = self.class_character(whole)?;
                if high < low {
                    return error("invalid character class range", self.since(start));
                }
            }
            plain.push(ClassUnicodeRange::new(low, high));
        }
        self.next();
        let mut result = ClassUnicode::new(plain);
        self.fold_if_asked(&mut result);
        result.union(&ClassUnicode::new(named));
        if negated {
            result.negate();
        }
        Ok(Rc::new(result))
    }

    fn class_character(&mut self, whole: &str) -> Result<char, Failure> {
        match self.peek() {
            None => error("missing closing ]", whole),
            Some('\\') => self.escape(),
            Some(c) => {
                self.next();
                Ok(c)
            }
        }
    }

    /// A character that a backslash spells.
    pub(super) fn escape(&mut self) -> Result<char, Failure> {
        let start = self.rest;
        self.next();
        let Some(c) = self.next() else {
            return error("trailing backslash at end of expression", "");
        };
        let code = match c {
            // A single digit would be a reference to a group; there are none.
            '1'..='7' if !self.rest.starts_with(|c| matches!(c, '0'..='7')) => None,
            '0'..='7' => {
                let mut code = c.to_digit(8);
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
                    self.next();
                    code = code.map(|code| code * 8 + digit);
                }
                code
            }
            'x' => self.hexadecimal(),
            'a' => Some(7),
            'f' => Some(12),
            'n' => Some(10),
            'r' => Some(13),
            't' => Some(9),
            'v' => Some(11),
            _ if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(u32::from(c)),
            _ => None,
        };
        match code.and_then(char::from_u32) {
            Some(c) => Ok(c),
            None => error("invalid escape sequence", self.since(start)),
        }
    }

    /// `\x41` or `\x{1F680}`, after the `x`.
    fn hexadecimal(&mut self) -> Option<u32> {
        let braced = self.take("{");
        let mut code: u32 = 0;
        let mut count = 0;
        while braced || count < 2 {
            let c = self.next()?;
            if braced && c == '}' {
                break;
            }
            code = code.checked_mul(16)?.checked_add(c.to_digit(16)?)?;
            count += 1;
        }
        (count > 0).then_some(code)
    }
}

//! Go's `ReplaceAllString`.

use super::super::budget::{Budget, Failure, MAX_TEXT, too_long};
use super::super::error::Class;
use super::super::runes::{decode, is_alphanumeric};
use super::program::Program;
use super::search::{Search, Slots};
use super::syntax;

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 16 * 1024;

/// A regular expression.
#[derive(Debug)]
pub(in super::super) struct Regexp {
    program: Program,
    /// By group.
    names: Vec<Option<String>>,
}

impl Regexp {
    /// Compiles a pattern.
    pub(in super::super) fn new(pattern: &[u8]) -> Result<Self, Failure> {
        let Ok(pattern) = std::str::from_utf8(pattern) else {
            let shown = String::from_utf8_lossy(pattern);
            return syntax::error("invalid UTF-8", &shown);
        };
        if pattern.len() > MAX_PATTERN {
            return Err(Failure::new(Class::Limit, "the regular expression is too large"));
        }
        let (tree, names) = syntax::parse(pattern)?;
        Ok(Self { program: Program::new(&tree, names.len())?, names })
    }

    /// Replaces all matches by `template`, in which `$1`, `$name` and `${name}` are groups and `$$` is `$`.
    pub(in super::super) fn replace_all(
        &self,
        text: &[u8],
        template: &[u8],
        budget: &mut Budget,
    ) -> Result<Vec<u8>, Failure> {
        budget.spend(self.program.instructions.len() * self.program.slots / 8)?;
        let mut search = Search::new(&self.program, text);
        let mut out = Vec::new();
        let (mut last_end, mut from) = (0, 0);
        while from <= text.len() {
            let Some(slots) = search.find(from, budget)? else { break };
            let (Some(start), Some(end)) = (slot(&slots, 0), slot(&slots, 1)) else { break };
            out.extend_from_slice(text.get(last_end..start).unwrap_or_default());
            // Nothing is no match right behind a match.
            if end > last_end || start == 0 {
                budget.spend(1 + template.len() / 8)?;
                self.expand(template, &slots, text, &mut out)?;
            }
            last_end = end;
            // At least one character further.
            let width = text.get(from..).and_then(decode).map_or(1, |(_, length)| length);
            from = end.max(from + width);
        }
        out.extend_from_slice(text.get(last_end..).unwrap_or_default());
        Ok(out)
    }

    fn expand(&self, template: &[u8], slots: &Slots, text: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut rest = template;
        while let Some(dollar) = rest.iter().position(|&byte| byte == b'$') {
            out.extend_from_slice(rest.get(..dollar).unwrap_or_default());
            rest = rest.get(dollar + 1..).unwrap_or_default();
            if let Some(after) = rest.strip_prefix(b"$") {
                out.push(b'$');
                rest = after;
            } else if let Some((name, after)) = reference(rest) {
                rest = after;
                if let Some((start, end)) = self.group(name, slots) {
                    out.extend_from_slice(text.get(start..end).unwrap_or_default());
                }
            } else {
                // Misspelt: just a dollar.
                out.push(b'$');
            }
            if out.len() > MAX_TEXT {
                return Err(too_long());
            }
        }
        out.extend_from_slice(rest);
        if out.len() > MAX_TEXT { Err(too_long()) } else { Ok(()) }
    }

    /// Where the group of a number or name matched.
    fn group(&self, name: &str, slots: &Slots) -> Option<(usize, usize)> {
        let span = |index: usize| Some((slot(slots, index * 2)?, slot(slots, index * 2 + 1)?));
        let numeric = name.bytes().all(|byte| byte.is_ascii_digit()) && (name.len() == 1 || !name.starts_with('0'));
        if numeric {
            return name.parse::<usize>().ok().filter(|&index| index < self.names.len()).and_then(span);
        }
        let index = self.names.iter().position(|other| other.as_deref() == Some(name))?;
        span(index)
    }
}

fn slot(slots: &Slots, index: usize) -> Option<usize> {
    slots.get(index).copied().flatten()
}

/// The name after `$`, perhaps in braces, and what follows it.
fn reference(text: &[u8]) -> Option<(&str, &[u8])> {
    let braced = text.strip_prefix(b"{");
    let inner = braced.unwrap_or(text);
    let mut length = 0;
    while let Some((c, width)) = inner.get(length..).and_then(decode)
        && is_alphanumeric(c)
    {
        length += width;
    }
    let (name, after) = inner.split_at_checked(length)?;
    let after = if braced.is_some() { after.strip_prefix(b"}")? } else { after };
    let name = std::str::from_utf8(name).ok()?;
    (!name.is_empty()).then_some((name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(pattern: &str, template: &str, text: &str) -> String {
        let regexp = Regexp::new(pattern.as_bytes()).unwrap();
        let out = regexp.replace_all(text.as_bytes(), template.as_bytes(), &mut Budget::new()).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn refusal(pattern: &str) -> String {
        Regexp::new(pattern.as_bytes()).unwrap_err().message.replace("error parsing regexp: ", "")
    }

    #[test]
    fn matches_are_leftmost_and_the_first_alternative_wins() {
        assert_eq!(replaced("a|ab", "X", "ab"), "Xb");
        assert_eq!(replaced("(a*)(a?)", "[$1|$2]", "aa"), "[aa|]");
        assert_eq!(replaced("(a*?)(a?)$", "[$1|$2]", "aa"), "[a|a]");
        assert_eq!(replaced("(?U)a+", "X", "aaa"), "XXX");
        assert_eq!(replaced("(a|b)*c", "<$1>", "abbac"), "<a>");
        assert_eq!(replaced("(?:(a)|b)*", "<$1>", "ab"), "<a>");
    }

    #[test]
    fn nothing_matches_between_characters_but_not_behind_a_match() {
        assert_eq!(replaced("a*", "-", "baaac"), "-b-c-");
        assert_eq!(replaced("", "-", "日本"), "-日-本-");
        assert_eq!(replaced("(?m)$", "!", "a\nb"), "a!\nb!");
        assert_eq!(replaced("(|a)*", "-", "aa"), "-a-a-");
        assert_eq!(replaced("(|a)+", "-", "aa"), "-a-a-");
    }

    #[test]
    fn classes_and_flags() {
        assert_eq!(replaced(r"[^\d\s]+", "x", "ab 12 é"), "x 12 x");
        assert_eq!(replaced(r"(?i)k", "x", "kK\u{212a}"), "xxx");
        assert_eq!(replaced(r"(?i:a)b", "x", "AbAB"), "xAB");
        assert_eq!(replaced(r"a(?i)b|c", "x", "aBC"), "xx");
        assert_eq!(replaced(r"[\pL&&x-]", "_", "é&-1"), "___1");
        assert_eq!(replaced(r"[[:^alpha:]]|\P{Greek}", "_", "αβ1"), "___");
        assert_eq!(replaced(r"\P{^Greek}", "_", "αa"), "_a");
        assert_eq!(replaced(r"[]a]", "_", "]ab"), "__b");
        assert_eq!(replaced(r"\x{65e5}|\101|\x42", "_", "日AB"), "___");
        assert_eq!(replaced(r"a{,2}", "_", "a{,2}"), "_");
        assert_eq!(replaced(r"\Ba\B|\bz\z", "_", "aaa z"), "a_a _");
    }

    #[test]
    fn invalid_bytes_are_single_characters() {
        let regexp = Regexp::new(b"b.").unwrap();
        assert_eq!(regexp.replace_all(b"\xffb\xfe\xfd", b"-", &mut Budget::new()).unwrap(), b"\xff-\xfd");
    }

    #[test]
    fn errors_are_gos() {
        for (pattern, message) in [
            ("a)", "unexpected ): `a)`"),
            ("(a", "missing closing ): `(a`"),
            ("[a", "missing closing ]: `[a`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"),
            ("a\\", "trailing backslash at end of expression: ``"),
            ("a|*", "missing argument to repetition operator: `*`"),
            ("a*??", "invalid nested repetition operator: `*??`"),
            ("(a{100}){11}", "invalid repeat count: `{11}`"),
            ("a{2,1}", "invalid repeat count: `{2,1}`"),
            ("(?P<n", "invalid named capture: `(?P<n`"),
            ("(?P<>a)", "invalid named capture: `(?P<>`"),
            ("(?i", "invalid or unsupported Perl syntax: `(?i`"),
            ("(?<n>a)", "invalid or unsupported Perl syntax: `(?<`"),
            (r"\8", r"invalid escape sequence: `\8`"),
            (r"\x{110000}", r"invalid escape sequence: `\x{110000}`"),
        ] {
            assert_eq!(refusal(pattern), message, "{pattern}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        assert!(refusal(&"(".repeat(5000)).starts_with("expression nests too deeply"));
        assert!(refusal("(((((.{10}){10}){10}.{10}){10}){10}){10}").starts_with("invalid repeat count"));
        let many = "(x)".repeat(5000);
        assert_eq!(Regexp::new(many.as_bytes()).unwrap_err().class, Class::Limit);
        // A look ahead to the end of the text for each of its characters.
        let text = "a".repeat(100_000);
        let regexp = Regexp::new(b"a*b|a").unwrap();
        let failure = regexp.replace_all(text.as_bytes(), b"", &mut Budget::new()).unwrap_err();
        assert_eq!(failure.class, Class::Limit);
    }
}

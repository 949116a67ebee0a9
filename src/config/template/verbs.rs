//! How Go's fmt writes single values.

use super::floats;
use super::printf::Printer;
use super::quote::{Show, can_backquote, quote, quote_char};
use super::runes::{self, is_print};
use super::values::Value;

impl Printer<'_> {
    /// Writes a text with the width, its padding before or behind it.
    pub(super) fn pad(&mut self, text: &[u8]) {
        let missing = self.flags.width.unwrap_or(0).saturating_sub(runes::count(text));
        let filler = if self.flags.zero { b'0' } else { b' ' };
        if self.flags.minus {
            self.write(text);
            self.repeat(filler, missing);
        } else {
            self.repeat(filler, missing);
            self.write(text);
        }
    }

    /// [`Printer::pad`] with spaces only.
    fn pad_with_spaces(&mut self, text: &[u8]) {
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text);
        self.flags.zero = zero;
    }

    pub(super) fn string_verb(&mut self, text: &[u8], verb: char, value: &Value) {
        match verb {
            'v' if self.flags.go_syntax => self.quoted(text),
            'v' | 's' => {
                let text = self.truncated(text);
                self.pad(text);
            }
            'q' => self.quoted(text),
            'x' => self.hexadecimal(text, false),
            'X' => self.hexadecimal(text, true),
            _ => self.bad_verb(value, verb),
        }
    }

    /// At most as many characters as the precision says.
    fn truncated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        match self.flags.precision {
            Some(most) => {
                let length = runes::runes(text).take(most).map(|(_, bytes)| bytes.len()).sum();
                text.get(..length).unwrap_or(text)
            }
            None => text,
        }
    }

    fn show(&self) -> Show {
        if self.flags.plus { Show::Ascii } else { Show::Printable }
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.truncated(text);
        if self.flags.sharp && can_backquote(text) {
            self.pad(&[b"`", text, b"`"].concat());
        } else {
            self.pad(quote(text, self.show()).as_bytes());
        }
    }

    /// `%x` of a text: two digits for each of its bytes.
    fn hexadecimal(&mut self, text: &[u8], upper: bool) {
        let text = text.get(..self.flags.precision.unwrap_or(text.len())).unwrap_or(text);
        let prefix: &[u8] = match (self.flags.sharp, upper) {
            (false, _) => b"",
            (true, false) => b"0x",
            (true, true) => b"0X",
        };
        let mut out = Vec::with_capacity(text.len() * 2);
        for (index, byte) in text.iter().enumerate() {
            if self.flags.space && index > 0 {
                out.push(b' ');
            }
            if index == 0 || self.flags.space {
                out.extend_from_slice(prefix);
            }
            let digits = if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
            out.extend_from_slice(digits.as_bytes());
        }
        self.pad(&out);
    }

    pub(super) fn integer_verb(&mut self, magnitude: u64, negative: bool, verb: char, value: &Value) {
        let digits = match verb {
            'v' | 'd' => magnitude.to_string(),
            'b' => format!("{magnitude:b}"),
            'o' | 'O' => format!("{magnitude:o}"),
            'x' => format!("{magnitude:x}"),
            'X' => format!("{magnitude:X}"),
            'c' | 'q' | 'U' => return self.character_verb(magnitude, negative, verb),
            _ => return self.bad_verb(value, verb),
        };
        if self.flags.precision == Some(0) && magnitude == 0 {
            let width = self.flags.width.unwrap_or(0);
            return self.repeat(b' ', width);
        }
        let sign = match (negative, self.flags.plus, self.flags.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        };
        // Zeros up to the width are digits to Go: the sign counts, a prefix comes on top.
        let least = match (self.flags.precision, self.flags.width) {
            (Some(precision), _) => precision,
            (None, Some(width)) if self.flags.zero => width.saturating_sub(sign.len()),
            (None, _) => 0,
        };
        let zeros = least.saturating_sub(digits.len());
        let prefix = match verb {
            'O' if self.flags.sharp && zeros == 0 && !digits.starts_with('0') => "0o0",
            'O' => "0o",
            'b' if self.flags.sharp => "0b",
            'o' if self.flags.sharp && zeros == 0 && !digits.starts_with('0') => "0",
            'x' if self.flags.sharp => "0x",
            'X' if self.flags.sharp => "0X",
            _ => "",
        };
        // The zeros are not made in memory: the printer knows how many are allowed.
        let length = sign.len() + prefix.len() + zeros.saturating_add(digits.len());
        let missing = self.flags.width.unwrap_or(0).saturating_sub(length);
        let (before, behind) = if self.flags.minus { (0, missing) } else { (missing, 0) };
        self.repeat(b' ', before);
        self.write(sign.as_bytes());
        self.write(prefix.as_bytes());
        self.repeat(b'0', zeros);
        self.write(digits.as_bytes());
        self.repeat(b' ', behind);
    }

    /// `%c`, `%q`, `%U` of a number.
    fn character_verb(&mut self, magnitude: u64, negative: bool, verb: char) {
        let code = if negative { magnitude.wrapping_neg() } else { magnitude };
        let c = u32::try_from(code).ok().and_then(char::from_u32);
        let shown = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        match verb {
            'c' => self.pad(shown.encode_utf8(&mut [0; 4]).as_bytes()),
            'q' => self.pad(quote_char(shown, self.show()).as_bytes()),
            _ => {
                let digits = self.flags.precision.unwrap_or(4).clamp(4, 1000);
                let mut text = format!("U+{code:0digits$X}");
                if self.flags.sharp
                    && let Some(c) = c.filter(|&c| is_print(c))
                {
                    text.push_str(" '");
                    text.push(c);
                    text.push('\'');
                }
                self.pad_with_spaces(text.as_bytes());
            }
        }
    }

    pub(super) fn float_verb(&mut self, number: f64, verb: char, value: &Value) {
        match verb {
            'v' => self.float(number, 'g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => self.float(number, verb, None),
            'f' | 'e' | 'E' => self.float(number, verb, Some(6)),
            'F' => self.float(number, 'f', Some(6)),
            _ => self.bad_verb(value, verb),
        }
    }

    pub(super) fn complex_verb(&mut self, real: f64, imaginary: f64, verb: char, value: &Value) {
        match verb {
            'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E' => {
                self.write(b"(");
                self.float_verb(real, verb, value);
                let plus = std::mem::replace(&mut self.flags.plus, true);
                self.float_verb(imaginary, verb, value);
                self.write(b"i)");
                self.flags.plus = plus;
            }
            _ => self.bad_verb(value, verb),
        }
    }

    fn float(&mut self, number: f64, verb: char, default_precision: Option<usize>) {
        let precision = self.flags.precision.or(default_precision);
        let negative = number.is_sign_negative() && !number.is_nan();
        let sign = match (negative, self.flags.plus, self.flags.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        };
        if !number.is_finite() {
            // Not a number that zeros could be put before. An infinity shows its sign only when asked.
            let name = if number.is_nan() { "NaN" } else { "Inf" };
            let sign = if sign.is_empty() && number.is_infinite() { "+" } else { sign };
            return self.pad_with_spaces(format!("{sign}{name}").as_bytes());
        }
        let mut digits = floats::format(number.abs(), verb, precision);
        if self.flags.sharp && verb != 'b' {
            digits = floats::with_point(&digits, verb, precision);
        }
        let length = sign.len() + digits.len();
        if let Some(width) = self.flags.width
            && self.flags.zero
            && width > length
        {
            self.write(sign.as_bytes());
            self.repeat(b'0', width - length);
            return self.write(digits.as_bytes());
        }
        self.pad(format!("{sign}{digits}").as_bytes());
    }
}

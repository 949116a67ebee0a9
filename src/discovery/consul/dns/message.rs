//! A question for addresses and its answer on the wire (RFC 1035 §4).

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const HEADER: usize = 12;
const NAME_ERROR: u8 = 3;

/// The kinds of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    V4,
    V6,
}

impl Kind {
    fn number(self) -> u16 {
        match self {
            Self::V4 => 1,
            Self::V6 => 28,
        }
    }
}

/// A question, ready to be sent.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) bytes: Vec<u8>,
    kind: Kind,
}

/// What an answer to a question says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Those there are; none if there is no such name or it has none of this kind.
    Addresses(Vec<IpAddr>),
    /// The whole answer is to be had over TCP.
    Cut,
    /// The server can't or doesn't want to.
    Refused(u8),
}

impl Question {
    /// # Errors
    /// A part of the name is empty or has more than 63 bytes, or all of it more than 253.
    pub(super) fn new(name: &str, kind: Kind) -> io::Result<Self> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "not a host name");
        // From the system's random numbers, so that nobody can guess it.
        let random = RandomState::new().build_hasher().finish().to_be_bytes();
        let mut bytes: Vec<u8> = random.into_iter().take(2).collect();
        // Recursion is desired; one question.
        bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        if name.len() > 253 {
            return Err(invalid());
        }
        for label in name.split('.') {
            let length =
                u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length)).ok_or_else(invalid)?;
            bytes.push(length);
            bytes.extend(label.bytes());
        }
        bytes.push(0);
        bytes.extend(kind.number().to_be_bytes());
        bytes.extend([0, 1]);
        Ok(Self { bytes, kind })
    }

    /// Reads an answer; none if it is not one to this question, or broken.
    pub(super) fn reply(&self, packet: &[u8]) -> Option<Reply> {
        let mut reader = Reader(packet);
        let [id_high, id_low, flags, code, _, questions, answers_high, answers_low] = reader.array()?;
        reader.take(HEADER.checked_sub(8)?)?;
        let is_answer = flags & 0x80 != 0 && questions == 1;
        if self.bytes.get(..2)? != [id_high, id_low] || !is_answer {
            return None;
        }
        let asked = self.bytes.get(HEADER..)?;
        if !reader.take(asked.len())?.eq_ignore_ascii_case(asked) {
            return None;
        }
        match code & 0x0f {
            0 if flags & 0x02 != 0 => return Some(Reply::Cut),
            0 => {}
            NAME_ERROR => return Some(Reply::Addresses(Vec::new())),
            code => return Some(Reply::Refused(code)),
        }
        let mut found = Vec::new();
        for _ in 0..u16::from_be_bytes([answers_high, answers_low]) {
            self.record(&mut reader, &mut found)?;
        }
        Some(Reply::Addresses(found))
    }

    /// Takes the address out of the next record; others, like those of aliases on the way, have none. None if it is
    /// broken.
    fn record(&self, reader: &mut Reader<'_>, found: &mut Vec<IpAddr>) -> Option<()> {
        reader.name()?;
        let [kind_high, kind_low, ..] = reader.array::<8>()?;
        let length = u16::from_be_bytes(reader.array()?);
        let data = reader.take(usize::from(length))?;
        if u16::from_be_bytes([kind_high, kind_low]) == self.kind.number() {
            found.push(match self.kind {
                Kind::V4 => Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into(),
                Kind::V6 => Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into(),
            });
        }
        Some(())
    }
}

/// The rest of a packet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// Goes past a name. Its end is a zero or a pointer, which is not followed.
    fn name(&mut self) -> Option<()> {
        loop {
            let [length] = self.array()?;
            match length {
                0 => return Some(()),
                1..=63 => drop(self.take(usize::from(length))?),
                192.. => return self.take(1).map(drop),
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An answer with these records: an alias before them.
    pub(in super::super) fn answer(question: &[u8], flags: [u8; 2], addresses: &[IpAddr]) -> Vec<u8> {
        let mut packet = question.to_vec();
        packet[2] |= 0x80 | flags[0];
        packet[3] |= flags[1];
        packet[7] = u8::try_from(addresses.len() + 1).unwrap();
        packet.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, b'x', 0xc0, 12]);
        for address in addresses {
            let (kind, data) = match address {
                IpAddr::V4(ip) => (1, ip.octets().to_vec()),
                IpAddr::V6(ip) => (28, ip.octets().to_vec()),
            };
            packet.extend([1, b'x', 0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 9, 0, u8::try_from(data.len()).unwrap()]);
            packet.extend(data);
        }
        packet
    }

    #[test]
    fn an_answer_is_read_and_others_are_not_for_us() {
        let question = Question::new("consul.example", Kind::V4).unwrap();
        let ips = ["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        let packet = answer(&question.bytes, [0, 0], &ips);
        assert_eq!(question.reply(&packet), Some(Reply::Addresses(vec![ips[0], ips[2]])));
        assert_eq!(question.reply(&answer(&question.bytes, [2, 0], &[])), Some(Reply::Cut));
        assert_eq!(question.reply(&answer(&question.bytes, [0, 3], &[])), Some(Reply::Addresses(Vec::new())));
        assert_eq!(question.reply(&answer(&question.bytes, [0, 2], &[])), Some(Reply::Refused(2)));
        let mut other = packet.clone();
        other[0] ^= 1;
        assert_eq!(question.reply(&other), None, "another's");
        assert_eq!(question.reply(&question.bytes), None, "a question");
        for end in 0..packet.len() {
            assert_eq!(question.reply(&packet[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn what_is_no_name_is_not_asked_for() {
        let long = [&"a".repeat(64), "b"].join(".");
        let longer = ["a"; 200].join(".");
        for name in ["", "a..b", &long, &longer] {
            assert!(Question::new(name, Kind::V4).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_packet_is_too_odd(rest in proptest::collection::vec(any::<u8>(), 0..600), keep in 0_usize..40) {
            let question = Question::new("consul", Kind::V6).unwrap();
            let mut packet = answer(&question.bytes, [0, 0], &["::1".parse().unwrap()]);
            packet.truncate(keep);
            packet.extend(rest);
            let _ = question.reply(&packet);
        }
    }
}

//! Failures that go on are said first, then only every 2ⁿ-th time (design §8), and their end once.

/// Behind a message, of what and how often: the default format shows no fields, and nobody shall have to guess.
pub(super) fn whose(kind: &str, name: &str, attempt: u64) -> String {
    if attempt > 1 { format!("({kind} {name}, attempt {attempt})") } else { format!("({kind} {name})") }
}

/// Counts failures in a row of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Suppress {
    failures: u64,
}

/// A failure that is to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Say {
    /// The how manieth in a row.
    pub(super) attempt: u64,
    /// How many were not said since the one that was; none if none.
    pub(super) suppressed: Option<u64>,
}

impl Suppress {
    /// Takes note of a failure, and tells whether to say it.
    pub(super) fn failed(&mut self) -> Option<Say> {
        self.failures = self.failures.saturating_add(1);
        let attempt = self.failures;
        // The last one said was half as far: the first, second, fourth, eighth...
        let unsaid = (attempt / 2).saturating_sub(1);
        attempt.is_power_of_two().then_some(Say { attempt, suppressed: (unsaid > 0).then_some(unsaid) })
    }

    /// Takes note of a success; gives how many failures there were before it, once.
    pub(super) fn recovered(&mut self) -> Option<u64> {
        let failures = std::mem::take(&mut self.failures);
        (failures > 0).then_some(failures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_then_every_power_of_two_is_said() {
        let mut suppress = Suppress::default();
        let said: Vec<(u64, Option<u64>)> =
            (0..20).filter_map(|_| suppress.failed()).map(|say| (say.attempt, say.suppressed)).collect();
        assert_eq!(said, [(1, None), (2, None), (4, Some(1)), (8, Some(3)), (16, Some(7))]);
    }

    #[test]
    fn the_end_is_said_once_and_the_next_failure_is_a_first_one() {
        let mut suppress = Suppress::default();
        assert_eq!(suppress.recovered(), None);
        suppress.failed();
        suppress.failed();
        suppress.failed();
        assert_eq!(suppress.recovered(), Some(3));
        assert_eq!(suppress.recovered(), None);
        assert_eq!(suppress.failed(), Some(Say { attempt: 1, suppressed: None }));
    }
}

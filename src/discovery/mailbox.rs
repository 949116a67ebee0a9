//! The queue of one between the loop and a service's task: the newest report wins.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::pace::now;
use crate::core::Report;

/// Holds the newest report, and how many withdrawals still wait for their answer.
///
/// Every [`Report::Withdraw`] that was put in is answered exactly once, also one that was replaced, and also when the
/// task panicked over it.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    inner: Mutex<Inner>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    letter: Option<Letter>,
    /// Withdrawals put in since the last report was taken out.
    waiting: usize,
    /// Withdrawals that were taken out, or replaced before, and are not answered yet.
    in_hand: usize,
    /// Nothing more will be put in.
    closed: bool,
}

/// A report and when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) report: Report,
    pub(super) came: Instant,
}

impl Mailbox {
    /// Replaces a report that is not yet taken. Never waits.
    pub(super) fn put(&self, report: Report) {
        let mut inner = self.lock();
        if report == Report::Withdraw {
            inner.waiting = inner.waiting.saturating_add(1);
        }
        inner.letter = Some(Letter { report, came: now() });
        drop(inner);
        self.news.notify_one();
    }

    /// Nothing more will be put in: who waits without an end is told that there is nothing.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.news.notify_one();
    }

    /// Whether that is so.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits for a report, until this moment if there is one. None when that has come, or nothing can any more. Cancel safe.
    pub(super) async fn next(&self, until: Option<Instant>) -> Option<Letter> {
        loop {
            if let Some(letter) = self.take() {
                return Some(letter);
            }
            let news = self.news.notified();
            match until {
                Some(until) => timeout_at(until, news).await.ok()?,
                None if self.is_closed() => return None,
                None => news.await,
            }
        }
    }

    /// Waits until the newest report is to withdraw. Takes nothing.
    pub(super) async fn withdrawal(&self) {
        while !self.is_withdrawal() {
            self.news.notified().await;
        }
    }

    /// Whether the newest report, not yet taken, is to withdraw.
    pub(super) fn is_withdrawal(&self) -> bool {
        self.lock().letter.as_ref().is_some_and(|letter| letter.report == Report::Withdraw)
    }

    /// One withdrawal that is in hand and has to be answered now; none when all are.
    pub(super) fn answer_one(&self) -> bool {
        let mut inner = self.lock();
        let any = inner.in_hand > 0;
        inner.in_hand = inner.in_hand.saturating_sub(1);
        any
    }

    fn take(&self) -> Option<Letter> {
        let mut inner = self.lock();
        let letter = inner.letter.take()?;
        inner.in_hand = inner.in_hand.saturating_add(std::mem::take(&mut inner.waiting));
        Some(letter)
    }

    /// Plain numbers are never half changed, so a panic while they were locked harms nothing.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answers(mailbox: &Mailbox) -> usize {
        std::iter::from_fn(|| mailbox.answer_one().then_some(())).count()
    }

    #[tokio::test]
    async fn only_the_newest_is_handed_out() {
        let mailbox = Mailbox::default();
        for n in 0..1000 {
            mailbox.put(Report::Failing(n.to_string()));
        }
        mailbox.put(Report::Passing);
        assert_eq!(mailbox.next(None).await.unwrap().report, Report::Passing);
        assert_eq!(mailbox.next(Some(now() + Duration::from_millis(10))).await, None);
    }

    #[tokio::test]
    async fn every_withdrawal_is_answered_once_even_when_replaced() {
        let mailbox = Mailbox::default();
        mailbox.put(Report::Withdraw);
        mailbox.put(Report::Withdraw);
        mailbox.put(Report::Passing);
        assert_eq!(answers(&mailbox), 0, "not before the task has seen it");
        mailbox.next(None).await;
        assert_eq!(answers(&mailbox), 2);
        mailbox.put(Report::Withdraw);
        mailbox.next(None).await;
        mailbox.put(Report::Withdraw);
        assert_eq!(answers(&mailbox), 1, "the second is not done yet");
    }
}

//! A panic in a leaf task is a logged error, not the end of PID 1 (design §7).
//!
//! `discovery`, `http` and `telemetry` all run tasks. The panic hook of `app` leaves the jobs alone unless it is the loop
//! itself that panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tracing::error;

/// The pause before a task that panicked begins anew, so that one that always does costs little.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs a task that never ends, and begins it anew when it panics. `name` is the service that a panic's record names.
pub async fn for_ever<F: Future<Output = ()> + Send>(name: &str, task: impl Fn() -> F) {
    loop {
        match (Caught { inner: Box::pin(task()) }).await {
            Ok(()) => return,
            Err(panic) => {
                error!(service = name, "internal error, please report it: {}", words(panic.as_ref()));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Runs a task once. `None` when it panicked, which is told: `name` is the field `task` of that record.
pub async fn once<F: Future>(name: &str, task: F) -> Option<F::Output> {
    match (Caught { inner: Box::pin(task) }).await {
        Ok(output) => Some(output),
        Err(panic) => {
            error!(task = name, "internal error, please report it: {}", words(panic.as_ref()));
            None
        }
    }
}

/// For the tests of row 22, where a task that breaks is needed. Not in a release.
///
/// # Panics
/// Once, if the environment names this.
#[cfg(debug_assertions)]
pub fn panic_on_purpose(what: &str) {
    use std::sync::atomic::{AtomicBool, Ordering};
    static DONE: AtomicBool = AtomicBool::new(false);
    let is_named = std::env::var_os("CONTAINERPILOT_PANIC_ON").is_some_and(|name| name == what);
    assert!(!is_named || DONE.swap(true, Ordering::Relaxed), "told to panic in {what}");
}

/// What the panic says. The place where it happened is in the hook's message.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panic")
}

/// A future whose panic is a value.
struct Caught<F> {
    inner: Pin<Box<F>>,
}

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Unwind safe: after a panic the future is dropped, and what it shares is behind locks that hold plain data.
        let polled = catch_unwind(AssertUnwindSafe(|| self.inner.as_mut().poll(context)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_panic_of_a_task_that_runs_once_is_its_end() {
        assert_eq!(once("a", async { 1 }).await, Some(1));
        assert_eq!(once("b", async { assert_ne!(1, 1, "it panics") }).await, None);
    }

    #[tokio::test]
    async fn a_panic_is_survived_and_the_task_begins_anew() {
        let begun = AtomicU32::new(0);
        for_ever("web", || async {
            assert!(begun.fetch_add(1, Ordering::Relaxed) > 0, "the first time it panics");
        })
        .await;
        assert_eq!(begun.load(Ordering::Relaxed), 2);
    }
}

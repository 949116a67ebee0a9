//! The loop and the control socket: who asks is answered.

use nix::sys::resource::{Resource, getrlimit};
use tokio::sync::oneshot;
use tracing::warn;

use super::Driver;
use super::reload::{self, Refused, Until};
use crate::control::{Asked, Control, Reply, Request};
use crate::core::{Input, count};
use crate::telemetry;

/// So many requests are answered before everything else gets its turn.
const REQUESTS: usize = 16;

/// So much may all variables take, as the kernel counts, where the stack is as large as mostly: 8 MiB.
const LARGEST_ENVIRONMENT: usize = 1024 * 1024;
/// So much may they take with the smallest of stacks.
const SMALLEST_ENVIRONMENT: usize = 64 * 1024;

/// What variables may take in all: half of what the kernel has for them and the arguments, which depends on the limit of the
/// stack that children get.
fn largest_environment() -> usize {
    let stack = getrlimit(Resource::RLIMIT_STACK).map_or(u64::MAX, |(soft, _)| soft);
    usize::try_from(stack / 8).unwrap_or(usize::MAX).clamp(SMALLEST_ENVIRONMENT, LARGEST_ENVIRONMENT)
}

/// Waits for a request; for ever if there is none to come.
pub(super) async fn news(control: Option<&mut Control>) {
    match control {
        Some(control) => control.ready().await,
        None => std::future::pending().await,
    }
}

impl Driver {
    /// Does what is asked.
    pub(super) fn hear_requests(&mut self) {
        self.a_turn_of(REQUESTS, |driver| {
            let Some(asked) = driver.control.as_mut().and_then(Control::take) else { return false };
            driver.on_request(asked);
            true
        });
    }

    fn on_request(&mut self, asked: Asked) {
        match &asked.request {
            Request::Environ(pairs) => {
                if let Err(reply) = self.set_variables(pairs) {
                    asked.answer(reply);
                    return;
                }
            }
            Request::Metric(pairs) => {
                if let Err(reply) = self.record(pairs) {
                    asked.answer(reply);
                    return;
                }
            }
            Request::Maintenance(on) => self.inbox.push_back(Input::Maintenance(*on)),
            Request::Reload => {
                self.answer_when_accepted(asked);
                return;
            }
            Request::Ping => {}
            Request::V4(query) => {
                let query = query.clone();
                self.on_query(asked, &query);
                return;
            }
        }
        asked.answer(Reply::Done);
    }

    /// v3 answers a reload at once. We do so when the configuration is judged, and say if it is bad (design §4 row 11).
    fn answer_when_accepted(&mut self, mut asked: Asked) {
        let (answer, judged) = oneshot::channel();
        self.ask_reload(Some(reload::Request { until: Until::Accepted, answer }));
        tokio::spawn(async move {
            let refused = |code, message| Reply::Refused { code, message };
            let judged = tokio::select! {
                judged = judged => judged,
                () = asked.given_up() => return,
            };
            match judged {
                Ok(Ok(_)) => asked.answer(Reply::Done),
                Ok(Err(Refused::Stopping)) => asked.answer(refused(409, "everything is stopping".to_owned())),
                Ok(Err(Refused::Invalid(lines))) => asked.answer(refused(422, lines.join("\n"))),
                // The end came first; whoever asked hears that nobody is there.
                Err(_) => {}
            }
        });
    }

    /// All of them or none: nothing takes a variable away again, and without an end nothing could be started one day.
    fn set_variables(&mut self, pairs: &[(String, String)]) -> Result<(), Reply> {
        let mut env = self.env.clone();
        for (name, value) in pairs {
            env.set(name.as_str(), value.as_str());
        }
        // What we were started with may be more: that can be replaced.
        let most = largest_environment();
        if env.size() > most.max(self.env.size()) {
            let message = format!(
                "all variables together would take {} bytes, {most} are the most: none of {} is set",
                env.size(),
                count(pairs.len(), "variable")
            );
            warn!("control: {message}");
            return Err(Reply::Refused { code: 422, message });
        }
        self.env = env;
        Ok(())
    }

    /// All values or none: a bad one refuses the whole request. Where no metrics are configured there are none of the
    /// names, which v3 took silently.
    fn record(&mut self, pairs: &[(String, String)]) -> Result<(), Reply> {
        let now = self.now();
        let Some(metrics) = &mut self.telemetry else { return Ok(()) };
        let refused = |why: telemetry::Refused| Reply::Refused { code: 422, message: why.to_string() };
        for (key, value) in pairs {
            metrics.check(key, value).map_err(refused)?;
        }
        for (key, value) in pairs {
            metrics.record(key, value, now).map_err(refused)?;
        }
        Ok(())
    }
}

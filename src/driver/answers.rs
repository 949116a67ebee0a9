//! The loop and `/v4`: who asks how things stand is told, who orders something is obeyed, or told why not.

use std::ffi::OsStr;

use serde::Serialize;
use tokio::sync::oneshot;
use tracing::info;

use super::Driver;
use super::reload::{self, Refused, Until};
use super::views;
use crate::api;
use crate::control::{Asked, Query, Reply, no_such_job};
use crate::core::{Input, Job, Order, State};
use crate::plan::{Signal, shown_variable};

impl Driver {
    /// Answers a question or an order of `/v4`.
    pub(super) fn on_query(&mut self, asked: Asked, query: &Query) {
        self.hear_of_failed_starts();
        let reply = match query {
            Query::Overview => json(&self.overview()),
            Query::Job(name) => self.of_job(name, |driver| json(&api::Jobs { jobs: driver.jobs_named(name) })),
            Query::Why(name) => self.of_job(name, |driver| driver.why(name).map_or_else(gone, |why| json(&why))),
            Query::Watches => json(&self.watches_view()),
            Query::Env => json(&self.env_view()),
            Query::Maintenance => json(&self.maintenance_view()),
            Query::SetMaintenance(on) => self.set_maintenance(*on),
            Query::Start(name) => self.order(name, Order::Start),
            Query::Stop(name) => self.order(name, Order::Stop),
            Query::Restart(name) => self.order(name, Order::Restart),
            Query::Signal(name, signal) => self.order(name, Order::Signal(*signal)),
            Query::ReopenLogs => {
                self.log.reopen();
                said("the log is opened again, if it is a file")
            }
            Query::ReopenJobLogs(name) => self.of_job(name, |driver| {
                driver.log.reopen();
                said("it writes into the log of all, which is opened again, if it is a file")
            }),
            Query::Shutdown => {
                // Twice is once: who asks again may not have heard the answer.
                self.inbox.push_back(Input::Stop { reason: "a request to the control socket".to_owned() });
                said("everything stops")
            }
            Query::Ping => Reply::Done,
            Query::Reload { dry_run } => return self.answer_when_reloaded(asked, *dry_run),
        };
        asked.answer(reply);
    }

    fn of_job(&mut self, name: &str, then: impl FnOnce(&mut Self) -> Reply) -> Reply {
        if self.world.has_job(name) { then(self) } else { self.no_such_job(name) }
    }

    fn no_such_job(&self, name: &str) -> Reply {
        let names: Vec<&str> = self.world.jobs().map(|job| job.spec().name.as_str()).collect();
        Reply::Error { code: 404, error: no_such_job(name, &names) }
    }

    fn order(&mut self, name: &str, order: Order) -> Reply {
        if !self.world.has_job(name) {
            return self.no_such_job(name);
        }
        if let Some(why) = self.world.refuses_orders(name) {
            return refused(409, "conflict", format!("{name}: {why}"));
        }
        let before = self.states_of(name);
        let runs = before.iter().any(|(_, running)| *running);
        if let (Order::Signal(signal), false) = (order, runs) {
            return refused(409, "conflict", format!("{name} does not run: nobody gets {}", signal.name()));
        }
        let what = match order {
            Order::Start => "start",
            Order::Stop => "stop",
            Order::Restart => "restart",
            Order::Signal(_) => "signal",
        };
        info!("{name}: {what} was asked for on the control socket");
        self.step(&Input::Order { job: name.to_owned(), order });
        let now: Vec<State> = self.states_of(name).into_iter().map(|(state, _)| state).collect();
        self.hear_of_failed_starts();
        let said = match order {
            Order::Start | Order::Restart => self.why_not_started(name),
            Order::Stop | Order::Signal(_) => None,
        };
        let said = said.unwrap_or_else(|| what_was_done(name, order, &before, &now));
        json(&api::Done { said, jobs: self.jobs_named(name) })
    }

    /// That a job of this name was to start and could not for want of something, if so.
    fn why_not_started(&self, name: &str) -> Option<String> {
        let mut named = self.world.jobs().filter(|job| job.spec().name == name);
        let why = named.find_map(Job::failing_start)?;
        Some(format!("{name} could not be started and is tried again: {why}"))
    }

    /// Each job's state, and whether it has a process.
    fn states_of(&self, name: &str) -> Vec<(State, bool)> {
        let named = self.world.jobs().filter(|job| job.spec().name == name);
        named.map(|job| (job.state(), job.is_running())).collect()
    }

    fn env_view(&self) -> api::Env {
        let shown = |(name, value): (&OsStr, &OsStr)| {
            let name = name.to_string_lossy().into_owned();
            let value = shown_variable(&name, &value.to_string_lossy()).into_owned();
            (name, value)
        };
        api::Env { env: self.env.iter().map(shown).collect() }
    }

    fn maintenance_view(&self) -> api::Maintenance {
        api::Maintenance { on: self.world.in_maintenance(), services: Some(self.services()), toggled: false }
    }

    fn set_maintenance(&mut self, on: bool) -> Reply {
        if self.world.is_stopping() {
            return refused(409, "conflict", "everything is stopping".to_owned());
        }
        // What is so already need not be an event again.
        if self.world.in_maintenance() == on {
            return json(&self.maintenance_view());
        }
        let services = if on { self.registered_services() } else { self.services() };
        self.step(&Input::Maintenance(on));
        json(&api::Maintenance { services: Some(services), toggled: true, ..self.maintenance_view() })
    }

    fn services(&self) -> usize {
        let services = self.world.jobs().filter(|job| job.spec().service.is_some()).count();
        self.discovery.as_ref().map_or(0, |_| services)
    }

    /// Those that Consul knows, for all we know.
    fn registered_services(&self) -> usize {
        let Some(discovery) = &self.discovery else { return 0 };
        self.world.ids().filter(|id| discovery.standing(*id).is_some()).count()
    }

    /// When it is done, or refused; a trial when it is judged.
    fn answer_when_reloaded(&mut self, mut asked: Asked, dry_run: bool) {
        let (answer, done) = oneshot::channel();
        let until = if dry_run { Until::Judged } else { Until::Done };
        let began = tokio::time::Instant::now();
        self.ask_reload(Some(reload::Request { until, answer }));
        tokio::spawn(async move {
            let done = tokio::select! {
                done = done => done,
                () = asked.given_up() => return,
            };
            let reply = match done {
                Ok(Ok(summary)) => {
                    let took = (!dry_run).then(|| began.elapsed());
                    json(&views::reloaded(&summary, dry_run, took))
                }
                Ok(Err(Refused::Stopping)) => refused(409, "conflict", "everything is stopping".to_owned()),
                Ok(Err(Refused::Invalid(details))) => {
                    let message = "the configuration is not good: the running one is unchanged".to_owned();
                    Reply::Error { code: 422, error: api::Error { code: "invalid".to_owned(), message, details } }
                }
                // The end came first; whoever asked hears that nobody is there.
                Err(_) => return,
            };
            asked.answer(reply);
        });
    }
}

fn what_was_done(name: &str, order: Order, before: &[(State, bool)], now: &[State]) -> String {
    let all = |state: State| now.iter().all(|now| *now == state);
    let were = |state: State| before.iter().all(|(before, _)| *before == state);
    match order {
        Order::Start if were(State::Running) => format!("{name} runs already"),
        Order::Start if now.contains(&State::Stopping) => format!("{name} starts as soon as it has stopped"),
        Order::Start if all(State::Running) => format!("{name} starts"),
        Order::Start => format!("{name} starts when maintenance ends"),
        Order::Stop if were(State::Stopped) || were(State::Done) => format!("{name} does not run"),
        Order::Stop if now.contains(&State::Stopping) => format!("{name} stops"),
        Order::Stop => format!("{name} is stopped"),
        Order::Restart if now.contains(&State::Stopping) => format!("{name} stops, then starts"),
        Order::Restart => format!("{name} starts"),
        Order::Signal(signal) => format!("{name} gets {}", Signal::name(signal)),
    }
}

fn json(of: &impl Serialize) -> Reply {
    match serde_json::to_string(of) {
        Ok(text) => Reply::Json(text),
        Err(error) => refused(500, "internal", format!("the answer can't be written: {error}")),
    }
}

fn said(what: &str) -> Reply {
    json(&api::Said { said: what.to_owned() })
}

fn gone() -> Reply {
    refused(404, "notFound", "it is gone".to_owned())
}

fn refused(status: u16, code: &str, message: String) -> Reply {
    Reply::Error { code: status, error: api::Error::new(code, message) }
}

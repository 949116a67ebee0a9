//! The verbs that ask a running instance: where it may be, and what the console has to know of this host.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::ask::SOCKET;
use super::{Failed, complain, path_of, source_of};
use crate::cli::Verb;
use crate::config::{self, Context, Outcome};
use crate::console::{self, Host};
use crate::control::client;
use crate::env::Environment;
use crate::exit::Exit;
use crate::log::Zone;
use crate::{plan, process};

/// Carries out a verb.
pub(super) fn run(socket: Option<PathBuf>, verb: Verb) -> Exit {
    let env = Environment::of_this_process();
    let (places, note) = places(socket, &env);
    let zone = Zone::of_this_process();
    if let Some(doubt) = zone.doubt() {
        complain(&format!("containerpilot: {doubt}\n"));
    }
    let offset = Box::new(move |seconds| zone.offset(seconds));
    console::run(verb, &Host { places, note, env, terminal_size: process::terminal_size, offset })
}

/// Where the socket may be, and what is to be told of that when nobody answers. The variable that every job is given counts
/// before the configuration, which need not be readable here. One that can't be used says nothing of the instance that
/// runs, which may have been started with a better one: then it is where it would be by default.
fn places(socket: Option<PathBuf>, env: &Environment) -> (Vec<PathBuf>, String) {
    let named = socket.or_else(|| env.get(SOCKET).filter(|path| !path.is_empty()).map(PathBuf::from));
    if let Some(path) = named {
        return (vec![path], String::new());
    }
    let (control, note) = match env.get_text("CONTAINERPILOT").filter(|path| !path.is_empty()) {
        None => (plan::Control::default(), String::new()),
        Some(file) => {
            let control = configured(env);
            let says = if control.is_some() { "says where" } else { "can't be used: these are the default places" };
            (control.unwrap_or_default(), format!("{file}, which CONTAINERPILOT names, {says}"))
        }
    };
    (client::places(&control, env.get("XDG_RUNTIME_DIR").map(OsStr::to_owned).as_deref()), note)
}

/// What the configuration says of the socket.
fn configured(env: &Environment) -> Option<plan::Control> {
    let source = path_of(None, env).and_then(|path| source_of(&path)).map_err(|Failed(..)| ()).ok()?;
    let Outcome { plan, .. } = config::compile(&source, &Context::of_this_host(env.clone()), false);
    plan.map(|plan| plan.control)
}

//! A job, its `when`, its health check and its backoff.

use serde_json::{Value, json};

use super::kind::{
    command, duration, either, fraction, interfaces, length, list, name, pause, seconds, switch, templated, text,
    whole, whole_from, word, word_or,
};
use super::{Field, consul, object};
use crate::config::raw;
use crate::config::validate::{DOCUMENTED, EVENTS, OTHER_SIGNAL, STATUSES};
use crate::plan::Backoff;

/// A job.
pub(super) fn job() -> Value {
    object(raw::JOB, &["name"], field)
}

fn field(key: &str) -> Option<Field> {
    Some(match key {
        "name" => Field::new(
            "The source of the job's events. With a `port` it must be a name that Consul takes: a lower-case letter, then \
             letters, digits and dashes.",
            name(),
        )
        .example("web"),
        "exec" => Field::new(
            "The command: a list, or a text that is split at every single space. No shell, no quotes. Without one the job \
             has only a life cycle and never completes by itself.",
            command(),
        )
        .example(json!(["/bin/server", "--port", "8080"]))
        .example("/bin/server --port 8080"),
        "port" => Field::new("The port of the service that the job registers in Consul. Wants `health`.", whole())
            .example(8080),
        "initial_status" => Field::new(
            "Registers the service at once with this status, before the first check.",
            word_or(&STATUSES.map(|(word, _)| word), "^$"),
        )
        .example("critical"),
        "interfaces" => Field::new(
            "Where the service's address comes from: the first that matches. For example `eth0`, `eth0:inet6`, \
             `eth0[1]`, `inet`, `inet6`, `10.0.0.0/8`, `static:192.0.2.10`.",
            interfaces(),
        )
        .default(json!(["eth0:inet", "inet"]))
        .example("eth1:inet")
        .example(json!(["10.0.0.0/8", "inet"])),
        "tags" => Field::new("Tags of the service.", list(&text())).example(json!(["public"])),
        "consul" => Field::new("What Consul is told of the service beside the usual.", consul::extras())
            .example(json!({"deregisterCriticalServiceAfter": "10m"})),
        "health" => Field::new("The job's health check, and its heartbeat for Consul.", health())
            .example(json!({"exec": "/bin/check", "interval": 5, "ttl": 15})),
        "timeout" => Field::new(
            "How long one run may take before its process group is killed. With `when.interval` it is that interval \
             unless given.",
            pause(),
        )
        .example("30s"),
        "restarts" => Field::new(
            "How often it is started again after it ended; with `when.interval` how often it is due, `unlimited` unless given.",
            either(&[
                json!({"enum": ["never", "unlimited"]}),
                json!({"type": "number", "minimum": 0}),
                json!({"type": "string", "pattern": "^(\\+?[0-9]+|-0+)$"}),
                templated(),
                json!({"type": "null"}),
            ]),
        )
        .default("never")
        .example("unlimited")
        .example(3),
        "stopTimeout" => Field::new(
            "How long it waits, when it stops, for jobs that start on its `stopping`; and how long it may run in a stop, \
             if it starts on another's `stopped`.",
            duration(),
        )
        .default("60s")
        .example("10s"),
        "when" => Field::new("What starts it. Without it, the start of the program does.", when())
            .example(json!({"source": "db", "once": "healthy"})),
        "logging" => Field::new("How its output is treated.", logging()).example(json!({"raw": true})),
        "backoff" => Field::new(
            "The pauses before unlimited restarts, once runs keep ending within a second. `false`: none, as in \
             ContainerPilot 3.",
            either(&[json!({"const": false}), object(raw::BACKOFF, &[], backoff)]),
        )
        .ours()
        .example(json!({"max": "30s"}))
        .example(false),
        "main" => Field::new(
            "The container's application: when it ends for good everything stops, and its exit status is ours. One job at most.",
            switch(),
        )
        .ours()
        .default(false)
        .example(true),
        "exitCode" => Field::new(
            "`override`: the status of this job's last run is ours, whatever the others say. One job at most.",
            word(&["override"]),
        )
        .ours()
        .example("override"),
        "pauseInMaintenance" => Field::new("It isn't started while maintenance mode is on.", switch())
            .ours()
            .default(false)
            .example(true),
        _ => return None,
    })
}

fn when() -> Value {
    object(raw::WHEN, &[], |key| {
        Some(match key {
            "source" => Field::new(
                "Who publishes the event: a job's name, `check.JOB`, `watch.NAME`, `global`, or a signal like `SIGHUP` \
                 that needs no event.",
                text(),
            )
            .example("db")
            .example("watch.db"),
            "once" => Field::new("It starts the first time that this event happens.", event()).example("healthy"),
            "each" => Field::new("It starts every time that this event happens.", event()).example("exitFailed"),
            "interval" => {
                Field::new("It starts with the program, and then after each such time.", pause()).example("10s")
            }
            "timeout" => {
                Field::new("It gives up when it has not been started after so long.", duration()).example("30s")
            }
            _ => return None,
        })
    })
}

/// Some names of events are ContainerPilot's inside: they are taken, but nobody should use them.
fn event() -> Value {
    let names = EVENTS.map(|(name, _)| name);
    let (documented, inside) = names.split_at_checked(DOCUMENTED).unwrap_or((&names, &[]));
    let inside = inside.iter().copied().chain([OTHER_SIGNAL]).collect::<Vec<_>>().join("|");
    word_or(documented, &format!("^({inside})?$"))
}

fn health() -> Value {
    object(raw::HEALTH, &["interval", "ttl"], |key| {
        Some(match key {
            "exec" => Field::new(
                "The check: healthy if it ends with 0. Without it, a job with a port is reported alive while it has been started.",
                command(),
            )
            .example("/bin/check"),
            "interval" => {
                Field::new("Seconds between checks. The first is one interval after the start of the program.", seconds())
                    .example(5)
            }
            "ttl" => Field::new("Seconds until Consul gives up waiting for the next report.", seconds()).example(15),
            "timeout" => Field::new(
                "After which the check's process group is killed; `0` is never. It is `interval` unless given.",
                duration(),
            )
            .example("2s"),
            "logging" => Field::new("How the check's output is treated.", logging()).example(json!({"raw": true})),
            _ => return None,
        })
    })
}

fn logging() -> Value {
    object(raw::RAW_LOGGING, &[], |key| {
        (key == "raw").then(|| {
            Field::new("Its output goes to our own descriptors, untouched.", switch()).default(false).example(true)
        })
    })
}

fn backoff(key: &str) -> Option<Field> {
    let default = Backoff::default();
    let field = match key {
        "free" => Field::new("So many restarts in a row are immediate.", whole_from(0, Some(u32::MAX.into())))
            .default(default.free)
            .example(0),
        "initial" => Field::new("The first pause.", pause()).default(length(default.initial)).example("1s"),
        "factor" => {
            Field::new("Each pause to the one before.", fraction(1.0, 1_000.0)).default(default.factor).example(1.5)
        }
        "max" => Field::new("The longest pause; after a run that ended with status 0 at most 1 s.", pause())
            .default(length(default.max))
            .example("1m"),
        "healthyAfter" => Field::new("A run that lasted so long makes all of it start again.", pause())
            .default(length(default.healthy_after))
            .example("1m"),
        "jitter" => Field::new("Up to this share of a pause is added to it.", fraction(0.0, 1.0))
            .default(default.jitter)
            .example(0.2),
        _ => return None,
    };
    Some(field.ours())
}

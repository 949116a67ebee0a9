//! A job, its `when`, its health check and its backoff.

use super::kind::{
    NOTHING, OFF, command, duration, either, fraction, interfaces, list, matching, name, one_of, pause, seconds,
    switch, text, whole, word, word_or,
};
use super::{Field, consul, object};
use crate::config::raw;
use crate::config::validate::{DOCUMENTED, OTHER_SIGNAL, STATUSES, events};

/// A number of 32 bits.
const FREE: &str = r#", "exclusiveMinimum": -1, "exclusiveMaximum": 4294967296"#;

/// A job.
pub(super) fn job() -> String {
    object(raw::JOB, &["name"], &field)
}

fn field(key: &str) -> Option<Field> {
    Some(match key {
        "name" => (
            name(),
            "The source of the job's events. With a `port` it must be a name that Consul takes: a lower-case letter, then \
             letters, digits and dashes.",
            r#""examples": ["web"]"#,
        ),
        "exec" => (
            command(),
            "The command: a list, or a text that is split at every single space. No shell, no quotes. Without one the job \
             has only a life cycle and never completes by itself.",
            r#""examples": [["/bin/server", "--port", "8080"], "/bin/server --port 8080"]"#,
        ),
        "port" => (
            whole(""),
            "The port of the service that the job registers in Consul. Wants `health`.",
            r#""examples": [8080]"#,
        ),
        "initial_status" => (
            word_or(&STATUSES.map(|(word, _)| word), "^$"),
            "Registers the service at once with this status, before the first check.",
            r#""examples": ["critical"]"#,
        ),
        "interfaces" => (
            interfaces("\"string\", "),
            "Where the service's address comes from: the first that matches. For example `eth0`, `eth0:inet6`, \
             `eth0[1]`, `inet`, `inet6`, `10.0.0.0/8`, `static:192.0.2.10`.",
            r#""default": ["eth0:inet", "inet"], "examples": ["eth1:inet", ["10.0.0.0/8", "inet"]]"#,
        ),
        "tags" => (list(&text()), "Tags of the service.", r#""examples": [["public"]]"#),
        "consul" => (
            consul::extras(),
            "What Consul is told of the service beside the usual.",
            r#""examples": [{"deregisterCriticalServiceAfter": "10m"}]"#,
        ),
        "health" => (
            health(),
            "The job's health check, and its heartbeat for Consul.",
            r#""examples": [{"exec": "/bin/check", "interval": 5, "ttl": 15}]"#,
        ),
        "timeout" => (
            pause(),
            "How long one run may take before its process group is killed. With `when.interval` it is that interval \
             unless given.",
            r#""examples": ["30s"]"#,
        ),
        "restarts" => (
            either(&[
                one_of(&["never", "unlimited"]),
                r#"{"type": "number", "minimum": 0}"#.to_owned(),
                matching(r"^(\\+?[0-9]+|-0+)$"),
                NOTHING.to_owned(),
            ]),
            "How often it is started again after it ended; with `when.interval` how often it is due, `unlimited` unless given.",
            r#""default": "never", "examples": ["unlimited", 3]"#,
        ),
        "stopTimeout" => (
            duration(),
            "How long it waits, when it stops, for jobs that start on its `stopping`; and how long it may run in a stop, \
             if it starts on another's `stopped`.",
            r#""default": "60s", "examples": ["10s"]"#,
        ),
        "when" => (
            when(),
            "What starts it. Without it, the start of the program does.",
            r#""examples": [{"source": "db", "once": "healthy"}]"#,
        ),
        "logging" => (logging(), "How its output is treated.", r#""examples": [{"raw": true}]"#),
        "backoff" => (
            either(&[OFF.to_owned(), object(raw::BACKOFF, &[], &backoff)]),
            "The pauses before unlimited restarts, once runs keep ending within a second. `false`: none, as in \
             ContainerPilot 3. New in 4.0.",
            r#""examples": [{"max": "30s"}, false]"#,
        ),
        "main" => (
            switch(),
            "The container's application: when it ends for good everything stops, and its exit status is ours. One job at most. New in 4.0.",
            r#""default": false, "examples": [true]"#,
        ),
        "exitCode" => (
            word(&["override"]),
            "`override`: the status of this job's last run is ours, whatever the others say. One job at most. New in 4.0.",
            r#""examples": ["override"]"#,
        ),
        "pauseInMaintenance" => (
            switch(),
            "It isn't started while maintenance mode is on. New in 4.0.",
            r#""default": false, "examples": [true]"#,
        ),
        _ => return None,
    })
}

fn when() -> String {
    object(raw::WHEN, &[], &|key| {
        Some(match key {
            "source" => (
                text(),
                "Who publishes the event: a job's name, `check.JOB`, `watch.NAME`, `global`, or a signal like `SIGHUP` \
                 that needs no event.",
                r#""examples": ["db", "watch.db"]"#,
            ),
            "once" => (event(), "It starts the first time that this event happens.", r#""examples": ["healthy"]"#),
            "each" => (event(), "It starts every time that this event happens.", r#""examples": ["exitFailed"]"#),
            "interval" => {
                (pause(), "It starts with the program, and then after each such time.", r#""examples": ["10s"]"#)
            }
            "timeout" => {
                (duration(), "It gives up when it has not been started after so long.", r#""examples": ["30s"]"#)
            }
            _ => return None,
        })
    })
}

/// Some names of events are ContainerPilot's inside: they are taken, but nobody should use them.
fn event() -> String {
    let names: Vec<&str> = events().map(|(name, _)| name).collect();
    let (documented, inside) = names.split_at_checked(DOCUMENTED).unwrap_or((&names, &[]));
    let inside = inside.iter().copied().chain([OTHER_SIGNAL]).collect::<Vec<_>>().join("|");
    word_or(documented, &format!("^({inside})?$"))
}

fn health() -> String {
    object(raw::HEALTH, &["interval", "ttl"], &|key| {
        Some(match key {
            "exec" => (
                command(),
                "The check: healthy if it ends with 0. Without it, a job with a port is reported alive while it has been started.",
                r#""examples": ["/bin/check"]"#,
            ),
            "interval" => (
                seconds(),
                "Seconds between checks. The first is one interval after the start of the program.",
                r#""examples": [5]"#,
            ),
            "ttl" => (seconds(), "Seconds until Consul gives up waiting for the next report.", r#""examples": [15]"#),
            "timeout" => (
                duration(),
                "After which the check's process group is killed; `0` is never. It is `interval` unless given.",
                r#""examples": ["2s"]"#,
            ),
            "logging" => (logging(), "How the check's output is treated.", r#""examples": [{"raw": true}]"#),
            _ => return None,
        })
    })
}

fn logging() -> String {
    object(raw::RAW_LOGGING, &[], &|key| {
        (key == "raw").then(|| {
            (switch(), "Its output goes to our own descriptors, untouched.", r#""default": false, "examples": [true]"#)
        })
    })
}

fn backoff(key: &str) -> Option<Field> {
    let field = match key {
        "free" => {
            (whole(FREE), "So many restarts in a row are immediate. New in 4.0.", r#""default": 5, "examples": [0]"#)
        }
        "initial" => (pause(), "The first pause. New in 4.0.", r#""default": "100ms", "examples": ["1s"]"#),
        "factor" => {
            (fraction(1, 1_000), "Each pause to the one before. New in 4.0.", r#""default": 2.0, "examples": [1.5]"#)
        }
        "max" => (
            pause(),
            "The longest pause; after a run that ended with status 0 at most 1 s. New in 4.0.",
            r#""default": "10s", "examples": ["1m"]"#,
        ),
        "healthyAfter" => (
            pause(),
            "A run that lasted so long makes all of it start again. New in 4.0.",
            r#""default": "10s", "examples": ["1m"]"#,
        ),
        "jitter" => (
            fraction(0, 1),
            "Up to this share of a pause is added to it. New in 4.0.",
            r#""default": 0.0, "examples": [0.2]"#,
        ),
        _ => return None,
    };
    Some(field)
}

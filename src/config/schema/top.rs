//! The top level and its small sections.

use serde_json::{Map, Value, json};

use super::kind::{
    TEMPLATE, any_case, either, interfaces, length, list, name, objects, templated, text, wait, whole, word, word_or,
};
use super::{Field, consul, jobs, known, object};
use crate::config::raw;
use crate::config::validate::{
    ACTIONS, DEFAULT_PORT, DEFAULT_STOP_TIMEOUT, FORMATS, KINDS, KNOWN, LEVELS, MODES, PASS, reserved,
};
use crate::plan::{Control, Reload, Signal, SignalAction, SignalMap};

/// The whole file. Keys at the top are exact.
pub(super) fn file() -> Value {
    let mut file = known(&KNOWN, field);
    file.insert("patternProperties".to_owned(), json!({TEMPLATE: true}));
    file.insert("additionalProperties".to_owned(), json!(false));
    Value::Object(file)
}

fn field(key: &str) -> Option<Field> {
    Some(match key {
        "consul" => Field::new(
            "The Consul agent: its address, an object, or `false`: there is none. Without one, jobs with a port run and \
             are not registered, and watches are an error.",
            consul::agent(),
        )
        .example("localhost:8500")
        .example(false),
        "logging" => Field::new("Where everything that we and the jobs say goes, and how.", object(raw::LOGGING, &[], logging))
            .example(json!({"level": "INFO", "format": "json", "output": "stdout"})),
        "stopTimeout" => Field::new(
            "Seconds that a process has from SIGTERM to SIGKILL; 0 is the default, a negative number is no time at all.",
            whole(),
        )
        .default(DEFAULT_STOP_TIMEOUT)
        .example(20),
        "control" => Field::new("The control socket.", object(raw::CONTROL, &[], control))
            .example(json!({"socket": "/run/app/containerpilot.socket"})),
        "jobs" => Field::new("What runs.", objects(&jobs::job())).example(json!([{"name": "web", "exec": "/bin/web"}])),
        "watches" => Field::new("Services in Consul whose changes are events.", objects(&consul::watch()))
            .example(json!([{"name": "db", "interval": 5}])),
        "telemetry" => Field::new(
            "Metrics, `/status` and probes over HTTP. It keeps the program running until it is stopped.",
            object(raw::TELEMETRY, &[], telemetry),
        )
        .example(json!({"port": 9090})),
        "signals" => Field::new("What a signal to us means.", signals())
            .ours()
            .example(json!({"SIGHUP": "reload", "SIGUSR1": "reopenLogs"})),
        "exitCode" => Field::new(
            "`zero`: our exit status is 0 whatever became of the jobs, as in ContainerPilot 3. Without it the jobs decide.",
            word(&["zero"]),
        )
        .ours()
        .example("zero"),
        "reload" => Field::new("What a reload of this file does, and how soon.", reload())
            .ours()
            .default("reconcile")
            .example("restart")
            .example(json!({"quiesce": "200ms"})),
        _ => return None,
    })
}

fn logging(key: &str) -> Option<Field> {
    Some(match key {
        "level" => {
            let levels = LEVELS.map(|(word, _)| word);
            // As the original's documentation writes them.
            let shown: Vec<String> = levels.iter().map(|word| word.to_uppercase()).collect();
            let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
            Field::new("What is less severe is not logged.", word_or(&shown, &format!("^$|{}", any_case(&levels))))
                .default("INFO")
                .example("DEBUG")
        }
        "format" => {
            let formats = FORMATS.map(|(word, _)| word);
            Field::new("The shape of a line.", word_or(&formats, &format!("^$|{}", any_case(&formats))))
                .default("default")
                .example("json")
        }
        "output" => Field::new("`stdout`, `stderr` or the path of a file.", text())
            .default("stdout")
            .example("/var/log/app.log"),
        _ => return None,
    })
}

fn control(key: &str) -> Option<Field> {
    let place = Control::default().socket.to_string_lossy().into_owned();
    (key == "socket").then(|| {
        let kind = json!({"type": ["string", "number", "boolean", "null"], "minLength": 1});
        Field::new("The path of the socket, at most 107 bytes, in a directory that is there.", kind)
            .default(place)
            .example("/run/app/containerpilot.socket")
    })
}

fn telemetry(key: &str) -> Option<Field> {
    Some(match key {
        "port" => Field::new("The port of the server.", whole()).default(DEFAULT_PORT).example(9100),
        "interfaces" => {
            let mut kind = interfaces();
            if let Value::Object(kind) = &mut kind {
                // Only here: the original decoded it as a list.
                kind.insert("type".to_owned(), json!(["array", "null"]));
            }
            Field::new("Where its address comes from: the first that matches.", kind)
                .default(json!(["eth0:inet", "inet"]))
                .example(json!(["static:127.0.0.1"]))
        }
        "tags" => Field::new("Tags of the service `containerpilot`.", list(&text())).example(json!(["metrics"])),
        "metrics" => {
            Field::new("Metrics that jobs feed.", list(&object(raw::METRIC, &["name", "help", "type"], metric)))
                .example(json!([{"name": "queue_length", "help": "Entries that wait.", "type": "gauge"}]))
        }
        _ => return None,
    })
}

fn metric(key: &str) -> Option<Field> {
    Some(match key {
        "namespace" => Field::new("The first part of the metric's name.", text()).example("app"),
        "subsystem" => Field::new("The second part of the metric's name.", text()).example("queue"),
        "name" => Field::new("The last part of the metric's name.", name()).example("length"),
        "help" => Field::new("A line that explains it.", name()).example("Entries that wait."),
        "type" => {
            let kinds = json!({"enum": KINDS.map(|(word, _)| word)});
            Field::new("What its values are.", either(&[kinds, templated()])).example("gauge")
        }
        _ => return None,
    })
}

/// Every signal that can mean something, with `SIG` or without, in any case.
fn signals() -> Value {
    let mappable = (1..=31).filter_map(Signal::from_number).filter(|signal| reserved(*signal).is_none());
    let names: Vec<String> = mappable.map(Signal::name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let bare: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix("SIG")).collect();
    let action = || json!({"$ref": "#/$defs/action"});
    let mut signals = known(&names, |name| {
        let signal = Signal::from_name(name)?;
        let default = SignalMap::default().action(signal).word().unwrap_or("");
        Some(Field::new("What it means.", action()).ours().default(default))
    });
    let mut others = Map::new();
    others.insert(any_case(&[names, bare].concat()), action());
    others.insert(TEMPLATE.to_owned(), action());
    signals.insert("patternProperties".to_owned(), Value::Object(others));
    signals.insert("additionalProperties".to_owned(), json!(false));
    Value::Object(signals)
}

/// What a signal may mean: a word, or a signal to a job.
pub(super) fn action() -> Value {
    let words: Vec<&str> = ACTIONS.iter().filter_map(SignalAction::word).collect();
    let pass = object(PASS, &["job", "signal"], |key| {
        let field = match key {
            "job" => Field::new("The job that gets a signal.", name()).example("nginx"),
            "signal" => {
                let known: Vec<String> = (1..=31).filter_map(Signal::from_number).map(Signal::name).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let bare: Vec<&str> = known.iter().filter_map(|name| name.strip_prefix("SIG")).collect();
                let also = any_case(&[known.as_slice(), &bare].concat());
                let text = json!({"type": "string", "pattern": format!("{also}|{TEMPLATE}")});
                Field::new("The signal that it gets.", either(&[json!({"enum": known}), text])).example("SIGHUP")
            }
            _ => return None,
        };
        Some(field.ours())
    });
    either(&[json!({"enum": words}), pass])
}

fn reload() -> Value {
    let modes = MODES.map(|(word, _)| word);
    let default = Reload::default();
    let parts = object(raw::RELOAD, &[], |key| {
        let field = match key {
            "mode" => Field::new(
                "`reconcile`: what has not changed goes on. `restart`: everything stops and starts anew, as in ContainerPilot 3.",
                word(&modes),
            )
            .default("reconcile")
            .example("restart"),
            "quiesce" => Field::new("It waits until nobody has asked for so long, at most an hour.", wait())
                .default(length(default.quiesce))
                .example("200ms"),
            "coalesce" => {
                Field::new("It waits no longer than this since it was first asked for, at most an hour.", wait())
                    .default(length(default.coalesce))
                    .example("10s")
            }
            "watch" => Field::new("The file is not watched: only `false` is taken.", json!({"enum": [false, null]}))
                .default(false)
                .example(false),
            _ => return None,
        };
        Some(field.ours())
    });
    either(&[json!({"enum": modes}), templated(), parts])
}

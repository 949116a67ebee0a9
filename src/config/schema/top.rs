//! The top level and its small sections.

use super::kind::{
    TEMPLATE, any_case, either, interfaces, list, matching, name, objects, one_of, path, switch, templated, text, wait,
    whole, word, word_or,
};
use super::{Field, consul, jobs, known, object};
use crate::config::raw;
use crate::config::validate::{ACTIONS, FORMATS, KINDS, KNOWN, LEVELS, MODES, PASS, reserved};
use crate::plan::{Signal, SignalAction, SignalMap};

/// The whole file. Keys at the top are exact.
pub(super) fn file() -> String {
    known(&KNOWN, &field, &(format!("\"{TEMPLATE}\": true"), String::new()))
}

fn field(key: &str) -> Option<Field> {
    Some(match key {
        "consul" => (
            consul::agent(),
            "The Consul agent: its address, an object, or `false`: there is none. Without one, jobs with a port run and \
             are not registered, and watches are an error.",
            r#""examples": ["localhost:8500", false]"#,
        ),
        "logging" => (
            object(raw::LOGGING, &[], &logging),
            "Where everything that we and the jobs say goes, and how.",
            r#""examples": [{"level": "INFO", "format": "json", "output": "stdout"}]"#,
        ),
        "stopTimeout" => (
            whole(""),
            "Seconds that a process has from SIGTERM to SIGKILL; 0 is the default, a negative number is no time at all.",
            r#""default": 5, "examples": [20]"#,
        ),
        "control" => (
            object(raw::CONTROL, &[], &control),
            "The control socket.",
            r#""examples": [{"socket": "/run/app/containerpilot.socket"}]"#,
        ),
        "jobs" => (objects(&jobs::job()), "What runs.", r#""examples": [[{"name": "web", "exec": "/bin/web"}]]"#),
        "watches" => (
            objects(&consul::watch()),
            "Services in Consul whose changes are events.",
            r#""examples": [[{"name": "db", "interval": 5}]]"#,
        ),
        "telemetry" => (
            object(raw::TELEMETRY, &[], &telemetry),
            "Metrics, `/status` and probes over HTTP. It keeps the program running until it is stopped.",
            r#""examples": [{"port": 9090}]"#,
        ),
        "signals" => (
            signals(),
            "What a signal to us means. New in 4.0.",
            r#""examples": [{"SIGHUP": "reload", "SIGUSR1": "reopenLogs"}]"#,
        ),
        "exitCode" => (
            word(&["zero"]),
            "`zero`: our exit status is 0 whatever became of the jobs, as in ContainerPilot 3. Without it the jobs decide. New in 4.0.",
            r#""examples": ["zero"]"#,
        ),
        "reload" => (
            reload(),
            "What a reload of this file does, and how soon. New in 4.0.",
            r#""default": "reconcile", "examples": ["restart", {"quiesce": "200ms"}]"#,
        ),
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
            (
                word_or(&shown, &format!("^$|{}", any_case(&levels))),
                "What is less severe is not logged.",
                r#""default": "INFO", "examples": ["DEBUG"]"#,
            )
        }
        "format" => {
            let formats = FORMATS.map(|(word, _)| word);
            (
                word_or(&formats, &format!("^$|{}", any_case(&formats))),
                "The shape of a line.",
                r#""default": "default", "examples": ["json"]"#,
            )
        }
        "output" => (
            text(),
            "`stdout`, `stderr` or the path of a file.",
            r#""default": "stdout", "examples": ["/var/log/app.log"]"#,
        ),
        _ => return None,
    })
}

fn control(key: &str) -> Option<Field> {
    (key == "socket").then(|| {
        (
            path(),
            "The path of the socket, at most 107 bytes, in a directory that is there.",
            r#""default": "/var/run/containerpilot.socket", "examples": ["/run/app/containerpilot.socket"]"#,
        )
    })
}

fn telemetry(key: &str) -> Option<Field> {
    Some(match key {
        "port" => (whole(""), "The port of the server.", r#""default": 9090, "examples": [9100]"#),
        "interfaces" => {
            // A text is none here: the original decoded it as a list.
            let kind = interfaces("");
            (
                kind,
                "Where its address comes from: the first that matches.",
                r#""default": ["eth0:inet", "inet"], "examples": [["static:127.0.0.1"]]"#,
            )
        }
        "tags" => (list(&text()), "Tags of the service `containerpilot`.", r#""examples": [["metrics"]]"#),
        "metrics" => (
            list(&object(raw::METRIC, &["name", "help", "type"], &metric)),
            "Metrics that jobs feed.",
            r#""examples": [[{"name": "queue_length", "help": "Entries that wait.", "type": "gauge"}]]"#,
        ),
        _ => return None,
    })
}

fn metric(key: &str) -> Option<Field> {
    Some(match key {
        "namespace" => (text(), "The first part of the metric's name.", r#""examples": ["app"]"#),
        "subsystem" => (text(), "The second part of the metric's name.", r#""examples": ["queue"]"#),
        "name" => (name(), "The last part of the metric's name.", r#""examples": ["length"]"#),
        "help" => (name(), "A line that explains it.", r#""examples": ["Entries that wait."]"#),
        "type" => {
            let kinds = KINDS.map(|(word, _)| word);
            (either(&[one_of(&kinds), templated()]), "What its values are.", r#""examples": ["gauge"]"#)
        }
        _ => return None,
    })
}

/// Every signal that can mean something, with `SIG` or without, in any case.
fn signals() -> String {
    let mappable = (1..=31).filter_map(Signal::from_number).filter(|signal| reserved(*signal).is_none());
    let names: Vec<String> = mappable.map(Signal::name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let bare: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix("SIG")).collect();
    let action = || r##"{"$ref": "#/$defs/action"}"##.to_owned();
    let field = |name: &str| {
        let default = match SignalMap::default().action(Signal::from_name(name)?) {
            SignalAction::Terminate => r#""default": "terminate""#,
            SignalAction::ToggleMaintenance => r#""default": "toggleMaintenance""#,
            SignalAction::Event => r#""default": "event""#,
            _ => r#""default": "ignore""#,
        };
        Some((action(), "What it means. New in 4.0.", default))
    };
    let others = format!("\"{}|{TEMPLATE}\": {}", any_case(&[names.as_slice(), &bare].concat()), action());
    known(&names, &field, &(others, String::new()))
}

/// What a signal may mean: a word, or a signal to a job.
pub(super) fn action() -> String {
    let words: Vec<&str> = ACTIONS.iter().filter_map(SignalAction::word).collect();
    let pass = object(PASS, &["job", "signal"], &|key| {
        let field = match key {
            "job" => (name(), "The job that gets a signal. New in 4.0.", r#""examples": ["nginx"]"#),
            "signal" => {
                let known: Vec<String> = (1..=31).filter_map(Signal::from_number).map(Signal::name).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let bare: Vec<&str> = known.iter().filter_map(|name| name.strip_prefix("SIG")).collect();
                let also = any_case(&[known.as_slice(), &bare].concat());
                (
                    either(&[one_of(&known), matching(&also)]),
                    "The signal that it gets. New in 4.0.",
                    r#""examples": ["SIGHUP"]"#,
                )
            }
            _ => return None,
        };
        Some(field)
    });
    either(&[one_of(&words), pass])
}

fn reload() -> String {
    let modes = MODES.map(|(word, _)| word);
    let parts = object(raw::RELOAD, &[], &|key| {
        let field = match key {
            "mode" => (
                word(&modes),
                "`reconcile`: what has not changed goes on. `restart`: everything stops and starts anew, as in ContainerPilot 3. New in 4.0.",
                r#""default": "reconcile", "examples": ["restart"]"#,
            ),
            "quiesce" => (
                wait(),
                "It waits until nobody has asked for so long, at most an hour. New in 4.0.",
                r#""default": "500ms", "examples": ["200ms"]"#,
            ),
            "coalesce" => (
                wait(),
                "It waits no longer than this since it was first asked for, at most an hour. New in 4.0.",
                r#""default": "5s", "examples": ["10s"]"#,
            ),
            "watch" => (
                switch(),
                "A change of the file is a reload, too. New in 4.0.",
                r#""default": false, "examples": [true]"#,
            ),
            _ => return None,
        };
        Some(field)
    });
    either(&[one_of(&modes), templated(), parts])
}

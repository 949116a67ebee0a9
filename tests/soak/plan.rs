//! The jobs: fifty of them, of all kinds, each with a health check every second. Two configurations, which a reload changes
//! between.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// How many jobs there are.
pub const JOBS: usize = 50;

/// Those that are registered with Consul.
pub const SERVICES: RangeInclusive<usize> = 1..=20;

/// Those of them that no reload stops: Consul is to know them as well all the time.
pub const STEADY: RangeInclusive<usize> = 4..=20;

/// Each writes numbers from 0 on as long as it lives.
pub const TALKERS: [&str; 2] = ["talk44", "talk45"];

/// Each writes the numbers from 1 to [`COUNT`] and ends.
pub const COUNTERS: [&str; 2] = ["count39", "count40"];

/// How far a counter counts.
pub const COUNT: u64 = 300;

/// Leaves one orphan with each of its runs.
pub const ORPHANS: &str = "orphan41";

/// What the program's exit status is, since it is that of the main job.
pub const EXIT: i32 = 7;

/// At the end everybody has so many seconds before SIGKILL.
pub const STOP_SECONDS: u64 = 3;

/// In seconds. Each heartbeat has so long, though one comes every second: whoever is late by so much has forgotten it.
pub const TTL: u64 = 8;

/// The name of a registered job.
pub fn service(number: usize) -> String {
    format!("svc{number:02}")
}

/// The job that only one of the configurations has.
pub fn only_of(second: bool) -> &'static str {
    if second { "new50" } else { "old50" }
}

/// Whether a job is expected to run whenever nothing disturbs it.
pub fn lasts(name: &str) -> bool {
    ["svc", "chk", "talk", "loud", "deaf", "main", "old", "new"].iter().any(|kind| name.starts_with(kind))
}

/// The first or the second configuration: other commands, other tags, one job for another.
pub fn config(second: bool) -> String {
    let mut jobs = String::new();
    let health = |exec: &str| format!(r#"health: {{ exec: {exec}, interval: 1, ttl: {TTL}, timeout: "5s" }}"#);
    let mut add = |name: &str, rest: &str, health: &str| {
        writeln!(jobs, "        {{ name: \"{name}\", {rest}, {health} }},").unwrap();
    };
    let well = [r#""true""#, r#"["test", "-e", "/"]"#, r#"["sh", "-c", "exit 0"]"#, r#""true""#].map(health);
    let well = |number: usize| well[number % well.len()].as_str();
    let lasts = r#"exec: ["sleep", "1000000"], restarts: "unlimited""#;

    for number in SERVICES {
        // The first three stop with each reload, the next three change while they run.
        let run = if second && number <= 3 { lasts.replace("1000000", "1000001") } else { lasts.to_owned() };
        let tags = if second && (4..=6).contains(&number) { r#", tags: ["blue"]"# } else { "" };
        let place = format!(r#"port: {}, interfaces: "static:127.0.0.1""#, 8000 + number);
        add(&service(number), &format!("{run}, {place}{tags}"), well(number));
    }
    let checks = [
        // Fails now and then; takes longer than its interval; has to be killed; says much and little.
        r#"["sh", "-c", "read -r up rest < /proc/uptime; [ $((${up%%.*} % 7)) -gt 0 ]"]"#,
        r#"["sleep", "2.5"]"#,
        r#"["sh", "-c", "trap '' TERM; sleep 9; :"]"#,
        r#"["seq", "1", "5"]"#,
        r#"["printf", "half a line"]"#,
        r#"["sh", "-c", "(sleep 0.3 &)"]"#,
    ];
    for number in 21..=30 {
        let health = checks.get(number - 21).map_or_else(|| well(number).to_owned(), |check| health(check));
        let health = if number == 23 { health.replace("5s", "1s") } else { health };
        add(&format!("chk{number}"), lasts, &health);
    }
    for number in 31..=32 {
        add(&format!("crash{number}"), r#"exec: ["sh", "-c", "sleep 2; exit 3"], restarts: "unlimited""#, well(number));
    }
    add("crash33", r#"exec: "false", restarts: "unlimited""#, well(33));
    for number in 34..=38 {
        let every = format!(r#"exec: "true", when: {{ interval: "{}ms" }}"#, 300 * (number - 32));
        add(&format!("every{number}"), &every, well(number));
    }
    for name in COUNTERS {
        add(name, &format!(r#"exec: ["seq", "1", "{COUNT}"], when: {{ interval: "1s" }}"#), well(0));
    }
    // One whose orphan ends, one whose orphans leave its group and stay for a while, one whose orphan keeps its output open.
    for (name, exec, interval) in [
        (ORPHANS, "(sleep 0.2 > /dev/null 2>&1 &)", 1),
        ("daemon42", "setsid sleep 7 > /dev/null 2>&1 &", 2),
        ("holds43", "setsid sleep 4 &", 3),
    ] {
        add(name, &format!(r#"exec: ["sh", "-c", "{exec}"], when: {{ interval: "{interval}s" }}"#), well(1));
    }
    let talk = r"$| = 1; for (my $n = 0;; $n++) { print qq($n\n); select(undef, undef, undef, 0.03) }";
    for name in TALKERS {
        let exec = serde_json::json!(["perl", "-e", talk]);
        add(name, &format!(r#"exec: {exec}, restarts: "unlimited""#), well(0));
    }
    let loud = r"while sleep 5; do head -c 100000 /dev/zero | tr '\\0' x; echo; done";
    add("loud46", &format!(r#"exec: ["sh", "-c", "{loud}"], restarts: "unlimited""#), well(2));
    let deaf = "trap '' TERM; while :; do sleep 5; done";
    add("deaf47", &format!(r#"exec: ["sh", "-c", "{deaf}"], restarts: "unlimited", stopTimeout: 1"#), well(3));
    add("after48", r#"exec: "true", when: { source: "svc10", each: "healthy" }"#, well(0));
    let main = format!("trap 'exit {EXIT}' TERM; sleep 1000000 & wait $!");
    add("main49", &format!(r#"exec: ["sh", "-c", "{main}"], restarts: "unlimited", main: true"#), well(1));
    add(only_of(second), lasts, well(0));
    format!(
        r#"{{
    consul: "{{{{ .CONSUL }}}}",
    control: {{ socket: "{{{{ .DIR }}}}/s" }},
    telemetry: {{ port: {{{{ .PORT }}}}, interfaces: ["static:127.0.0.1"] }},
    logging: {{ level: "DEBUG", output: "{{{{ .DIR }}}}/log.txt" }},
    signals: {{ SIGHUP: "reload" }},
    stopTimeout: {STOP_SECONDS},
    jobs: [
{jobs}    ],
}}"#
    )
}

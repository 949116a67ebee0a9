//! The jobs: fifty of them, of all kinds. Two configurations, which a reload changes between.

use std::fmt::Write as _;

/// How many of them are registered.
pub const SERVICES: usize = 20;

/// Those that no reload stops: they are to be seen in Consul all the time.
pub const STEADY: std::ops::RangeInclusive<usize> = 4..=SERVICES;

/// Those whose lines are numbered.
pub const TALKERS: [&str; 2] = ["talk46", "talk47"];

/// The first or the second configuration: other commands, other tags, one job for another.
pub fn config(second: bool) -> String {
    let mut jobs = String::new();
    let mut add = |name: &str, rest: &str| writeln!(jobs, "        {{ name: \"{name}\", {rest} }},").unwrap();
    let health = r#"health: { exec: "true", interval: 1, ttl: 6 }"#;
    let other = if second { 1_000_001 } else { 1_000_000 };
    for n in 1..=SERVICES {
        // The first three stop with each reload, the next three change while they run.
        let sleep = if n <= 3 { other } else { 1_000_000 };
        let tags = if second && (4..=6).contains(&n) { r#"tags: ["blue"],"# } else { "" };
        let rest = format!(
            r#"exec: ["sleep", "{sleep}"], restarts: "unlimited", port: {}, interfaces: "static:127.0.0.1", {tags} {health}"#,
            8000 + n
        );
        add(&format!("svc{n:02}"), &rest);
    }
    for n in 21..=35 {
        add(&format!("chk{n}"), &format!(r#"exec: ["sleep", "1000000"], restarts: "unlimited", {health}"#));
    }
    for n in 36..=38 {
        let ends = r#"exec: ["sh", "-c", "sleep 2; exit 3"], restarts: "unlimited", backoff: { max: "3s" }"#;
        add(&format!("crash{n}"), ends);
    }
    for n in 39..=43 {
        add(&format!("every{n}"), &format!(r#"exec: "true", when: {{ interval: "{}ms" }}"#, 300 * (n - 37)));
    }
    for n in 44..=45 {
        // Two orphans each time, of which one ends and one is left for the end.
        let orphans = r#"exec: ["sh", "-c", "(sleep 0.2 &) ; exit 0"], when: { interval: "900ms" }"#;
        add(&format!("orphan{n}"), &orphans.replace("sleep 0.2", "sleep 0.2 > /dev/null 2>&1"));
    }
    let talk = r#"$| = 1; for (my $n = 0;; $n++) { print "said $$ $n\n"; select(undef, undef, undef, 0.03) }"#;
    for name in TALKERS {
        let command = serde_json::to_string(talk).unwrap();
        add(name, &format!(r#"exec: ["perl", "-e", {command}], restarts: "unlimited""#));
    }
    let deaf =
        r#"exec: ["sh", "-c", "trap '' TERM; while :; do sleep 5; done"], restarts: "unlimited", stopTimeout: 1"#;
    add("deaf48", deaf);
    add("after49", r#"exec: "true", when: { source: "svc10", each: "healthy" }"#);
    add(if second { "new50" } else { "old50" }, r#"exec: ["sleep", "1000000"], restarts: "unlimited""#);
    format!(
        r#"{{
    consul: "{{{{ .CONSUL }}}}",
    control: {{ socket: "{{{{ .DIR }}}}/s" }},
    telemetry: {{ port: {{{{ .PORT }}}}, interfaces: ["static:127.0.0.1"] }},
    logging: {{ level: "DEBUG", output: "{{{{ .DIR }}}}/log.txt" }},
    stopTimeout: 3,
    jobs: [
{jobs}    ],
}}"#
    )
}

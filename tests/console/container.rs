//! The console where nothing else is: an image of our binary and a configuration, in which even the jobs are our binary.
//! What asks is `podman exec`.

use std::process::Output;
use std::time::{Duration, Instant};

use crate::support::podman::{Container, Engine, NAME};
use crate::support::{DEADLINE, wait::poll};

const CONFIG: &str = r#"{
    consul: false,
    control: { socket: "/pilot.socket" },
    stopTimeout: 5,
    jobs: [
        { name: "listen", exec: ["/containerpilot", "events", "-f"], restarts: "unlimited",
          health: { exec: ["/containerpilot", "why", "listen"], interval: 1, ttl: 5 } },
        { name: "fails", exec: ["/containerpilot", "why", "nobody"], restarts: "unlimited",
          backoff: { free: 0, initial: "1h", max: "1h" } },
    ],
}"#;

/// The words of a verb, in the container.
fn words(line: &str) -> Vec<&str> {
    [&["/containerpilot"], &line.split(' ').collect::<Vec<_>>()[..]].concat()
}

/// What a verb said until all of `texts` stood in it.
#[track_caller]
fn says(container: &Container<'_>, line: &str, texts: &[&str]) -> String {
    let mut said = String::new();
    let found = poll(DEADLINE, || {
        said = container.exec(&words(line));
        texts.iter().all(|text| said.contains(text)).then(|| said.clone())
    });
    assert!(found.is_some(), "{line}: {texts:?} is not in {said}");
    said
}

fn told(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr[..]].concat()).unwrap()
}

#[test]
fn an_image_with_nothing_but_the_binary_is_looked_after_by_the_binary() {
    let engine = Engine::new();
    engine.build(CONFIG, |_| {});
    // As an image would, so that `podman exec` finds the socket without a word about it.
    let container = Container::start(&engine, &["--env=CONTAINERPILOT=/etc/containerpilot.json5"]);
    let ready = || container.try_exec(&words("status --ready"));
    let healthy = poll(DEADLINE, || Some(ready()).filter(|output| output.status.code() == Some(0)));
    assert_eq!(told(&healthy.unwrap()), "");

    let status = says(&container, "status", &["listen", "running", "healthy", "fails", "backoff", "1 of 1 ready"]);
    assert!(status.lines().any(|line| line.starts_with("fails") && line.contains("(exit 1)")), "{status}");
    says(&container, "why fails", &["fails", "exit status 1"]);
    says(&container, "logs -n 5 fails", &["nobody", "listen, fails"]);
    says(&container, "logs listen", &["fails", "exitFailed"]);
    says(&container, "reload --dry-run", &["2 jobs"]);
    let unknown = container.try_exec(&words("why nobody"));
    assert_eq!(unknown.status.code(), Some(1));
    assert!(told(&unknown).contains("no job is called nobody"), "{}", told(&unknown));

    let stopped = container.exec(&words("stop listen"));
    assert!(stopped.starts_with("listen: stopped"), "{stopped}");
    let not = ready();
    assert_eq!(not.status.code(), Some(1));
    assert!(told(&not).contains("not ready: listen (stopped)"), "{}", told(&not));
    assert_eq!(engine.run(&["inspect", "--format", "{{.State.Running}}", NAME]), "true", "it waits for somebody");

    let begin = Instant::now();
    engine.run(&["stop", "--time", "20", NAME]);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert_eq!(engine.run(&["inspect", "--format", "{{.State.ExitCode}}", NAME]), "0");
    assert!(container.logs().contains("stopping on SIGTERM"), "{}", container.logs());
}

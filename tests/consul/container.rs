//! The program as a container engine runs it: `podman exec … kill -USR1 1` for maintenance, `podman stop` for the end. The
//! image is our binary, a busybox and a configuration; it is built from nothing and pulled from nowhere.

use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use crate::support::podman::{Container, Engine, NAME};
use crate::support::ports::Ports;
use crate::support::wait::holds_for;
use crate::support::{Agent, DEADLINE, http, wait_until};

const CONFIG: &str = r#"{
    consul: "{{ .CONSUL }}",
    stopTimeout: 5,
    jobs: [
        { name: "web", exec: ["/bin/httpd", "-f", "-p", "127.0.0.1:{{ .PORT }}", "-h", "/srv"],
          port: "{{ .PORT }}", interfaces: "static:127.0.0.1", restarts: "unlimited",
          health: { exec: ["/bin/wget", "-q", "-O", "/dev/null", "http://127.0.0.1:{{ .PORT }}/"], interval: 1, ttl: 5 } },
        { name: "drain", exec: ["/bin/echo", "draining"], when: { source: "web", once: "stopping" } },
        { name: "goodbye", exec: ["/bin/echo", "goodbye"], when: { source: "web", once: "stopped" } },
    ],
}"#;

#[test]
fn maintenance_by_signal_in_a_real_container() {
    let agent = Agent::new();
    let ports = Ports::take();
    let port = ports.port(0);
    let engine = Engine::new();
    engine.build(CONFIG, |root| {
        for folder in ["bin", "srv", "tmp"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
        for name in ["echo", "httpd", "kill", "ps", "wget"] {
            symlink("busybox", root.join("bin").join(name)).unwrap();
        }
        std::fs::write(root.join("srv/index.html"), "hello\n").unwrap();
    });
    let (consul, port_is) = (format!("--env=CONSUL={}", agent.address()), format!("--env=PORT={port}"));
    let container = Container::start(&engine, &[&consul, &port_is]);
    let serves =
        || http::ask(([127, 0, 0, 1], port).into(), "GET", "/", &[], b"").is_ok_and(|it| it.text() == "hello\n");
    agent.wait_status("web-left", "passing");
    assert!(serves());
    let first = container.exec(&["ps", "-o", "pid,args"]);
    assert!(first.lines().any(|line| line.trim_start().starts_with("1 /containerpilot")), "{first}");

    for _ in 0..2 {
        container.exec(&["kill", "-USR1", "1"]);
        agent.wait_gone("web-left");
        holds_for(Duration::from_secs(2), || agent.service("web-left").is_none(), "it stays away");
        assert!(serves(), "the application runs on");
        container.exec(&["kill", "-USR1", "1"]);
        agent.wait_status("web-left", "passing");
    }
    // The engine's own way to send it.
    engine.run(&["kill", "--signal", "USR1", NAME]);
    agent.wait_gone("web-left");
    engine.run(&["kill", "--signal", "USR1", NAME]);
    agent.wait_status("web-left", "passing");

    let begin = Instant::now();
    engine.run(&["stop", "--time", "20", NAME]);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    wait_until(DEADLINE, || agent.service("web-left").is_none(), "it is deregistered");
    assert!(!serves());
    assert_eq!(engine.run(&["inspect", "--format", "{{.State.ExitCode}}", NAME]), "0");
    let told = container.logs();
    let place = |text: &str| told.find(text).unwrap_or_else(|| panic!("{text:?} is not in {told}"));
    assert!(place("draining") < place("goodbye"), "{told}");
    assert!(!told.contains("deregistering failed"), "{told}");
}

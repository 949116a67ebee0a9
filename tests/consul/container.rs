//! The program as a container engine runs it: `podman exec … kill -USR1 1` for maintenance, `podman stop` for the end. The
//! image is our binary, a busybox and a configuration; it is built from nothing and pulled from nowhere.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::ports::Ports;
use crate::support::wait::holds_for;
use crate::support::{Agent, BINARY, DEADLINE, http, show, wait_until};

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

/// An engine with a store of its own, in a directory that goes with the test; nothing is left in the machine's.
struct Engine {
    dir: TempDir,
}

impl Engine {
    fn new() -> Self {
        Self { dir: tempfile::Builder::new().prefix("pilot-podman-").tempdir().unwrap() }
    }

    fn podman(&self, args: &[&str]) -> Command {
        let mut command = Command::new("podman");
        // runc, for podman's own choice refuses the hybrid layout of control groups.
        command
            .arg("--root")
            .arg(self.dir.path().join("store"))
            .arg("--runroot")
            .arg(self.dir.path().join("run"))
            .args(["--storage-driver", "vfs", "--runtime", "runc", "--cgroup-manager", "cgroupfs"])
            .args(args)
            .stdin(Stdio::null());
        command
    }

    fn try_run(&self, args: &[&str]) -> Output {
        self.podman(args).output().unwrap()
    }

    #[track_caller]
    fn run(&self, args: &[&str]) -> String {
        let output = self.try_run(args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "podman {args:?}: {}", text(&output.stderr));
        [text(&output.stdout), text(&output.stderr)].concat().trim().to_owned()
    }

    /// Makes the image `pilot`.
    fn build(&self) {
        let root = self.dir.path().join("image");
        for folder in ["bin", "etc", "srv", "tmp"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        let copy = |from: &Path, to: &str| std::fs::copy(from, root.join(to)).map(|_| ()).unwrap();
        copy(Path::new(BINARY), "containerpilot");
        copy(Path::new("/bin/busybox"), "bin/busybox");
        for name in ["echo", "httpd", "kill", "ps", "wget"] {
            symlink("busybox", root.join("bin").join(name)).unwrap();
        }
        std::fs::write(root.join("srv/index.html"), "hello\n").unwrap();
        std::fs::write(root.join("etc/containerpilot.json5"), CONFIG).unwrap();
        let mut tar =
            Command::new("tar").args(["-C", root.to_str().unwrap(), "-c", "."]).stdout(Stdio::piped()).spawn().unwrap();
        let entry = r#"ENTRYPOINT ["/containerpilot", "-config", "/etc/containerpilot.json5"]"#;
        let mut import = self.podman(&["import", "--quiet", "--change", entry, "-", "localhost/pilot"]);
        let done = import.stdin(tar.stdout.take().unwrap()).output().unwrap();
        assert!(tar.wait().unwrap().success());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

/// A running container; its end removes it.
struct Container<'e> {
    engine: &'e Engine,
}

const NAME: &str = "pilot";

impl<'e> Container<'e> {
    fn start(engine: &'e Engine, variables: &[(&str, &str)]) -> Self {
        let set: Vec<String> = variables.iter().map(|(name, value)| format!("--env={name}={value}")).collect();
        let mut args = vec!["run", "--detach", "--name", NAME, "--network", "host", "--hostname", "left"];
        // Raising limits needs what these machines don't have; and should the test be killed, it ends by itself.
        args.extend(["--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1000:1000", "--timeout", "180"]);
        args.extend(set.iter().map(String::as_str));
        args.push("localhost/pilot");
        let container = Self { engine };
        engine.run(&args);
        container
    }

    fn exec(&self, args: &[&str]) -> String {
        self.engine.run(&[&["exec", NAME], args].concat())
    }

    fn logs(&self) -> String {
        self.engine.run(&["logs", NAME])
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let output = self.engine.try_run(&["logs", NAME]);
            show(&format!("--- log of the container:\n{}", String::from_utf8_lossy(&output.stdout)));
        }
        let _ = self.engine.try_run(&["rm", "--force", "--time", "0", NAME]);
    }
}

#[test]
fn maintenance_by_signal_in_a_real_container() {
    let agent = Agent::new();
    let ports = Ports::take();
    let port = ports.port(0);
    let engine = Engine::new();
    engine.build();
    let container = Container::start(&engine, &[("CONSUL", &agent.address().to_string()), ("PORT", &port.to_string())]);
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

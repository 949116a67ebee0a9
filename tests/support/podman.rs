//! A container engine of a test's own, and containers in it. Images are made of a directory and pulled from nowhere.

#![expect(clippy::unwrap_used, reason = "a test outside the program: what can't be done makes it fail")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::{BINARY, show};

/// An engine with a store of its own, in a directory that goes with the test; nothing is left in the machine's.
pub struct Engine {
    dir: TempDir,
}

impl Engine {
    /// An engine without images.
    pub fn new() -> Self {
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

    /// What came of it.
    pub fn try_run(&self, args: &[&str]) -> Output {
        self.podman(args).output().unwrap()
    }

    /// What it said; that it failed fails the test.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> String {
        let output = self.try_run(args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "podman {args:?}: {}", text(&output.stderr));
        [text(&output.stdout), text(&output.stderr)].concat().trim().to_owned()
    }

    /// Makes the image `pilot`: our binary, this configuration, and what `fill` puts in. The entry point runs both.
    pub fn build(&self, config: &str, fill: impl FnOnce(&Path)) {
        let root = self.dir.path().join("image");
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::copy(BINARY, root.join("containerpilot")).unwrap();
        std::fs::write(root.join("etc/containerpilot.json5"), config).unwrap();
        fill(&root);
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
pub struct Container<'e> {
    engine: &'e Engine,
}

/// Its name in its engine.
pub const NAME: &str = "pilot";

impl<'e> Container<'e> {
    /// Starts the image with these words more for `podman run`.
    pub fn start(engine: &'e Engine, words: &[&str]) -> Self {
        let mut args = vec!["run", "--detach", "--name", NAME, "--network", "host", "--hostname", "left"];
        // Raising limits needs what these machines don't have; and should the test be killed, it ends by itself.
        args.extend(["--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1000:1000", "--timeout", "180"]);
        args.extend(words);
        args.push("localhost/pilot");
        let container = Self { engine };
        engine.run(&args);
        container
    }

    /// What a command in it says, which must succeed.
    #[track_caller]
    pub fn exec(&self, args: &[&str]) -> String {
        self.engine.run(&[&["exec", NAME], args].concat())
    }

    /// What came of a command in it.
    pub fn try_exec(&self, args: &[&str]) -> Output {
        self.engine.try_run(&[&["exec", NAME], args].concat())
    }

    /// What the container has written.
    pub fn logs(&self) -> String {
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

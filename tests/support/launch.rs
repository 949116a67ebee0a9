//! How a [`Pilot`] is started.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::pilot::{Guards, Pilot};
use super::tracer::Tracer;
use super::zombies::Watcher;
use super::{BINARY, DEADLINE, PATH, process, wait};

/// What PID 1 does before it becomes the program: closes what the test's own process handed down beyond 0 to 2, gives
/// the namespace a `/run` of its own, carries out the test's wishes, waits for the gate, drops what bash exported.
const SETUP: &str = r#"
for number in /proc/self/fd/*; do
    number=${number##*/}
    ((number > 2)) && eval "exec $number>&-"
done
mount -t tmpfs -o mode=755 tmpfs /run || exit 125
eval "$1" || exit 125
read -r -u 3 _ 3< "$2" || exit 125
shift 2
exec env -u _ -u OLDPWD -u PWD -u SHLVL -- "$@"
"#;

/// What is to be started, and around what.
pub struct Launch {
    config: Option<String>,
    program: OsString,
    args: Option<Vec<OsString>>,
    prefix: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    setup: String,
    namespaces: Vec<&'static str>,
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
    traced: bool,
    zombie_grace: Duration,
}

impl Default for Launch {
    fn default() -> Self {
        Self {
            config: None,
            program: BINARY.into(),
            args: None,
            prefix: Vec::new(),
            variables: Vec::new(),
            setup: String::new(),
            namespaces: Vec::new(),
            stdin: None,
            stdout: None,
            stderr: None,
            traced: true,
            zombie_grace: Duration::from_millis(500),
        }
    }
}

impl Launch {
    /// The program with this configuration in `$DIR/containerpilot.json5`. The file is a template as always: its
    /// `{{ .LOG }}` and `{{ .DIR }}` are the ordered log and the test's directory, and children see the variables.
    pub fn config(text: &str) -> Self {
        Self { config: Some(text.to_owned()), ..Self::default() }
    }

    /// Another program than ours, by its full path: to prove the harness or to compare.
    pub fn program(program: &str, args: &[&str]) -> Self {
        Self { program: program.into(), ..Self::default() }.args(args)
    }

    /// These arguments instead of `-config $DIR/containerpilot.json5`.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args = Some(args.iter().map(OsString::from).collect());
        self
    }

    /// A variable of PID 1's environment, which otherwise holds `PATH`, `LOG` and `DIR`.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// A command that becomes the program (`prlimit --nofile=32`, `setpriv …`, `chroot …`): it must exec, not fork.
    pub fn prefix(mut self, words: &[&str]) -> Self {
        self.prefix.extend(words.iter().map(OsString::from));
        self
    }

    /// Lines of bash that the process runs before it becomes the program, in its namespaces: mounts, `ulimit`, `trap`.
    pub fn setup(mut self, lines: &str) -> Self {
        self.setup.push_str(lines);
        self.setup.push('\n');
        self
    }

    /// A network of its own with `lo` up.
    pub fn own_network(mut self) -> Self {
        self.namespaces.push("--net");
        self.setup("ip link set lo up")
    }

    /// A host name of its own.
    pub fn own_hostname(mut self, name: &str) -> Self {
        self.namespaces.push("--uts");
        self.setup(&format!("hostname {name}"))
    }

    /// Standard input; `/dev/null` otherwise.
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    /// Standard output: a pipe that nobody reads, `/dev/full`, a terminal. Otherwise the file that [`Pilot::stdout`]
    /// reads.
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// Standard error, likewise.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.stderr = Some(stderr.into());
        self
    }

    /// The terminal on standard input becomes the controlling one, as `docker run -it` does it.
    pub fn controlling_terminal(self) -> Self {
        self.prefix(&["setsid", "--ctty"])
    }

    /// Leaves PID 1 untraced, for tests that trace it themselves. The end of such a test can't see who was left.
    pub fn untraced(mut self) -> Self {
        self.traced = false;
        self
    }

    /// How long a child of PID 1 may be a zombie: for tests that stop or freeze PID 1.
    pub fn zombie_grace(mut self, grace: Duration) -> Self {
        self.zombie_grace = grace;
        self
    }

    /// Starts it. When this returns PID 1 executes the program, with the arguments and the environment in place (or is
    /// gone already), and nothing else is sure.
    pub fn start(self) -> Pilot {
        let dir = tempfile::Builder::new().prefix("pilot-").tempdir().expect("a directory of the test's own");
        let path = |name: &str| -> PathBuf { dir.path().join(name) };
        if let Some(text) = &self.config {
            std::fs::write(path("containerpilot.json5"), text).expect("the configuration can be written");
        }
        for name in ["log", "stdout", "stderr"] {
            File::create(path(name)).expect("files can be made");
        }
        let append = |name: &str| -> Stdio {
            OpenOptions::new().append(true).open(path(name)).expect("the file was just made").into()
        };
        let gate = path("gate");
        nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR).expect("a FIFO");
        let args = self.args.unwrap_or_else(|| vec!["-config".into(), path("containerpilot.json5").into()]);

        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--mount-proc", "--kill-child"])
            .args(self.namespaces)
            .args(["bash", "-c", SETUP, "setup", &self.setup])
            .arg(&gate)
            .args(self.prefix)
            .arg(&self.program)
            .args(args)
            .env_clear()
            .env("PATH", PATH)
            .env("LOG", path("log"))
            .env("DIR", dir.path())
            .envs(self.variables)
            .current_dir(dir.path())
            .stdin(self.stdin.unwrap_or_else(Stdio::null))
            .stdout(self.stdout.unwrap_or_else(|| append("stdout")))
            .stderr(self.stderr.unwrap_or_else(|| append("stderr")));
        let mut unshare = command.spawn().expect("setpriv and unshare are there (util-linux)");
        // The command holds copies of the test's own descriptors: a pipe's writer must not stay open here.
        drop(command);

        // The parent's death signal is set by the child itself, so its existence says that it is in place.
        let outer = i32::try_from(unshare.id()).expect("a pid");
        let find = || process::children(outer).first().copied();
        let Some(pid) = wait::poll(DEADLINE, || find().or_else(|| unshare.try_wait().ok().flatten().map(|_| 0))) else {
            panic!("no PID 1 within {DEADLINE:?}")
        };
        let mut pilot = Pilot::new(dir, unshare, pid, Guards::default());
        assert!(pid != 0, "PID 1 could not be started: {}", pilot.stderr());

        // The setup is done when it waits at the gate: only then a writer finds a reader.
        let open_gate = || {
            use std::os::unix::fs::OpenOptionsExt;
            OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&gate).ok()
        };
        let opened = wait::poll(DEADLINE, || open_gate().map(Some).or_else(|| pilot.try_exit().map(|_| None)));
        let Some(Some(mut opened)) = opened else { panic!("the setup failed: {}{}", pilot.stdout(), pilot.stderr()) };
        pilot.guards = Guards {
            namespace: process::namespace(pid).unwrap_or_default(),
            inherited: process::descriptors(pid).into_iter().filter(|d| d.number <= 2).collect(),
            tracer: self.traced.then(|| Tracer::start(pid)),
            zombies: Some(Watcher::start(pid, self.zombie_grace)),
        };
        opened.write_all(b"go\n").expect("the gate opens");
        drop(opened);
        // By name, not by path: in a chroot the path is another.
        let program = std::fs::canonicalize(&self.program).unwrap_or_else(|_| PathBuf::from(&self.program));
        let executes =
            || std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|e| e.file_name() == program.file_name());
        // The kernel shows the new program a moment before its arguments and its environment, and those all at once.
        let furnished = || std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|arguments| !arguments.is_empty());
        let runs = || executes() && furnished();
        if wait::poll(DEADLINE, || (runs() || pilot.try_exit().is_some()).then_some(())).is_none() {
            let exe = std::fs::read_link(format!("/proc/{pid}/exe"));
            panic!(
                "PID 1 of the namespace never executed {}: after {DEADLINE:?} its /proc/{pid}/exe is {exe:?} \
                 (if that can't be read or is another path, is this a chroot? docs/testing.md says what the tests need)",
                program.display()
            );
        }
        pilot
    }
}

//! The measuring.
//!
//! The program is PID 1 of new namespaces, alone with the loopback interface, in an environment of a few variables, so that
//! no machine gives it more to read than another. Instructions don't depend on how busy the machine is, but on
//! what the program finds when it looks: everything that happens to it comes one by one, each when it is asleep.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use nix::fcntl::OFlag;

use super::figures::{Calls, Figures, Instructions, SystemCalls, Toolchain};
use super::support::{self, PATH, wait_until};

/// How often each is measured, the short ones and the long ones. What disturbs a run only adds to it, so the least counts.
const TIMES: usize = 5;
const TIMES_OF_LONG: usize = 3;

/// A run of seconds; valgrind on a busy machine takes longer.
const DEADLINE: Duration = Duration::from_mins(2);

/// The restarts of the two runs.
const RESTARTS: [u64; 2] = [5, 20];

/// The rounds of lines of the two runs, and the lines of a round: the log takes them all without being written.
const ROUNDS: [u64; 2] = [1, 5];
const LINES: u64 = 2500;

/// The C library chooses its functions for strings by the processor. These are there on each.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2,-BMI2";

/// Of the jobs: dozes until no thread of PID 1 has anything to do, nor had it a moment ago.
const DOZE: &str = r#"
sub look {
    my $seen = "";
    opendir(my $tasks, "/proc/1/task") or return;
    for my $task (sort grep(/^\d/, readdir($tasks))) {
        open(my $stat, "<", "/proc/1/task/$task/stat") or return;
        return if (<$stat> // "") !~ /\) S /;
        open(my $spent, "<", "/proc/1/task/$task/schedstat") or return;
        $seen .= "$task " . (<$spent> // return);
    }
    return $seen;
}
sub doze {
    my ($before, $now);
    do { $before = $now; select(undef, undef, undef, 0.01); $now = look() } until defined($now) && $now eq ($before // "");
}
"#;

/// Says nothing. Its pipes end one after the other, and then itself.
const QUIET: &str = "doze(); close(STDOUT); doze(); close(STDERR); doze();";

/// Writes so many lines of 100 bytes so often, each time when `go.N` is there, and makes `done.N` when they have been read. The
/// pipe takes them in one write, while which nobody can read: so each read finds as much as it wants.
const LINES_OF_A_JOB: &str = r#"
my ($rounds, $lines) = @ARGV;
fcntl(STDOUT, 1031, 1 << 20) or die "F_SETPIPE_SZ: $!";
my $text = ("x" x 99 . "\n") x $lines;
for my $round (1 .. $rounds) {
    doze() until -e "go.$round";
    syswrite(STDOUT, $text) == length($text) or die "not in one write: $!";
    my $left = pack("i", 1);
    while (unpack("i", $left)) { doze(); ioctl(STDOUT, 0x541B, $left) or die "FIONREAD: $!" }
    doze();
    open(my $done, ">", "done.$round") or die $!;
}
doze() until -e "go.end";
close(STDOUT); doze(); close(STDERR); doze();
"#;

/// The release binary beside the one that cargo built for this test.
pub fn release_binary() -> PathBuf {
    let debug = Path::new(support::BINARY);
    let binary = debug.ancestors().nth(2).unwrap().join("release/containerpilot");
    let changed = |path: &Path| fs::metadata(path).and_then(|there| there.modified());
    let built =
        changed(&binary).unwrap_or_else(|error| panic!("{}: {error}; scripts/cost builds it", binary.display()));
    let newest = newest(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(built >= newest, "{} is older than the sources; scripts/cost builds it", binary.display());
    binary
}

fn newest(directory: &Path) -> SystemTime {
    let all = fs::read_dir(directory).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { newest(&path) } else { fs::metadata(&path).unwrap().modified().unwrap() }
    });
    all.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Everything, now.
pub fn all(binary: &Path) -> Figures {
    // Each waits most of its time.
    std::thread::scope(|scope| {
        let start_up = scope.spawn(|| least(TIMES, || start_up(binary)));
        let one_restart = scope.spawn(|| RESTARTS.map(|restarts| least(TIMES_OF_LONG, || restarted(binary, restarts))));
        let lines = scope.spawn(|| ROUNDS.map(|rounds| least(TIMES_OF_LONG, || relayed(binary, rounds))));
        let calls = scope.spawn(|| system_calls(binary));
        let (one_restart, lines) = (one_restart.join().unwrap(), lines.join().unwrap());
        Figures {
            toolchain: toolchain(),
            instructions: Instructions {
                start_up: start_up.join().unwrap().1,
                one_restart: (one_restart[1] - one_restart[0]) / (RESTARTS[1] - RESTARTS[0]),
                ten_thousand_lines: (lines[1] - lines[0]) * 10_000 / ((ROUNDS[1] - ROUNDS[0]) * LINES),
            },
            system_calls: calls.join().unwrap(),
            bytes: fs::metadata(binary).unwrap().len(),
        }
    })
}

fn least<T: Ord>(times: usize, measure: impl Fn() -> T) -> T {
    (0..times).map(|_| measure()).min().unwrap()
}

/// The tools of this machine.
fn toolchain() -> Toolchain {
    let told = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().unwrap_or_else(|error| panic!("{program}: {error}"));
        String::from_utf8(output.stdout).unwrap()
    };
    let first_line = |program: &str, argument: &str| told(program, argument).lines().next().unwrap().to_owned();
    // Not looked for on the path, which sudo changes.
    let rustc = Path::new(env!("CARGO")).with_file_name("rustc");
    let rustc = rustc.to_str().unwrap();
    Toolchain {
        rustc: first_line(rustc, "-V"),
        host: told(rustc, "-vV").lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned(),
        libc: first_line("ldd", "--version").rsplit(' ').next().unwrap().to_owned(),
        valgrind: first_line("valgrind", "--version"),
    }
}

/// A directory with the binary and a configuration of one job.
struct Place(tempfile::TempDir);

impl Place {
    fn new(binary: &Path, level: &str, job: &str) -> Self {
        // As long a path on each machine.
        let place = tempfile::Builder::new().prefix("cost-").tempdir_in("/tmp").unwrap();
        let file = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
        fs::copy(binary, place.path().join("containerpilot")).unwrap();
        file("quiet", &[DOZE, QUIET].concat());
        file("lines", &[DOZE, LINES_OF_A_JOB].concat());
        let logging = format!(r#"logging: {{ level: "{level}" }}"#);
        let config = format!(
            r#"{{ consul: false, control: {{ socket: "socket" }}, {logging}, jobs: [ {{ name: "main", {job} }} ] }}"#
        );
        file("app.json5", &config);
        Self(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Starts the program as PID 1; these words stand before the command that makes the namespaces, and inside them.
    fn start(&self, before: &[&str], inside: &[&str], stdout: impl Into<Stdio>) -> Running {
        let namespaces = ["unshare", "--pid", "--fork", "--net", "--mount-proc", "--kill-child"];
        let program = ["./containerpilot", "-config", "app.json5"];
        let words: Vec<&str> = before.iter().chain(&namespaces).chain(inside).chain(&program).copied().collect();
        let mut command = Command::new("setpriv");
        // What whoever began this ignores, as nohup does, would be reset by each child, with a call.
        command.args(["--pdeathsig", "KILL", "env", "--default-signal"]).args(words).current_dir(self.0.path());
        // No variable of this machine's, and none that says where it is: UTC.
        command.env_clear().env("PATH", PATH).env("TZ", "").env("GLIBC_TUNABLES", TUNABLES);
        command.stdin(Stdio::null()).stdout(stdout).stderr(File::create(self.path("stderr")).unwrap());
        Running(command.spawn().unwrap())
    }

    /// Where what it says is kept.
    fn log(&self) -> File {
        File::create(self.path("log")).unwrap()
    }

    /// Starts it under callgrind.
    fn start_counted(&self, stdout: impl Into<Stdio>) -> Running {
        let callgrind = [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--log-file=valgrind",
            "--trace-children=no",
        ];
        self.start(&[], &callgrind, stdout)
    }

    /// How many instructions those were.
    fn counted(&self, mut running: Running) -> u64 {
        running.wait(self);
        let told = fs::read_to_string(self.path("valgrind")).unwrap();
        let count = told.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim());
        count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("callgrind counted nothing:\n{told}"))
    }
}

/// Ends with the test.
struct Running(Child);

impl Running {
    fn wait(&mut self, place: &Place) {
        let mut status = None;
        wait_until(
            DEADLINE,
            || {
                status = self.0.try_wait().unwrap();
                status.is_some()
            },
            "the run ends",
        );
        let said = ["stderr", "log"].map(|name| fs::read_to_string(place.path(name)).unwrap_or_default());
        assert!(status.unwrap().success(), "{status:?}\n{}", said.concat());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing to do where it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A job that says nothing and ends, so often. With a log of this level: a start that takes long is told at WARN.
fn quiet(binary: &Path, level: &str, restarts: u64) -> Place {
    let job = format!(r#"exec: ["/usr/bin/perl", "quiet"], restarts: {restarts}, backoff: false"#);
    Place::new(binary, level, &job)
}

/// A whole run, from our exec to our end. On a busy machine the program says that the start took long, which isn't free: such
/// a run counts where there is no other.
fn start_up(binary: &Path) -> (bool, u64) {
    let place = quiet(binary, "INFO", 0);
    let count = place.counted(place.start_counted(place.log()));
    let log = fs::read_to_string(place.path("log")).unwrap();
    (log.contains("held up"), count)
}

/// A whole run with so many restarts.
fn restarted(binary: &Path, restarts: u64) -> u64 {
    let place = quiet(binary, "ERROR", restarts);
    place.counted(place.start_counted(place.log()))
}

/// A whole run in which a job writes so many rounds of lines. How the log's thread and the loop share their work is chance,
/// so they don't: the log finds its pipe full until a whole round is in its queue.
fn relayed(binary: &Path, rounds: u64) -> u64 {
    let place = Place::new(binary, "INFO", &format!(r#"exec: ["/usr/bin/perl", "lines", "{rounds}", "{LINES}"]"#));
    let (mut log, pipe) = std::io::pipe().unwrap();
    let full = Full::new(&pipe);
    full.fill();
    let running = place.start_counted(pipe);
    let touch = |name: &str| fs::write(place.path(name), "").unwrap();
    for round in 1..=rounds {
        touch(&format!("go.{round}"));
        let done = place.path(&format!("done.{round}"));
        wait_until(DEADLINE, || done.exists(), "a round of lines is read");
        let (mut got, mut before, mut buffer) = (0, b'\n', vec![0; 1 << 16]);
        while got < LINES {
            let read = log.read(&mut buffer).unwrap();
            assert!(read > 0, "the log ended with {got} lines");
            for byte in buffer.iter().take(read) {
                got += u64::from(*byte == b'\n' && before == b'x');
                before = *byte;
            }
        }
        if round < rounds {
            full.fill();
        }
    }
    // Nobody but the program holds the pipe now, whose last words are read here.
    drop(full);
    touch("go.end");
    std::io::copy(&mut log, &mut std::io::sink()).unwrap();
    place.counted(running)
}

/// A pipe's end of our own that doesn't block, where the program's does.
struct Full(File);

impl Full {
    fn new(pipe: &std::io::PipeWriter) -> Self {
        let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
        Self(File::options().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).unwrap())
    }

    /// Leaves no room, with empty lines.
    fn fill(&self) {
        for length in [4096, 1] {
            while (&self.0).write(&vec![b'\n'; length]).is_ok() {}
        }
    }
}

/// Those before the first exec.
fn system_calls(binary: &Path) -> SystemCalls {
    let traces: Vec<SystemCalls> = (0..TIMES)
        .map(|_| {
            let place = quiet(binary, "INFO", 0);
            place.start(&["strace", "-f", "-qq", "-o", "trace"], &[], place.log()).wait(&place);
            before_the_first_exec(&fs::read_to_string(place.path("trace")).unwrap())
        })
        .collect();
    let least = |of: fn(&SystemCalls) -> &Calls| traces.iter().map(of).min_by_key(|calls| calls.sum()).unwrap().clone();
    SystemCalls { ours: least(|trace| &trace.ours), of_the_child: least(|trace| &trace.of_the_child) }
}

/// Counts in what strace wrote. Not `futex`: whether a thread has to wait for another, or sleeps and is woken, is chance.
fn before_the_first_exec(trace: &str) -> SystemCalls {
    // `8789  openat(AT_FDCWD, …`; the end of an interrupted call is `8789  <... openat resumed>`.
    let mut calls = trace.lines().filter_map(|line| {
        let (pid, call) = line.split_once(' ')?;
        let (name, words) = call.trim_start().split_once('(')?;
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (is_name && name != "futex").then_some((pid, name, words))
    });
    let (us, ..) =
        calls.find(|(_, name, words)| *name == "execve" && words.starts_with("\"./containerpilot\"")).unwrap();
    let mut each: BTreeMap<&str, Calls> = BTreeMap::new();
    for (pid, name, _) in calls {
        *each.entry(pid).or_default().0.entry(name.to_owned()).or_default() += 1;
        if name == "execve" {
            let mut of = |pid| each.remove(pid).unwrap_or_default();
            return SystemCalls { ours: of(us), of_the_child: of(pid) };
        }
    }
    panic!("no exec of a child:\n{trace}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_from_exec_to_exec() {
        let trace = "\
1  execve(\"/usr/bin/unshare\", [\"unshare\", \"./containerpilot\"], 0x1 /* 3 vars */) = 0
1  brk(NULL) = 0x1
2  execve(\"./containerpilot\", [\"./containerpilot\", \"-config\"], 0x2 /* 3 vars */) = 0
2  brk(NULL) = 0x1
2  openat(AT_FDCWD, \"app.json5\", O_RDONLY <unfinished ...>
1  wait4(-1,  <unfinished ...>
3  set_robust_list(0x1, 24) = 0
2  <... openat resumed>) = 3
2  openat(AT_FDCWD, \"/dev/null\", O_RDONLY) = 4
2  futex(0x1, FUTEX_WAKE_PRIVATE, 1) = 1
2  clone3({flags=CLONE_VM|CLONE_VFORK}, 88 <unfinished ...>
2  --- SIGCHLD {si_signo=SIGCHLD} ---
4  rt_sigaction(SIGHUP, {sa_handler=SIG_DFL}, NULL, 8) = 0
4  execve(\"/usr/bin/perl\", [\"/usr/bin/perl\", \"quiet\"], 0x3 /* 4 vars */ <unfinished ...>
2  <... clone3 resumed>) = 2
2  munmap(0x1, 36864) = 0
4  <... execve resumed>) = 0
";
        let calls = |all: &[(&str, u64)]| Calls(all.iter().map(|(name, times)| ((*name).to_owned(), *times)).collect());
        let wanted = SystemCalls {
            ours: calls(&[("brk", 1), ("clone3", 1), ("openat", 2)]),
            of_the_child: calls(&[("execve", 1), ("rt_sigaction", 1)]),
        };
        assert_eq!(before_the_first_exec(trace), wanted);
    }
}

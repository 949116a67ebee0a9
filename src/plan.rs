//! What was decided: the validated configuration, immutable and complete.
//!
//! `config` makes a [`Plan`] or diagnostics, everything behind it only reads one. An illegal plan can't be
//! spelled: every default is filled in, every duration is a [`Duration`], and what a field does not mean is no
//! variant. The plan holds no secrets but [`Consul`]'s, whose token prints as `***`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The whole of a validated configuration (v3 §3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Where and how log records are written.
    pub logging: Logging,
    /// How long a stopping process may take from its first signal to SIGKILL (v3 `stopTimeout`; 0 when the file
    /// says a negative number).
    pub stop_timeout: Duration,
    /// The control socket's place.
    pub control: Control,
    /// The Consul agent, or `None` without a `consul` section or with `consul: false` (design §4 row 17).
    pub consul: Option<Consul>,
    /// All jobs in file order, the telemetry service (a job called `containerpilot`) last.
    pub jobs: Vec<JobSpec>,
    /// All watches in file order.
    pub watches: Vec<WatchSpec>,
    /// Telemetry, if the file has the section.
    pub telemetry: Option<Telemetry>,
    /// What a signal to us means.
    pub signals: SignalMap,
    /// How our own exit status is chosen (design §5).
    pub exit_code: ExitCodeRule,
}

/// The `logging` section (v3 §17).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// Records below this level are dropped.
    pub level: Level,
    /// The shape of a line.
    pub format: LogFormat,
    /// Where lines go.
    pub output: LogOutput,
}

impl Default for Logging {
    fn default() -> Self {
        Self { level: Level::Info, format: LogFormat::Default, output: LogOutput::Stdout }
    }
}

/// A log level, least severe first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Every event and effect.
    Debug,
    /// Life-cycle changes that one would tell a colleague, and the lines of jobs.
    Info,
    /// We coped, but it isn't right.
    Warn,
    /// Somebody must act.
    Error,
    /// The last word before an unsuccessful end.
    Fatal,
    /// Accepted as a configured level because the original did; nothing logs at it.
    Panic,
}

/// The shape of a log line (v3 §17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `<time>[ job][ pid] message`.
    Default,
    /// `time="…" level=info msg="…" job=web pid=42`.
    Text,
    /// One JSON object with sorted keys.
    Json,
}

/// Where log lines go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogOutput {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
    /// A file, appended to; rotation is followed (design §4 row 12).
    File(PathBuf),
}

/// The `control` section (v3 §15).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Path of the unix socket.
    pub socket: PathBuf,
    /// Whether the file names the path; a configured path that can't be had is fatal, the default one is not.
    pub configured: bool,
}

/// The `consul` section with the environment's overrides applied (v3 §13.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consul {
    /// `host:port`, or a path when `scheme` is [`ConsulScheme::Unix`].
    pub address: String,
    /// How the agent is spoken to. The original passes any text on (`httpshttps`).
    pub scheme: ConsulScheme,
    /// The ACL token.
    pub token: Option<Secret>,
    /// TLS settings; only used with [`ConsulScheme::Https`].
    pub tls: ConsulTls,
}

/// How the Consul agent is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsulScheme {
    /// Plain HTTP over TCP.
    Http,
    /// HTTP over TLS.
    Https,
    /// Plain HTTP over a unix socket.
    Unix,
    /// A word the original would have handed to its HTTP library; every request fails.
    Other(String),
}

/// TLS towards Consul.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsulTls {
    /// PEM file with the authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// Directory of PEM files with authorities to trust.
    pub ca_path: Option<PathBuf>,
    /// PEM file with our certificate.
    pub client_cert: Option<PathBuf>,
    /// PEM file with our key.
    pub client_key: Option<PathBuf>,
    /// The name expected in the agent's certificate, without a port.
    pub server_name: Option<String>,
    /// Whether the agent's certificate is verified: unless something says otherwise, it is (design §4 row 10).
    pub verify: bool,
}

impl Default for ConsulTls {
    fn default() -> Self {
        Self { ca_file: None, ca_path: None, client_cert: None, client_key: None, server_name: None, verify: true }
    }
}

/// A text that is never printed: `Debug` shows `***`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that must send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// One job (v3 §8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The name, which is also the source of its events. Need not be unique.
    pub name: String,
    /// What it runs; a job without one only has a life cycle and a service.
    pub exec: Option<CommandSpec>,
    /// What starts it.
    pub when: When,
    /// How long it waits for its first start before it gives up (`when.timeout`).
    pub wait_timeout: Option<Duration>,
    /// How often it is started again after an exit.
    pub restarts: Restarts,
    /// The spacing of unlimited restarts; `None` is v3's immediate restart (design §4 row 6).
    pub backoff: Option<Backoff>,
    /// Bound of the wait from `stopping` to the first signal (design §4 row 3).
    pub stop_timeout: Duration,
    /// The health check.
    pub health: Option<HealthSpec>,
    /// What is registered with Consul, for a job with a port.
    pub service: Option<ServiceSpec>,
    /// The container's application: its completion stops everything, its exit status is ours (design §5).
    pub main: bool,
    /// The exit status of this job's final run wins over all others (design §5, `exitCode: "override"`).
    pub overrides_exit_code: bool,
}

impl JobSpec {
    /// The telemetry service: never checked, always healthy (v3 §11).
    pub fn is_telemetry(&self) -> bool {
        self.name == TELEMETRY_JOB
    }

    /// The command of its health check.
    pub fn check(&self) -> Option<&CommandSpec> {
        self.health.as_ref()?.exec.as_ref()
    }
}

/// The name of the job that stands for our own telemetry service (v3 §16).
pub const TELEMETRY_JOB: &str = "containerpilot";

/// One command: a job's or a health check's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandSpec {
    /// The name in events and messages: the job's, or `check.JOB`.
    pub name: String,
    /// The program, looked up on PATH at each start unless it has a `/`. May be empty, and then fails at the start.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// How long one run may take before its group is killed.
    pub timeout: Option<Duration>,
    /// Whether the output goes to our own descriptors, untouched (`logging.raw`).
    pub raw: bool,
    /// The variable that holds the pid while the command runs (v3 §9).
    pub pid_variable: String,
}

/// What starts a job (v3 §8.1 rule 7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// Once, when everything is ready: no `when` at all.
    Startup,
    /// The first time the event happens.
    Once(Trigger),
    /// Every time the event happens.
    Each(Trigger),
    /// At startup and then after each period.
    Every(Duration),
    /// Each time we get this signal (`source: "SIGHUP"`), without any accounting of starts.
    Signal(Signal),
    /// Never: `when` says no event (v3 §8.1 quirk 7d). Holds the source, if one was named.
    Never(Option<String>),
}

/// The event that starts a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Who publishes it: a job, `check.JOB`, `watch.NAME`, `global`.
    pub source: String,
    /// Which event.
    pub event: EventCode,
}

/// The kinds of events on the bus (v3 §10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventCode {
    /// A command ended with status 0.
    ExitSuccess,
    /// A command ended otherwise, or could not be started.
    ExitFailed,
    /// A job is about to stop.
    Stopping,
    /// A job has stopped; its process is dead.
    Stopped,
    /// A health check passed, or a watch found instances.
    StatusHealthy,
    /// A health check failed, or a watch found no instance any more.
    StatusUnhealthy,
    /// A watch found other instances than before.
    StatusChanged,
    /// A job's `when.timeout` ran out.
    TimerExpired,
    /// Maintenance mode begins.
    EnterMaintenance,
    /// Maintenance mode ends.
    ExitMaintenance,
    /// A command failed; the source is the message.
    Error,
    /// Accepted in `when`; nothing publishes it on the bus.
    Quit,
    /// Everything is ready.
    Startup,
    /// The program stops.
    Shutdown,
    /// We got a signal; the source is its name.
    Signal,
}

impl EventCode {
    /// The name in logs and metrics, as the original spells it.
    pub fn log_name(self) -> &'static str {
        match self {
            Self::ExitSuccess => "ExitSuccess",
            Self::ExitFailed => "ExitFailed",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::StatusHealthy => "StatusHealthy",
            Self::StatusUnhealthy => "StatusUnhealthy",
            Self::StatusChanged => "StatusChanged",
            Self::TimerExpired => "TimerExpired",
            Self::EnterMaintenance => "EnterMaintenance",
            Self::ExitMaintenance => "ExitMaintenance",
            Self::Error => "Error",
            Self::Quit => "Quit",
            Self::Startup => "Startup",
            Self::Shutdown => "Shutdown",
            Self::Signal => "Signal",
        }
    }
}

/// How often a job is started again after an exit (v3 §8.1 rule 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restarts {
    /// Not at all.
    Never,
    /// So many times in its whole life, at least 1.
    Times(u64),
    /// For ever.
    Unlimited,
}

/// The spacing of restarts (design §4 row 6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// So many restarts in a row are immediate.
    pub free: u32,
    /// The first pause.
    pub initial: Duration,
    /// What a pause is multiplied with to get the next, at least 1.
    pub factor: f64,
    /// The longest pause; after a successful run at most 1 s.
    pub max: Duration,
    /// A run that lasted so long makes the count start again.
    pub healthy_after: Duration,
    /// Up to this share of a pause is added to it, 0 to 1.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            free: 5,
            initial: Duration::from_millis(100),
            factor: 2.0,
            max: Duration::from_secs(10),
            healthy_after: Duration::from_secs(10),
            jitter: 0.0,
        }
    }
}

/// A job's health check (v3 §8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthSpec {
    /// What decides; without one a started job is simply reported alive.
    pub exec: Option<CommandSpec>,
    /// The time between checks.
    pub interval: Duration,
    /// How long Consul waits for the next heartbeat.
    pub ttl: Duration,
}

/// What is registered with Consul (v3 §13.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// `<job name>-<host name>`.
    pub id: String,
    /// The job's name.
    pub name: String,
    /// The port as configured, never 0. Like the original we take any number (-1, 70000) and let Consul judge.
    pub port: i64,
    /// The advertised address.
    pub address: IpAddr,
    /// Tags in file order.
    pub tags: Vec<String>,
    /// The time to live of the check.
    pub ttl: Duration,
    /// Register at once, with this status.
    pub initial_status: Option<CheckStatus>,
    /// Consul's `EnableTagOverride`.
    pub enable_tag_override: bool,
    /// Consul's `DeregisterCriticalServiceAfter`, as written.
    pub deregister_critical_service_after: Option<String>,
    /// The variable that tells every child the advertised address (v3 §9).
    pub ip_variable: String,
}

/// The status of a check in Consul.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Everything is well.
    Passing,
    /// Something is not.
    Warning,
    /// Not to be used.
    Critical,
}

/// A watch of other services (v3 §14).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchSpec {
    /// The service looked for; events come from `watch.NAME`.
    pub name: String,
    /// The longest staleness.
    pub interval: Duration,
    /// Only instances with this tag; empty is any.
    pub tag: String,
    /// The data centre; empty is the agent's own.
    pub dc: String,
}

impl WatchSpec {
    /// The source of its events.
    pub fn source(&self) -> String {
        format!("watch.{}", self.name)
    }
}

/// The `telemetry` section (v3 §16).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telemetry {
    /// The port to listen on.
    pub port: i64,
    /// The address to listen on.
    pub address: IpAddr,
    /// Tags of the `containerpilot` service, our version not yet added.
    pub tags: Vec<String>,
    /// Metrics that jobs feed.
    pub metrics: Vec<MetricSpec>,
}

/// A metric that jobs feed through the control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricSpec {
    /// First part of the name, may be empty.
    pub namespace: String,
    /// Second part of the name, may be empty.
    pub subsystem: String,
    /// Last part of the name.
    pub name: String,
    /// The help line, not empty.
    pub help: String,
    /// What it is.
    pub kind: MetricKind,
}

impl MetricSpec {
    /// The exposed name: the parts that are not empty, joined by `_`.
    pub fn exposed_name(&self) -> String {
        let parts = [&self.namespace, &self.subsystem, &self.name];
        parts.into_iter().filter(|p| !p.is_empty()).map(String::as_str).collect::<Vec<_>>().join("_")
    }

    /// The name under which v3 records: empty parts kept (`__bare`).
    pub fn post_key(&self) -> String {
        format!("{}_{}_{}", self.namespace, self.subsystem, self.name)
    }
}

/// The kinds of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// The last value.
    Gauge,
    /// Counts in buckets.
    Histogram,
    /// Quantiles over ten minutes.
    Summary,
}

/// How our own exit status is chosen (design §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExitCodeRule {
    /// By the jobs' final runs.
    #[default]
    Truthful,
    /// Always 0, as v3.
    Zero,
}

/// A signal by its number. [`Signal::name`] gives `SIGHUP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signal(i32);

/// Names and Linux numbers of the signals that have a name (the numbers are the same on x86-64 and aarch64).
const SIGNALS: [(&str, i32); 31] = [
    ("SIGHUP", 1),
    ("SIGINT", 2),
    ("SIGQUIT", 3),
    ("SIGILL", 4),
    ("SIGTRAP", 5),
    ("SIGABRT", 6),
    ("SIGBUS", 7),
    ("SIGFPE", 8),
    ("SIGKILL", 9),
    ("SIGUSR1", 10),
    ("SIGSEGV", 11),
    ("SIGUSR2", 12),
    ("SIGPIPE", 13),
    ("SIGALRM", 14),
    ("SIGTERM", 15),
    ("SIGSTKFLT", 16),
    ("SIGCHLD", 17),
    ("SIGCONT", 18),
    ("SIGSTOP", 19),
    ("SIGTSTP", 20),
    ("SIGTTIN", 21),
    ("SIGTTOU", 22),
    ("SIGURG", 23),
    ("SIGXCPU", 24),
    ("SIGXFSZ", 25),
    ("SIGVTALRM", 26),
    ("SIGPROF", 27),
    ("SIGWINCH", 28),
    ("SIGIO", 29),
    ("SIGPWR", 30),
    ("SIGSYS", 31),
];

impl Signal {
    /// SIGHUP.
    pub const HUP: Self = Self(1);
    /// SIGINT.
    pub const INT: Self = Self(2);
    /// SIGQUIT.
    pub const QUIT: Self = Self(3);
    /// SIGKILL.
    pub const KILL: Self = Self(9);
    /// SIGUSR1.
    pub const USR1: Self = Self(10);
    /// SIGUSR2.
    pub const USR2: Self = Self(12);
    /// SIGTERM.
    pub const TERM: Self = Self(15);
    /// SIGCONT.
    pub const CONT: Self = Self(18);

    /// The signal with this number, 1 to 64.
    pub fn from_number(number: i32) -> Option<Self> {
        (1..=64).contains(&number).then_some(Self(number))
    }

    /// The signal with this name, with or without `SIG`, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
        SIGNALS.iter().find(|(known, _)| known.strip_prefix("SIG") == Some(bare)).map(|&(_, n)| Self(n))
    }

    /// Its number.
    pub fn number(self) -> i32 {
        self.0
    }

    /// Its name: `SIGHUP`, or `SIG34` for one that has none.
    pub fn name(self) -> String {
        match SIGNALS.iter().find(|&&(_, n)| n == self.0) {
            Some(&(name, _)) => name.to_owned(),
            None => format!("SIG{}", self.0),
        }
    }
}

/// What the signals that we get mean; those not in it are ignored (design §6 `signals`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalMap(pub Vec<(Signal, SignalAction)>);

impl SignalMap {
    /// What this signal means.
    pub fn action(&self, signal: Signal) -> &SignalAction {
        self.0.iter().find(|(s, _)| *s == signal).map_or(&SignalAction::Ignore, |(_, action)| action)
    }
}

impl Default for SignalMap {
    fn default() -> Self {
        Self(vec![
            (Signal::TERM, SignalAction::Terminate),
            (Signal::INT, SignalAction::Terminate),
            (Signal::HUP, SignalAction::Event),
            (Signal::USR2, SignalAction::Event),
            (Signal::USR1, SignalAction::ToggleMaintenance),
        ])
    }
}

/// What a signal to us means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SignalAction {
    /// Stop everything in order; again: at once.
    Terminate,
    /// Enter maintenance mode, or leave it.
    ToggleMaintenance,
    /// Close and open log files again.
    ReopenLogs,
    /// Publish the event that jobs with `when.source: "SIG…"` wait for.
    Event,
    /// Nothing.
    Ignore,
    /// Pass a signal on to the process group of every running job of that name.
    Pass {
        /// The job's name.
        job: String,
        /// What it gets.
        signal: Signal,
    },
}

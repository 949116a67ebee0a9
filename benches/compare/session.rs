//! A run: rounds of measures. In each round every system has its turn, in another order each time.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::Value;

use crate::figures::Values;
use crate::job;
use crate::machine::Machine;
use crate::measures::{ALL, Found, How, Measure, Place, Trouble};
use crate::options::Options;
use crate::report::Report;
use crate::systems::{self, System};

/// Measures what is asked for. Returns the exit status.
pub fn run(options: &Options) -> i32 {
    match measure(options) {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(io::stderr(), "compare: {error}");
            1
        }
    }
}

fn measure(options: &Options) -> Result<(), Trouble> {
    if !nix::unistd::geteuid().is_root() {
        return Err(Trouble::NotApplicable("new pid namespaces need root".to_owned()));
    }
    // A thousand jobs have two thousand pipes.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(20_000), hard)?;
    let dir = tempfile::Builder::new().prefix("compare-").tempdir()?;
    let place = place(dir.path(), options)?;
    let binary = match &options.binary {
        Some(binary) => fs::canonicalize(binary)?,
        None => build()?,
    };
    let machine = Machine::here();
    let systems = systems::all(&dir.path().join("floor"), &binary, &options.against);
    let systems: Vec<&dyn System> = systems.iter().map(AsRef::as_ref).collect();
    let names: Vec<&str> = systems.iter().map(|system| system.name()).collect();
    if let Some(name) = options.systems.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(Trouble::NotApplicable(format!("{name} is not here; there are: {}", names.join(", "))));
    }
    let is_wanted =
        |system: &&dyn System| options.systems.is_empty() || options.systems.iter().any(|name| name == system.name());
    let systems: Vec<&dyn System> = systems.into_iter().filter(is_wanted).collect();
    for file in systems.iter().filter_map(|system| system.files()).flatten() {
        // Pages of a file that is on its way to the disk count as changed by who runs it.
        File::open(file)?.sync_all()?;
    }
    let mut report = Report::new(machine, &systems, options);
    for measure in ALL.iter().filter(|measure| options.only.is_empty() || options.only.contains(&measure.letter)) {
        let begin = Instant::now();
        let values = rounds(measure, &systems, options, &place)?;
        let seconds = begin.elapsed().as_secs();
        writeln!(io::stderr(), "{}: {}, {seconds} s", measure.letter, measure.title)?;
        report.take(measure.letter, values);
    }
    if let Some(file) = &options.json {
        fs::write(file, report.json())?;
    }
    io::stdout().write_all(report.text().as_bytes())?;
    Ok(())
}

/// Builds containerpilot as it is released. Cargo has told us where it is itself.
fn build() -> Result<PathBuf, Trouble> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--bin", "containerpilot", "--message-format", "json-render-diagnostics"]);
    // A build script looks at what cargo tells of a package, and this is told of ours: all would be built again.
    let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"];
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| told.iter().any(|told| name.starts_with(told))) {
            command.env_remove(name);
        }
    }
    let built = command.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit()).output()?;
    let messages = built.stdout.split(|byte| *byte == b'\n');
    let mut messages = messages.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let binary = messages.find_map(|message| message.get("executable")?.as_str().map(PathBuf::from));
    binary.ok_or_else(|| Trouble::Failed("cargo build did not make a binary".to_owned()))
}

/// Copies of this program, so that nobody's memory is shared with ours, and the job.
fn place(dir: &Path, options: &Options) -> Result<Place, Trouble> {
    let jobs = dir.join("jobs");
    fs::create_dir(&jobs)?;
    let (job, load) = (jobs.join("job"), jobs.join("load"));
    let program = std::env::current_exe()?;
    for copy in [&load, &dir.join("floor")] {
        fs::copy(&program, copy)?;
        File::open(copy)?.sync_all()?;
    }
    job::write_program(&job)?;
    Ok(Place { dir: dir.join("rounds"), job, load, jobs, loads: options.loads() })
}

fn rounds(
    measure: &Measure,
    systems: &[&dyn System],
    options: &Options,
    place: &Place,
) -> Result<Vec<Values>, Trouble> {
    let mut all: Vec<Values> = systems.iter().map(|_| Values::default()).collect();
    let rounds = match measure.how {
        How::Once(_) => 1,
        How::Together(_) => options.rounds(),
        How::InTurn(times, _) => options.rounds() * times,
    };
    for round in 0..rounds as usize {
        let dir = place.dir.join(format!("{}{round}", measure.letter));
        let place = |name: &str| -> io::Result<Place> {
            let dir: PathBuf = dir.join(name);
            fs::create_dir_all(&dir)?;
            Ok(Place { dir, ..place.clone() })
        };
        match measure.how {
            How::Together(take) => {
                for (values, found) in all.iter_mut().zip(take(systems, &place("all")?)) {
                    note(values, found);
                }
            }
            How::InTurn(_, take) | How::Once(take) => {
                for n in (0..systems.len()).map(|n| (n + round) % systems.len()) {
                    let (Some(system), Some(values)) = (systems.get(n), all.get_mut(n)) else { continue };
                    if !values.has_given_up() {
                        note(values, take(*system, &place(system.name())?));
                    }
                }
            }
        }
        let _ = fs::remove_dir_all(&dir);
    }
    Ok(all)
}

fn note(values: &mut Values, found: Result<Found, Trouble>) {
    match found {
        Ok(Found { values: found, missing }) => {
            for (label, value) in found {
                values.by_label.entry(label).or_default().push(value);
            }
            for reason in missing {
                values.miss(reason);
            }
        }
        Err(Trouble::NotApplicable(reason)) => {
            values.miss(reason);
            values.give_up();
        }
        Err(trouble) => {
            values.miss(trouble.to_string());
            values.fail();
        }
    }
}

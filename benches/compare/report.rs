//! The table, and what must be known with it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::figures::{Figure, Values, number};
use crate::machine::{self, Machine};
use crate::measures::FIGURES;
use crate::options::Options;
use crate::systems::System;

/// The one that all is about.
const OURS: &str = "containerpilot";

/// What was found.
pub struct Report {
    machine: Machine,
    /// With versions, in the order of the columns.
    systems: Vec<(String, String)>,
    rounds: u32,
    quick: bool,
    /// By measure and system.
    values: BTreeMap<(char, String), Values>,
}

impl Report {
    /// Nothing found yet.
    pub fn new(machine: Machine, systems: &[&dyn System], options: &Options) -> Self {
        let systems = systems.iter().map(|system| (system.name().to_owned(), system.version())).collect();
        Self { machine, systems, rounds: options.rounds(), quick: options.quick, values: BTreeMap::new() }
    }

    /// Takes what a measure gave, in the order of the systems.
    pub fn take(&mut self, letter: char, values: Vec<Values>) {
        for ((name, _), values) in self.systems.iter().zip(values) {
            self.values.insert((letter, name.clone()), values);
        }
    }

    fn median(&self, figure: &Figure, system: &str) -> Option<f64> {
        let (_, values) = self.values.iter().find(|((letter, name), _)| *letter == figure.letter && *name == system)?;
        values.median(figure.label)
    }

    fn figures(&self) -> impl Iterator<Item = &'static Figure> {
        let is_there = |figure: &&Figure| self.systems.iter().any(|(name, _)| self.median(figure, name).is_some());
        FIGURES.iter().copied().flatten().filter(is_there)
    }

    /// For people.
    pub fn text(&self) -> String {
        let Machine { date, processor, processors, memory_mib, system, kernel, load } = &self.machine;
        let mut text = format!(
            "{date}, {processor}, {processors} CPUs, {memory_mib} MiB, {system}, Linux {kernel}; load {load:.1} before, {:.1} \
             after; {} rounds{}, medians.\n",
            machine::load(),
            self.rounds,
            if self.quick { " of small loads (2000 orphans, 200 jobs for 1000)" } else { "" }
        );
        if self.machine.is_busy() {
            text += "The machine was busy: times are worth little, ratios a little more.\n";
        }
        let versions = self.systems.iter().filter(|(_, version)| !version.is_empty());
        let versions: Vec<String> = versions.map(|(name, version)| format!("{name} {version}")).collect();
        let _ = writeln!(text, "{}.\n", versions.join(", "));
        text += &table(&self.rows());
        let mut missing = String::new();
        for ((letter, name), values) in &self.values {
            for reason in &values.missing {
                let _ = writeln!(missing, "- {letter}, {name}: {reason}");
            }
        }
        if !missing.is_empty() {
            let _ = write!(text, "\nn/a:\n\n{missing}");
        }
        text
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let names = self.systems.iter().map(|(name, _)| name.clone());
        let ratios = ["floor", "tini"].into_iter().filter(|base| self.has(base) && self.has(OURS));
        let ratios: Vec<&str> = ratios.collect();
        let mut rows = vec![
            [String::new(), "measure".to_owned()]
                .into_iter()
                .chain(names)
                .chain(ratios.iter().map(|base| format!("× {base}")))
                .collect(),
        ];
        for figure in self.figures() {
            let unit = if figure.unit.is_empty() { String::new() } else { format!(" [{}]", figure.unit) };
            let more = if figure.more { " ↑" } else { "" };
            let cell = |value: Option<f64>| value.map_or_else(|| "n/a".to_owned(), number);
            let values = self.systems.iter().map(|(name, _)| cell(self.median(figure, name)));
            let ratios = ratios.iter().map(|base| {
                let (ours, theirs) =
                    (self.median(figure, OURS), self.median(figure, base).filter(|value| *value > 0.0));
                ours.zip(theirs).map_or_else(String::new, |(ours, theirs)| format!("{:.2}", ours / theirs))
            });
            let head = [figure.letter.to_string(), format!("{}{unit}{more}", figure.label)];
            rows.push(head.into_iter().chain(values).chain(ratios).collect());
        }
        rows
    }

    fn has(&self, system: &str) -> bool {
        self.systems.iter().any(|(name, _)| *name == system)
    }

    /// Everything, for programs.
    pub fn json(&self) -> String {
        let of_system = |name: &str| {
            let mut of_measures = serde_json::Map::new();
            for ((letter, _), values) in self.values.iter().filter(|((_, system), _)| *system == name) {
                let found = json!({ "values": values.by_label, "missing": values.missing });
                of_measures.insert(letter.to_string(), found);
            }
            Value::Object(of_measures)
        };
        let systems = self.systems.iter();
        let systems =
            systems.map(|(name, version)| json!({ "name": name, "version": version, "measures": of_system(name) }));
        let all = json!({
            "machine": self.machine,
            "rounds": self.rounds,
            "quick": self.quick,
            "systems": systems.collect::<Vec<_>>(),
        });
        format!("{all:#}\n")
    }
}

/// As Markdown, with columns that line up.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (n, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = if column < 2 { write!(text, "| {cell:<width$} ") } else { write!(text, "| {cell:>width$} ") };
        }
        text += "|\n";
        if n == 0 {
            for (column, width) in widths.iter().enumerate() {
                let _ = write!(text, "|{}{}", "-".repeat(width + 1), if column < 2 { "-" } else { ":" });
            }
            text += "|\n";
        }
    }
    text
}

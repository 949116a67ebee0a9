//! Everything that can go wrong around the core, at any moment and in any order: Consul hangs and comes back, starts fail,
//! the machine stands still, signals, orders and reloads come when nobody needs them (reliability rows 34 to 46, 60 and
//! 71 in one).

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::build::ms;
use super::properties::most_of_a_stop;
use super::reload::any_new_plans;
use super::sim::{Happening, Sim, Strays};
use super::strategies::{any_order, any_signal, cases};
use crate::core::{Input, Order};
use crate::plan::EventCode;

#[derive(Debug, Clone)]
enum Misfortune {
    Signal(crate::plan::Signal),
    /// The so-manieth plan.
    Reload(usize),
    /// It answers after so long from now on; `None`: never.
    Consul(Option<u64>),
    /// Nothing is looked at for so long.
    Freeze(u64),
    Order(String, Order),
    Maintenance(bool),
    /// Whether the watch sees an instance.
    Seen(bool),
    ConsulChanged,
}

fn any_misfortune() -> impl Strategy<Value = Misfortune> {
    prop_oneof![
        2 => any_signal().prop_map(Misfortune::Signal),
        2 => (0..4_usize).prop_map(Misfortune::Reload),
        2 => prop::option::of(0..5000_u64).prop_map(Misfortune::Consul),
        2 => (1..8000_u64).prop_map(Misfortune::Freeze),
        2 => any_order().prop_map(|(job, order)| Misfortune::Order(job, order)),
        1 => any::<bool>().prop_map(Misfortune::Maintenance),
        1 => any::<bool>().prop_map(Misfortune::Seen),
        1 => Just(Misfortune::ConsulChanged),
    ]
}

fn suffer(mut sim: Sim, misfortune: Misfortune, plans: &[super::build::PlanBuilder]) -> Sim {
    if sim.exit.is_some() {
        return sim;
    }
    match misfortune {
        Misfortune::Signal(signal) => sim.signal(signal),
        Misfortune::Reload(n) => sim.reload(plans[n % plans.len()].clone()),
        Misfortune::Consul(answers) => sim.consul_takes(answers.map(ms)),
        Misfortune::Freeze(millis) => sim.freeze(ms(millis)),
        Misfortune::Order(job, order) => sim.order(&job, order),
        Misfortune::Seen(there) => sim.sees(0, if there { &["a@10.0.0.1:80"] } else { &[] }),
        Misfortune::Maintenance(on) => {
            sim.step(&Input::Maintenance(on));
            sim
        }
        Misfortune::ConsulChanged => {
            sim.step(&Input::ConsulChanged);
            sim
        }
    }
}

proptest! {
    #![proptest_config(cases(10_000))]

    /// Whatever happens before and during the stop: it ends within what its plans allow, nobody is left (P1), each run has
    /// exactly one end (P2), and nothing is armed at the exit (the simulator looks).
    #[test]
    fn whatever_goes_wrong_the_end_is_bounded_and_each_run_has_one(
        plans in any_new_plans(),
        before in prop::collection::vec((any_misfortune(), 0..1500_u64), 0..10),
        during in prop::collection::vec((any_misfortune(), 0..1500_u64), 0..4),
        strays in prop_oneof![Just(Strays::None), (0..9000_u64).prop_map(|t| Strays::DieOfTerm(ms(t))), Just(Strays::DieOfKill)],
    ) {
        let mut sim = plans[0].clone().start().strays(strays);
        for (misfortune, pause) in before {
            let until = sim.now.after(ms(pause));
            sim = suffer(sim.until(until.0), misfortune, &plans);
        }
        let asked = sim.now;
        if sim.exit.is_none() {
            sim = sim.term();
        }
        // What else comes can take its own time, and a machine that stands still takes everybody's.
        let mut most: std::time::Duration = plans.iter().map(|plan| most_of_a_stop(&plan.plan)).sum();
        for (misfortune, pause) in during {
            most += ms(pause);
            if let Misfortune::Freeze(millis) = misfortune {
                most += ms(millis);
            }
            let until = sim.now.after(ms(pause));
            sim = suffer(sim.until(until.0), misfortune, &plans);
        }
        let sim = sim.till_the_end();
        prop_assert!(sim.alive().is_empty(), "{:?} lives:\n{}", sim.alive(), sim.story());
        prop_assert!(sim.now.since(asked) <= most, "{:?} > {most:?}:\n{}", sim.now.since(asked), sim.story());

        let mut ends: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (_, what) in &sim.trace {
            match what {
                Happening::Ended(name) => ends.entry(name).or_default().0 += 1,
                Happening::Event(EventCode::ExitSuccess | EventCode::ExitFailed, name) => {
                    ends.entry(name).or_default().1 += 1;
                }
                _ => {}
            }
        }
        for (name, (deaths, told)) in ends {
            let runs = sim.runs_of(name).len();
            // What could not be started has an end that is told, and was never alive.
            prop_assert!(deaths <= told && told <= runs, "{name}: {deaths} of {runs}, {told} told:\n{}", sim.story());
        }
    }
}

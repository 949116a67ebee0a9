//! Everything that can go wrong around the core, at any moment and in any order: Consul hangs and comes back, starts fail,
//! the machine stands still, signals, orders and reloads come when nobody needs them (reliability rows 34 to 46, 60 and
//! 71 in one).

use proptest::prelude::*;

use super::build::{PlanBuilder, missing, ms, no_process_slot};
use super::properties::most_of_a_stop;
use super::reload::any_new_plans;
use super::sim::{Sim, Strays};
use super::strategies::{any_order, any_signal, beside, cases};
use crate::core::{Input, Order};
use crate::plan::{ReloadMode, Signal};

#[derive(Debug, Clone)]
enum Misfortune {
    Signal(Signal),
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
    /// So many starts fail from now on, for want of a process slot or for good.
    Starts(usize, bool),
}

/// What the check of the job is called that has to be in time: its starts don't fail.
const STEADY: &str = "check.steady";

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
        2 => (1..12_usize, any::<bool>()).prop_map(|(times, lack)| Misfortune::Starts(times, lack)),
    ]
}

fn suffer(mut sim: Sim, misfortune: Misfortune, plans: &[PlanBuilder]) -> Sim {
    if sim.exit.is_some() {
        return sim;
    }
    match misfortune {
        Misfortune::Signal(signal) => sim.signal(signal),
        Misfortune::Reload(n) => sim.reload(plans[n % plans.len()].clone()),
        Misfortune::Consul(answers) => sim.consul_takes(answers.map(ms)),
        Misfortune::Freeze(millis) => sim.freeze(ms(millis)),
        Misfortune::Starts(times, lack) => sim.lacks(&if lack { no_process_slot() } else { missing() }, times, STEADY),
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
        // That each had exactly one end is what the witness has seen, step by step.
        prop_assert!(sim.witness.alive.is_empty(), "{:?} have no end:\n{}", sim.witness.alive, sim.story());
    }
}

proptest! {
    #![proptest_config(cases(2500))]

    /// Whatever goes wrong for others, reloads and a Consul that is lost included: the check of a job begins at the very
    /// millisecond, or at the one at which a machine that stood still goes on (P3).
    #[test]
    fn whatever_goes_wrong_the_check_of_another_job_is_in_time(
        plans in any_new_plans(),
        interval in 50..1000_u64,
        misfortunes in prop::collection::vec((any_misfortune(), 0..1500_u64), 0..10),
    ) {
        let reconciled = |plan: PlanBuilder| {
            let mut plan = beside(plan, interval);
            plan.plan.reload.mode = ReloadMode::Reconcile;
            plan
        };
        let plans: Vec<PlanBuilder> = plans.into_iter().map(reconciled).collect();
        let mut sim = plans[0].clone().start();
        let (mut due, mut expected) = (ms(interval), Vec::new());
        for (misfortune, pause) in misfortunes {
            let until = sim.now.after(ms(pause)).0;
            sim = sim.until(until);
            while due <= until {
                expected.push(due.as_millis());
                due += ms(interval);
            }
            match misfortune {
                // They end everything, or pause all checks.
                Misfortune::Signal(Signal::TERM | Signal::INT | Signal::USR1) | Misfortune::Maintenance(_) => continue,
                Misfortune::Freeze(millis) => {
                    let end = until + ms(millis);
                    if due <= end {
                        expected.push(end.as_millis());
                        due = if due + ms(interval) > end { due + ms(interval) } else { end + ms(interval) };
                        if due == end + ms(1) {
                            // The late one still takes its millisecond: this one is skipped.
                            due += ms(interval);
                        }
                    }
                }
                _ => {}
            }
            sim = suffer(sim, misfortune, &plans);
        }
        prop_assert_eq!(sim.exit, None);
        prop_assert_eq!(sim.runs_of(STEADY), expected, "{}", sim.story());
    }
}

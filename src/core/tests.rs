//! The rules of the core, in virtual time.
//!
//! `build` spells plans and what their commands will do, `sim` drives [`World::step`](super::World::step) and plays
//! the rest of the machine. Every simulated step also checks what must hold at all times.

mod build;
mod exit;
mod faults;
mod health;
mod misfortunes;
mod orderings;
mod orders;
mod pace;
mod properties;
mod reload;
mod rules;
mod scale;
mod services;
mod sim;
mod stop;
mod strategies;
mod watches;

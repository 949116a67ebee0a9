//! What a job that a watch starts is told: all healthy instances of the service, in its environment.

use serde_json::json;
use tracing::warn;

use crate::core::Instance;
use crate::env::Environment;

/// The kernel takes 128 KiB for one variable, its name included; what is longer would keep the job from starting.
const LONGEST: usize = 120 * 1024;

/// `CONTAINERPILOT_WATCH_{NAME}`, a JSON list, and `CONTAINERPILOT_WATCH_{NAME}_ADDRS`, a line `ip:port` for each
/// instance. What is too long for a variable is left out, with a warning.
pub(super) fn tell(env: &mut Environment, service: &str, instances: &[&Instance]) {
    let list: Vec<_> = instances
        .iter()
        .map(|it| json!({"id": it.id, "address": it.address, "port": it.port, "tags": it.tags, "node": it.node}))
        .collect();
    let lines: Vec<String> = instances.iter().map(|it| place(&it.address, it.port)).collect();
    let name = variable(service);
    set(env, format!("{name}_ADDRS"), lines.join("\n"), instances.len());
    set(env, name, serde_json::Value::Array(list).to_string(), instances.len());
}

fn set(env: &mut Environment, name: String, value: String, instances: usize) {
    if value.len() > LONGEST {
        warn!("{instances} instances are too many for {name}, a variable takes 128 KiB: it is not set");
        env.remove(&name);
    } else {
        env.set(name, value);
    }
}

/// The name of a service is lower-case letters, digits and dashes.
fn variable(service: &str) -> String {
    let word = service.replace(|c: char| !c.is_ascii_alphanumeric(), "_").to_ascii_uppercase();
    format!("CONTAINERPILOT_WATCH_{word}")
}

/// `10.0.0.1:80`, `[fd00::1]:80`
fn place(address: &str, port: i64) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(id: &str, address: &str) -> Instance {
        Instance { id: id.to_owned(), address: address.to_owned(), port: 80, tags: Vec::new(), node: "n".to_owned() }
    }

    #[test]
    fn instances_are_a_list_and_lines() {
        let mut env = Environment::default();
        tell(&mut env, "my-db", &[&instance("a", "10.0.0.1"), &instance("b", "fd00::1")]);
        let list = r#"[{"id":"a","address":"10.0.0.1","port":80,"tags":[],"node":"n"},{"id":"b","address":"fd00::1","port":80,"tags":[],"node":"n"}]"#;
        assert_eq!(env.get_text("CONTAINERPILOT_WATCH_MY_DB").as_deref(), Some(list));
        let lines = "10.0.0.1:80\n[fd00::1]:80";
        assert_eq!(env.get_text("CONTAINERPILOT_WATCH_MY_DB_ADDRS").as_deref(), Some(lines));
    }

    #[test]
    fn nobody_is_an_empty_list() {
        let mut env = Environment::default();
        tell(&mut env, "db", &[]);
        assert_eq!(env.get_text("CONTAINERPILOT_WATCH_DB").as_deref(), Some("[]"));
        assert_eq!(env.get_text("CONTAINERPILOT_WATCH_DB_ADDRS").as_deref(), Some(""));
    }

    #[test]
    fn what_the_kernel_would_not_take_is_left_out() {
        let mut env = Environment::default();
        let long = "x".repeat(LONGEST);
        tell(&mut env, "db", &[&instance(&long, "10.0.0.1")]);
        assert_eq!(env.get("CONTAINERPILOT_WATCH_DB"), None);
        assert_eq!(env.get_text("CONTAINERPILOT_WATCH_DB_ADDRS").as_deref(), Some("10.0.0.1:80"));
    }
}

//! What is fuzzed of this room (see [`crate::fuzzing`]): what an agent, a name server and the files beside them may say.

use super::{client, dns, token, types};

/// Reads these bytes as each of them in turn.
///
/// # Panics
/// When it finds something.
pub fn fuzz(bytes: &[u8]) {
    if let Ok((instances, odd)) = types::instances(bytes) {
        for instance in &instances {
            let address = &instance.address;
            assert!(!address.is_empty() && !address.contains([' ', '\n', '\0']), "{address:?}");
        }
        let ids: Vec<&str> = instances.iter().map(|instance| instance.id.as_str()).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(instances.len().saturating_add(odd.len()) <= bytes.len(), "as many as were told");
    }
    let token = token::of_file(bytes).ok().flatten();
    if let Some(token) = &token {
        // Whether it can be one or not, it is not told.
        let told = client::header("x-consul-token", token.expose()).err().map(|error| error.to_string());
        assert!(told.is_none_or(|told| token.expose().len() < 4 || !told.contains(token.expose())));
    }
    let said = client::one_line(bytes, token.as_ref());
    assert!(said.len() <= client::LARGEST_SAID && !said.contains(char::is_control), "{said:?}");
    dns::fuzz(bytes);
}

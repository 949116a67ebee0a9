//! Names of jobs and watches, and the environment variables made of them (v3 §7.2, §9).

/// The original's rule for every name that a service discovery will see: `^[a-z][a-zA-Z0-9\-]+$`.
///
/// # Errors
/// The original's words, for a blank name and for any other that breaks the rule.
pub fn check_service_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("'name' must not be blank");
    }
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
    // At least two characters: the rule's `+`.
    if first && name.len() > 1 && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Ok(());
    }
    Err("service names must be alphanumeric with dashes to comply with service discovery")
}

/// The variable that holds the pid of a running command: `my-app` → `CONTAINERPILOT_MY_APP_PID`.
///
/// The base name without its last extension; every run of other characters than ASCII letters and digits becomes one
/// underscore. All health checks (`check.NAME`) share one name, as in the original.
pub fn pid_variable(command_name: &str) -> String {
    let base = base_name(command_name);
    let stem = base.rsplit_once('.').map_or(base, |(stem, _)| stem);
    let mut word = String::with_capacity(stem.len());
    let mut in_run = false;
    for c in stem.chars() {
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_uppercase());
            in_run = false;
        } else if !in_run {
            word.push('_');
            in_run = true;
        }
    }
    format!("CONTAINERPILOT_{word}_PID")
}

/// The variable that holds the address of an advertised job: `my-app` → `CONTAINERPILOT_MY_APP_IP`.
///
/// Nothing but dashes is replaced, as in the original; a name with a port has passed [`check_service_name`] anyway.
pub fn ip_variable(job_name: &str) -> String {
    let word: String = job_name.chars().map(|c| if c == '-' { '_' } else { to_upper(c) }).collect();
    format!("CONTAINERPILOT_{word}_IP")
}

/// One character to one character, as Go's `strings.ToUpper`: `ß` has no single upper-case letter and stays.
fn to_upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

/// Go's `filepath.Base`: trailing slashes do not count, only slashes are `/`, nothing is `.`.
fn base_name(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return "/";
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_and_bad_names_have_their_own_words() {
        assert_eq!(check_service_name(""), Err("'name' must not be blank"));
        assert_eq!(check_service_name("my-app"), Ok(()));
        for bad in ["a", "Web", "my_app", "9app", "-app", "app\n", "été"] {
            assert_eq!(
                check_service_name(bad),
                Err("service names must be alphanumeric with dashes to comply with service discovery"),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn pid_variables_of_paths_and_odd_names() {
        assert_eq!(pid_variable("/bin/to/test-Case--now.sh"), "CONTAINERPILOT_TEST_CASE_NOW_PID");
        assert_eq!(pid_variable("check.web"), "CONTAINERPILOT_CHECK_PID");
        assert_eq!(pid_variable(""), "CONTAINERPILOT__PID");
        assert_eq!(pid_variable("///"), "CONTAINERPILOT___PID");
    }

    #[test]
    fn ip_variables_keep_what_is_no_dash() {
        assert_eq!(ip_variable("my-app"), "CONTAINERPILOT_MY_APP_IP");
        assert_eq!(ip_variable("straße"), "CONTAINERPILOT_STRAßE_IP");
    }
}

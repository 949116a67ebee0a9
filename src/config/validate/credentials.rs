//! What every request to Consul carries in its headers: the token, and Consul Enterprise's namespace and partition.
//!
//! None of these values is ever repeated, and a problem with one has no place in the file, whose line would be shown.

use std::path::PathBuf;

use crate::config::diagnostic::Span;
use crate::config::files::{TokenProblem, is_header_value, token_problem};
use crate::config::report::{Problem, Rank, Report};
use crate::env::Environment;
use crate::plan::Secret;

/// Who asks, and with what powers.
pub(super) struct Credentials {
    /// The token itself.
    pub(super) token: Option<Secret>,
    /// Where to read the token, if there is no other.
    pub(super) token_file: Option<PathBuf>,
    /// The namespace.
    pub(super) namespace: Option<String>,
    /// The admin partition.
    pub(super) partition: Option<String>,
}

/// Gathers them. The token is that of `CONSUL_HTTP_TOKEN`, else the file's, as in the original (v3 §13.1), else what
/// `CONSUL_HTTP_TOKEN_FILE` names.
///
/// Consul's own programs prefer the token file to `CONSUL_HTTP_TOKEN`. The original does not know it: where both are set
/// it takes the token, and so do we, with a warning.
pub(super) fn credentials(file_token: &str, env: &Environment, section: Span, report: &mut Report) -> Credentials {
    let mut judge = Headers { env, section, report };
    let from_env = judge.header("CONSUL_HTTP_TOKEN");
    let from_file = Some(file_token.to_owned()).filter(|token| !token.is_empty());
    if let Some(token) = &from_file
        && !is_header_value(token.as_bytes())
    {
        let message = "consul.token: it has a control character in it, which no header can carry";
        judge.error("consul.token", message, HELP);
    }
    let source = if from_env.is_some() { "CONSUL_HTTP_TOKEN" } else { "`consul.token`" };
    let token = from_env.or(from_file);
    let token_file = judge.token_file(token.is_some().then_some(source));
    let (namespace, partition) = (judge.header("CONSUL_NAMESPACE"), judge.header("CONSUL_PARTITION"));
    Credentials { token: token.map(Secret::new), token_file, namespace, partition }
}

/// What is mostly the reason.
const HELP: &str = "is there a line break at its end?";

struct Headers<'j, 'a> {
    env: &'j Environment,
    section: Span,
    report: &'j mut Report<'a>,
}

impl Headers<'_, '_> {
    /// A variable whose value goes into a header.
    fn header(&mut self, name: &str) -> Option<String> {
        let value = self.env.get_text(name).filter(|value| !value.is_empty())?;
        if !is_header_value(value.as_bytes()) {
            let message = format!("{name} in the environment has a control character in it, which no header can carry");
            self.error("consul", message, HELP);
        }
        Some(value)
    }

    /// The file that `CONSUL_HTTP_TOKEN_FILE` names, unless `given` says where the token is from. It is read again later,
    /// so that one that is not there yet refuses nothing.
    fn token_file(&mut self, given: Option<&str>) -> Option<PathBuf> {
        let name = "CONSUL_HTTP_TOKEN_FILE in the environment";
        let path = PathBuf::from(self.env.get("CONSUL_HTTP_TOKEN_FILE").filter(|value| !value.is_empty())?);
        if let Some(source) = given {
            self.warn(format!("{name} has no effect: {source} gives the token"));
            return None;
        }
        match token_problem(&path) {
            Some(TokenProblem::Unreadable(why)) => {
                self.warn(format!("{name} names a file that can't be read: {why}; it is tried again later"));
            }
            Some(TokenProblem::Empty) => {
                self.warn(format!("{name} names a file without a token in it; it is read again later"));
            }
            Some(TokenProblem::NoHeader) => {
                let message = format!("{name} names a file that holds no token: no header can carry what is in it");
                self.error("consul", message, "a token is one line of text; white space around it does not count");
            }
            None => {}
        }
        Some(path)
    }

    fn error(&mut self, path: &str, message: impl Into<String>, help: &str) {
        self.report.add(Problem::error(Rank::OURS, path, self.section, message).nowhere().help(help));
    }

    fn warn(&mut self, message: String) {
        self.report.add(Problem::warning("consul", self.section, message).nowhere());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::said::{read, said};
    use crate::plan::Consul;

    const FILE: &str = "{ consul: {}, jobs: [ { name: \"a\", exec: \"x\" } ] }";
    const WITH_TOKEN: &str = "{ consul: { token: \"theirs\" }, jobs: [ { name: \"a\", exec: \"x\" } ] }";

    /// The agent, and what was said.
    fn agent(text: &str, env: &[(&str, &str)]) -> (Option<Consul>, Vec<String>) {
        let outcome = read(text, env, false);
        let told = said(&outcome);
        assert!(!format!("{told:?}").contains("secret"), "{told:?}");
        (outcome.plan.and_then(|plan| plan.consul), told)
    }

    /// The token and the token file's name.
    fn token(text: &str, env: &[(&str, &str)]) -> (Option<String>, bool, Vec<String>) {
        let (agent, told) = agent(text, env);
        let agent = agent.unwrap();
        (agent.token.map(|token| token.expose().to_owned()), agent.token_file.is_some(), told)
    }

    #[test]
    fn a_token_file_counts_where_nothing_else_gives_a_token() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret.token");
        fs::write(&path, " secret \n").unwrap();
        let named = ("CONSUL_HTTP_TOKEN_FILE", path.to_str().unwrap());

        assert_eq!(token(FILE, &[]), (None, false, vec![]));
        assert_eq!(token(FILE, &[named]), (None, true, vec![]));
        assert_eq!(token(FILE, &[named, ("CONSUL_HTTP_TOKEN", "")]), (None, true, vec![]));
        assert_eq!(token("{ consul: \"c:1\", jobs: [ { name: \"a\" } ] }", &[named]), (None, true, vec![]));
        let told = |source: &str| {
            vec![format!("W consul: CONSUL_HTTP_TOKEN_FILE in the environment has no effect: {source} gives the token")]
        };
        let ours = ("CONSUL_HTTP_TOKEN", "ours");
        assert_eq!(token(FILE, &[named, ours]), (Some("ours".to_owned()), false, told("CONSUL_HTTP_TOKEN")));
        assert_eq!(token(WITH_TOKEN, &[named, ours]), (Some("ours".to_owned()), false, told("CONSUL_HTTP_TOKEN")));
        assert_eq!(token(WITH_TOKEN, &[named]), (Some("theirs".to_owned()), false, told("`consul.token`")));
    }

    #[test]
    fn a_token_file_that_is_not_ready_yet_is_worth_a_word() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        fs::write(at("secret.empty"), " \n").unwrap();
        let told = |path: &str| {
            let (token, named, told) = token(FILE, &[("CONSUL_HTTP_TOKEN_FILE", path)]);
            assert_eq!((token, named), (None, true), "{path}");
            told.join("\n")
        };
        let name = "W consul: CONSUL_HTTP_TOKEN_FILE in the environment names a file";
        let again = "it is tried again later";
        assert_eq!(told(&at("secret.none")), format!("{name} that can't be read: no such file or directory; {again}"));
        assert_eq!(told("/proc"), format!("{name} that can't be read: not a regular file; {again}"));
        assert_eq!(told("/dev/zero"), format!("{name} that can't be read: not a regular file; {again}"));
        assert_eq!(told(&at("secret.empty")), format!("{name} without a token in it; it is read again later"));
    }

    #[test]
    fn what_no_header_can_carry_is_refused_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in
            [("two", "secret\nsecret\n".into()), ("binary", b"secret\xff".to_vec()), ("long", vec![b'x'; 70_000])]
        {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            assert_eq!(
                agent(FILE, &[("CONSUL_HTTP_TOKEN_FILE", path.to_str().unwrap())]).1,
                [
                    "E consul: CONSUL_HTTP_TOKEN_FILE in the environment names a file that holds no token: no header can \
                  carry what is in it"
                ],
                "{name}"
            );
        }
        for variable in ["CONSUL_HTTP_TOKEN", "CONSUL_NAMESPACE", "CONSUL_PARTITION"] {
            for bad in ["secret\n", "\u{1b}secret", "secret\u{7f}"] {
                let want = format!(
                    "E consul: {variable} in the environment has a control character in it, which no header can carry"
                );
                assert_eq!(agent(FILE, &[(variable, bad)]).1, [want]);
            }
        }
        let file = WITH_TOKEN.replace("theirs", "secret\\n");
        let outcome = read(&file, &[], false);
        assert_eq!(said(&outcome), ["E consul.token: it has a control character in it, which no header can carry"]);
        assert!(outcome.diagnostics.iter().all(|d| d.span.is_none()), "its line would be shown");
    }

    #[test]
    fn namespace_and_partition_come_from_the_environment() {
        let env = [("CONSUL_NAMESPACE", "team"), ("CONSUL_PARTITION", "région")];
        let (agent, told) = agent(FILE, &env);
        assert_eq!(told, Vec::<String>::new());
        let agent = agent.unwrap();
        assert_eq!((agent.namespace.as_deref(), agent.partition.as_deref()), (Some("team"), Some("région")));
        let (none, _) = self::agent(FILE, &[("CONSUL_NAMESPACE", "")]);
        assert_eq!(none.unwrap().namespace, None);
    }

    #[test]
    fn a_failing_heartbeat_is_off_unless_the_object_says_so() {
        let failing = |consul: &str| {
            let text = format!("{{ consul: {consul}, jobs: [ {{ name: \"a\", exec: \"x\" }} ] }}");
            agent(&text, &[]).0.unwrap().failing_heartbeat
        };
        assert!(!failing("\"c\""));
        assert!(!failing("{ address: \"c\" }"));
        assert!(failing("{ address: \"c\", failingHeartbeat: true }"));
        assert!(failing("{ failingheartbeat: \"1\" }"));
    }
}

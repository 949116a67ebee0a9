use crate::config::validate::said::{outcome, read, said};

fn said_of(text: &str) -> Vec<String> {
    said(&outcome(text))
}

/// A job of this name that runs, and one more that waits.
fn waiting(name: &str, when: &str) -> String {
    format!(
        "{{ consul: \"c:1\", jobs: [ {{ name: \"{name}\", exec: \"x\" }}, {{ name: \"waits\", exec: \"x\", when: {when} }} ] }}"
    )
}

#[test]
fn an_unknown_source_is_told_with_the_nearest_name() {
    for (source, label) in [
        ("databse", " [did you mean \"database\"?]"),
        ("DATABASE", " [did you mean \"database\"?]"),
        ("waist", " [did you mean \"waits\"?]"),
        ("sigusr2", " [did you mean \"SIGUSR2\"?]"),
        ("check.database2", ""),
        ("elsewhere", ""),
    ] {
        let text = waiting("database", &format!("{{ source: \"{source}\", once: \"healthy\" }}"));
        let message = format!("jobs[1].when.source: nothing is called `{source}`: the job never starts{label}");
        assert_eq!(said_of(&text), [format!("W {message}")]);
        let strict = read(&text, &[], true);
        assert_eq!((strict.plan, said(&read(&text, &[], true))), (None, vec![format!("E {message}")]));
    }
}

#[test]
fn one_mistake_in_a_name_hides_no_other() {
    let file = |more: &str| {
        format!(
            "{{ jobs: [ {{ name: \"web\", exec: \"x\" }},
               {{ name: \"a\", exec: \"x\", when: {{ source: \"wbe\", once: \"healthy\" }} }},
               {{ name: \"b\", exec: \"x\", when: {{ source: \"web\", once: \"healthy\" }} }},
               {{ name: \"c\", exec: \"x\", when: {{ source: \"sigusr2\", once: \"healthy\" }} }}, {more} ] }}"
        )
    };
    for nameless in ["{ exec: \"y\" }", "{ name: null, exec: \"y\" }", "{ name: [] }", "5"] {
        let said = said_of(&file(nameless));
        assert_eq!(
            said.get(..3),
            Some(
                &[
                    "W jobs[1].when.source: nothing is called `wbe`: the job never starts [did you mean \"web\"?]".to_owned(),
                    "W jobs[2].when.once: `web` never publishes `healthy`: the job never starts".to_owned(),
                    "W jobs[3].when.source: nothing is called `sigusr2`: the job never starts [did you mean \"SIGUSR2\"?]"
                        .to_owned(),
                ][..]
            ),
            "{nameless}"
        );
        assert!(said.len() == 4 && said.concat().contains("E jobs[4]"), "{said:?}");
    }
}

#[test]
fn an_unknown_source_may_be_the_name_that_could_not_be_read() {
    let text = "{ jobs: [ { name: [] }, { name: \"b\", when: { source: \"x\", once: \"healthy\" } } ] }";
    assert_eq!(said_of(text), ["E jobs[0].name: expected a text, found []"]);
    let watch = |source: &str| {
        said_of(&format!(
            "{{ consul: \"c:1\", watches: [ {{ interval: 1 }} ], jobs: [ {{ name: \"b\", exec: \"x\", when: {{ source: \"{source}\", once: \"healthy\" }} }} ] }}"
        ))
    };
    assert_eq!(watch("watch.other").len(), 1);
    assert_eq!(watch("other").len(), 2);
    // Jobs without a name are not each other's source.
    assert_eq!(said_of("{ jobs: [ {}, { when: { source: \"watch.\", once: \"healthy\" } } ] }").len(), 2);
}

#[test]
fn a_source_out_of_the_environment_is_not_repeated() {
    let text = waiting("database", "{ source: \"{{ .SOURCE }}\", once: \"healthy\" }");
    assert_eq!(
        said(&read(&text, &[("SOURCE", "databse")], false)),
        ["W jobs[1].when.source: nothing is called a name made by the template: the job never starts"]
    );
}

#[test]
fn a_signal_starts_jobs_only_as_an_event() {
    let when = "{ source: \"SIGUSR1\" }";
    assert_eq!(
        said_of(&waiting("a", when)),
        ["W jobs[1].when.source: SIGUSR1 starts no job, it is mapped to toggleMaintenance"]
    );
    let mapped = waiting("a", when).replace("{ consul", "{ signals: { SIGUSR1: \"event\" }, consul");
    assert_eq!(said_of(&mapped), Vec::<String>::new());
}

/// A file in which a job waits for this event of one of these: `a` has all that publishes events, `bare` nothing.
fn waits_for(source: &str, event: &str) -> String {
    format!(
        "{{ consul: \"c:1\", watches: [ {{ name: \"ww\", interval: 1 }} ], telemetry: {{ interfaces: [\"static:10.0.0.1\"] }},
           jobs: [ {{ name: \"waits\", exec: \"x\", when: {{ source: \"{source}\", {event} }} }},
             {{ name: \"a\", exec: \"x\", health: {{ exec: \"c\", interval: 1, ttl: 5 }}, when: {{ source: \"ww\", once: \"healthy\", timeout: 5 }} }},
             {{ name: \"ww\", health: {{ exec: \"c\", interval: 1, ttl: 5 }} }},
             {{ name: \"bare\" }}, {{ name: \"alive\", exec: \"x\", health: {{ interval: 1, ttl: 5 }} }} ] }}"
    )
}

#[test]
fn every_event_that_is_published_may_be_waited_for() {
    for (source, events) in [
        ("a", "exitSuccess exitFailed healthy unhealthy stopping stopped timerExpired error"),
        ("bare", "stopping stopped"),
        ("alive", "exitSuccess exitFailed stopping stopped"),
        ("check.a", "exitSuccess exitFailed"),
        ("watch.ww", "healthy unhealthy changed"),
        ("global", "startup enterMaintenance exitMaintenance"),
        ("containerpilot", "stopping stopped"),
        ("anything at all", "error"),
    ] {
        for event in events.split(' ') {
            let text = waits_for(source, &format!("once: \"{event}\""));
            assert_eq!(said(&read(&text, &[], true)), Vec::<String>::new(), "{source} {event}");
        }
    }
    // Without telemetry nobody has that name.
    assert_eq!(said_of(&waiting("a", "{ source: \"containerpilot\", once: \"stopped\" }")).len(), 1);
}

#[test]
fn what_a_source_never_publishes_is_told() {
    for (source, events) in [
        ("a", "changed startup enterMaintenance SIGHUP SIGUSR2 quit"),
        ("bare", "exitSuccess exitFailed healthy unhealthy timerExpired"),
        ("alive", "healthy unhealthy changed"),
        ("check.a", "healthy changed stopped"),
        ("check.bare", "exitSuccess exitFailed"),
        ("check.alive", "exitSuccess exitFailed"),
        ("watch.ww", "exitSuccess stopped SIGHUP"),
        ("global", "healthy stopped timerExpired SIGHUP"),
        ("containerpilot", "healthy exitSuccess"),
    ] {
        for event in events.split(' ') {
            for key in ["once", "each"] {
                let text = waits_for(source, &format!("{key}: \"{event}\""));
                let told = format!("jobs[0].when.{key}: `{source}` never publishes `{event}`: the job never starts");
                assert_eq!(said_of(&text), [format!("W {told}")]);
                let strict = read(&text, &[], true);
                assert_eq!((said(&strict), strict.plan), (vec![format!("E {told}")], None));
            }
        }
    }
}

#[test]
fn of_several_with_one_name_one_that_publishes_is_enough() {
    let text = "{ jobs: [ { name: \"a\" }, { name: \"a\", exec: \"x\" },
        { name: \"w\", exec: \"x\", when: { source: \"a\", once: \"exitSuccess\" } } ] }";
    assert_eq!(said_of(text).len(), 1);
    assert!(said_of(text).concat().contains("can't be told apart"));
}

#[test]
fn a_check_or_wait_that_could_not_be_read_may_be_one() {
    for (fields, event) in [
        ("health: { exec: 5, interval: 1, ttl: 5 }", "healthy"),
        ("health: 5", "healthy"),
        ("exec: 5", "exitSuccess"),
        ("when: { source: \"w\", once: \"stopped\", timeout: \"x\" }", "timerExpired"),
        ("when: 5", "timerExpired"),
    ] {
        let text = format!(
            "{{ jobs: [ {{ name: \"a\", {fields} }}, {{ name: \"w\", exec: \"x\", when: {{ source: \"a\", once: \"{event}\" }} }} ] }}"
        );
        let said = said_of(&text);
        assert!(said.len() == 1 && said.concat().starts_with('E'), "{said:?}");
    }
}

use proptest::prelude::*;

use super::super::processor_time;
use super::*;

const SOURCE: &str = r#"{
  jobs: [
    { name: "web" },
    {
      name: "app",
      health: {
	interval: "ten",
        tll: 10,
      },
      restarts: "always",
      when: { source: "databse", once: "healthy" },
    },
  ],
}
"#;

fn problem(severity: Severity, source: &str, marked: &str, message: &str) -> Diagnostic {
    let start = source.find(marked).unwrap();
    Diagnostic {
        severity,
        path: String::new(),
        span: Some(Span { start, end: start + marked.len() }),
        message: message.to_owned(),
        label: String::new(),
        help: String::new(),
        untold: None,
        original: Some("never printed".to_owned()),
    }
}

fn several() -> Vec<Diagnostic> {
    let error = |marked, message| problem(Severity::Error, SOURCE, marked, message);
    vec![
        Diagnostic {
            help: "nearest: \"database\" (jobs[0])".to_owned(),
            path: "jobs[1].when.source".to_owned(),
            ..problem(
                Severity::Warning,
                SOURCE,
                "\"databse\"",
                "jobs[1].when.source: no job, watch or signal is called \"databse\"",
            )
        },
        Diagnostic {
            label: "did you mean `ttl`?".to_owned(),
            path: "jobs[1].health.tll".to_owned(),
            ..error("tll", "unknown key `tll` in jobs[1].health")
        },
        Diagnostic {
            help: "\"unlimited\" restarts for ever, with backoff".to_owned(),
            path: "jobs[1].restarts".to_owned(),
            ..error(
                "\"always\"",
                "jobs[1].restarts: expected \"unlimited\", \"never\" or a number from 0 up, found \"always\"",
            )
        },
        error("\"ten\"", "jobs[1].health.interval: expected whole seconds from 1 up, found \"ten\""),
    ]
}

#[test]
fn all_problems_in_file_order() {
    insta::assert_snapshot!(render(&several(), "app.json5", SOURCE));
}

#[test]
fn all_problems_for_machines() {
    let json: serde_json::Value = serde_json::from_str(&to_json(&several(), "app.json5", SOURCE)).unwrap();
    insta::assert_json_snapshot!(json);
}

#[test]
fn odd_places() {
    let mut all = String::new();
    let mut show = |problems: &[Diagnostic], source: &str| {
        all.push_str(&render(problems, "app.json5", source));
        all.push('\n');
    };
    let base = || problem(Severity::Error, "x", "x", "something is wrong");
    let at = |start, end| Diagnostic { span: Some(Span { start, end }), ..base() };

    show(&[], "{}");
    show(&[Diagnostic { span: None, help: "mount it".to_owned(), ..base() }], "");
    show(&[at(0, 9)], "");
    show(&[at(6, 6)], "{\n  a\n}");
    show(&[at(2, usize::MAX)], "{ jobs: [\n  1,\n  2,\n] }\n");
    show(&[at(5, 6)], "{a:\r\n\r\n1}");
    // Within a character of two columns, behind characters of several bytes.
    show(&[at(12, 13)], "{ é: \"日本語\" }");
    let long = format!("{{ {} tll: 1, {} }}", "aé: 1, ".repeat(3_000), "b: 2, ".repeat(1_000));
    show(&[problem(Severity::Error, &long, "tll", "far right")], &long);
    insta::assert_snapshot!(all);
}

#[test]
fn nothing_that_a_terminal_obeys_gets_out() {
    let source = "{ a: \"\u{1b}[31m\u{7}\u{202e}\u{8f}\u{9b}2J\", b: 1 }";
    let problems = [Diagnostic {
        label: "\u{1b}]0;x\u{7}".to_owned(),
        help: "one\ntwo\u{8}\r\u{2028}".to_owned(),
        ..problem(Severity::Error, source, "b", "found \"\u{1b}[2J\n\u{202e}\u{9b}\"")
    }];
    let text = render(&problems, "a\u{1b}pp.json5", source);
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || is_reordering(c)), "{text:?}");
    insta::assert_snapshot!(text);
}

#[test]
fn what_repeats_the_file_is_cut() {
    let problems = [problem(Severity::Error, SOURCE, "tll", &"x".repeat(100_000))];
    assert!(render(&problems, "f", SOURCE).len() < 3_000);
}

#[test]
fn lines_and_columns_count_from_one_in_characters() {
    let source = "é{\n\tb: 日x\r\n";
    let at = |offset| line_col(source, offset);
    assert_eq!(at(0), (1, 1));
    assert_eq!(at(1), (1, 1), "within é");
    assert_eq!(at(2), (1, 2));
    assert_eq!(at(3), (1, 3), "the line break belongs to the line it ends");
    assert_eq!(at(4), (2, 1));
    assert_eq!(at(source.find('x').unwrap()), (2, 6));
    assert_eq!(at(source.len()), (3, 1));
    assert_eq!(at(usize::MAX), (3, 1));
    assert_eq!(line_col("", 0), (1, 1));
}

#[test]
fn a_thousand_problems_in_one_endless_line_are_no_work() {
    let source = "a: 1, ".repeat(1 << 17);
    let base = problem(Severity::Error, &source, "a", "unknown key");
    let problems: Vec<Diagnostic> = (0..1_000)
        .map(|index| Diagnostic { span: Some(Span { start: index * 600, end: index * 600 + 1 }), ..base.clone() })
        .collect();
    let before = processor_time();
    let text = render(&problems, "f", &source);
    let worked = processor_time().saturating_sub(before);
    assert!(worked < std::time::Duration::from_secs(5), "{worked:?}");
    assert!(text.contains("--> f:1:599401\n"));
}

#[test]
fn one_line_holds_everything_for_a_log() {
    let base = problem(Severity::Warning, SOURCE, "databse", "jobs[1].when.source: nothing is called `databse`");
    let more = Diagnostic { label: "did you mean \"web\"?".to_owned(), help: "or\nnot".to_owned(), ..base.clone() };
    assert_eq!(
        one_line(&more, "app\u{1b}.json5", SOURCE),
        "app\\u{1b}.json5:11:24: jobs[1].when.source: nothing is called `databse` (did you mean \"web\"?; or\\nnot)"
    );
    assert_eq!(
        one_line(&Diagnostic { span: None, ..base }, "f", SOURCE),
        "f: jobs[1].when.source: nothing is called `databse`"
    );
}

proptest! {
    #[test]
    fn any_place_in_any_source_is_shown(
        source in any::<String>(), start in 0_usize..100, length in 0_usize..100, message in any::<String>(),
    ) {
        let problems = [Diagnostic {
            severity: Severity::Warning,
            path: String::new(),
            span: Some(Span { start, end: start + length }),
            message,
            label: source.clone(),
            help: source.clone(),
            untold: None,
            original: None,
        }];
        let text = render(&problems, "f", &source);
        let (line, column) = line_col(&source, start);
        let place = format!("--> f:{line}:{column}\n");
        prop_assert!(text.contains(&place), "{text} has no {place}");
        prop_assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || is_reordering(c)), "{:?}", text);
        prop_assert!(!one_line(&problems[0], "f", &source).contains('\n'));
        to_json(&problems, "f", &source);
    }
}

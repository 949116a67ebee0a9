use proptest::prelude::*;

use super::super::processor_time;
use super::*;

#[test]
fn values_of_tokens_are_stars_and_everything_stays_in_its_place() {
    for (given, want) in [
        (r#"{consul: {token: "s3cr3t", adress: 1}}"#, r#"{consul: {token: "******", adress: 1}}"#),
        (r#"{"token" : 'a\'b', x: "y"}"#, r#"{"token" : '****', x: "y"}"#),
        ("{Token: \"s\", TOKEN: \"t\"}", "{Token: \"*\", TOKEN: \"*\"}"),
        ("{tokn: \"s\", tokens: \"t\"}", "{tokn: \"*\", tokens: \"*\"}"),
        (r#"{token /* c: "x" */ : // d: "y"#, r"{token /* ********************"),
        ("{token // a\n: \"s\"}", "{token // *\n****\"}"),
        (r#"{"\u0074oken": "s"}"#, r#"{"\u0074oken": "*"}"#),
        (r#"{token: ["s", 't'], x: "y"}"#, r#"{token: [********]*******"}"#),
        (r#"{token: {a: "s}"}, x: "y"}"#, r#"{token: {*****}*}*******"}"#),
        (r#"{token: "{{ .T | default "s" }}", x: "y"}"#, r#"{token: "{{******************}}", x: "y"}"#),
        ("{token: {{ .T }}, x: 1}", "{token: {{****}}******}"),
        ("{token: 12}", "{token: **}"),
        ("{token: \"a\\\nb\"}", "{token: \"**\n*\"}"),
        ("token: \"no end", "token: \"******"),
        ("{token: \"aüﬓ😀\"}", "{token: \"*\u{66d}\u{2217}\u{1f7b6}\"}"),
        // A key with its value, or a string, that is beyond doubt: what follows is shown.
        (r#"{token: "s", adress: 1}"#, r#"{token: "*", adress: 1}"#),
        (r#"{exec: "my-token s", x: 1}"#, r#"{exec: "my-token *", x: 1}"#),
        (r#"{a: [{token: "s"}], "b" /* c */ : 1}"#, r#"{a: [{token: "*"}], "b" /* c */ : 1}"#),
        // One bracket does not make it so: it may be what is broken.
        (r#"{token: "{}}{ x "]s3" }}", x: 1}"#, r#"{token: "{}}{****]****}}*******}"#),
        (r#"{token: "{}}{ x "}s3" }}"}"#, r#"{token: "{}}{****}**" }}"}"#),
        (r#"{token: "{}}{ x ",s3" }}"}"#, r#"{token: "{}}{*******" }}"}"#),
        // Everything else hides the line.
        (r#"{token = "s3", x: 1}"#, r#"{token = "*********}"#),
        (r#"{token "s3", x: 1}"#, r#"{token "*********}"#),
        (r"{token => s3}", r"{token => **}"),
        (r#"{"token", "s3"}"#, r#"{"token", "**"}"#),
        (r#"{token: "ab"s3", x: 1}"#, r#"{token: "************}"#),
        (r#"{token: "",s3"}"#, r#"{token: "",**"}"#),
        (r#"{a: http://x, token: "s3"}"#, r#"{a: http://x, token: "**"}"#),
        (r#"{a: "http://x, token: "s3"}"#, r#"{a: "http://x, token: "**"}"#),
        (r#"{a: "http://h?token=s3" x}"#, r#"{a: "http://h?token=*****}"#),
        ("// token: \"s3\"\n{tag: \"a\"}", "// token: \"**\"\n{tag: \"a\"}"),
        ("/* my_Token = s3 */ {a: 1}", "/* my_Token = ******{****}"),
        ("{token = \n\"s3\"\n x: 1}", "{token = \n\"**\"\n x: 1}"),
        ("// token: s3\"\n{token \"s\", x: 4}", "// token: ***\n{***************}"),
        ("{token = \"s3\nab\", x: 1\n y: 1}", "{token = \"**\n*********\n y: 1}"),
        (r#"{"\u0074oken" = "s3"}"#, r#"{"\u0074oken" = "**"}"#),
        ("{token: {{ if .X }}\n\"s3\" x\n{{ end }}, x: 1\n}", "{token: {{*******}}\n******\n{{*****}}******\n}"),
        // What ends otherwise than a value does may go on behind it, on whatever line.
        ("{token: { i\nf .X }}\"s3\"{{ end }} }, a: 1\n}", "{token: {**\n*****}}****{{*****}}*}******\n}"),
        ("{token: if .X \n}}\n\"s3\"\n}", "{token: ******\n}}\n***\"\n}"),
        ("{token: 0\n\"s3\"\n, a: 1}", "{token: *\n***\"\n, a: 1}"),
        (r#"" { token: 's3', addre": "x" }"#, r#"" { token: '***************" }"#),
        // It's hidden, an apostrophe or not.
        ("// a token isn't it\n{a: 1}", "// a token ********\n{a: 1}"),
        // Not a key, or another one.
        ("nothing", "nothing"),
        ("token", "token"),
        ("", ""),
    ] {
        assert_eq!(hidden(given), want);
    }
}

#[test]
fn what_is_hidden_is_known_by_its_place_and_its_words() {
    let source = r#"{ consul: { token = "s3cr3t (four)" }, jobs: 5 }"#;
    let secrets = Secrets::of(source);
    let place = |text: &str| {
        let start = source.find(text).unwrap();
        Span { start, end: start + text.len() }
    };
    assert!(secrets.touch(place("cr3")) && secrets.touch(place("jobs")));
    assert!(!secrets.touch(place("consul: { token")) && !secrets.touch(Span { start: 900, end: 990 }));
    assert!(secrets.are_told_by("bad number s3cr3t here", source) && secrets.are_told_by("four", source));
    assert!(!secrets.are_told_by("consul, token, s3c", source));
}

#[test]
fn a_quote_that_is_open_over_very_many_lines_is_no_work() {
    for (line, end) in [("x\n", "\", other: 1"), ("x\n", ""), ("x:\n", "\"")] {
        let source = ["token \"", &line.repeat(1 << 19), end].concat();
        let before = processor_time();
        let shown = hidden(&source);
        let worked = processor_time().saturating_sub(before);
        assert!(worked < std::time::Duration::from_secs(5), "{worked:?}");
        assert!(!shown.contains('x'));
    }
}

proptest! {
    #[test]
    fn no_character_moves(text in "(token|Tokn|\"|'|:|,|\\{|\\}|\\[|\\]|//|/\\*|\\*/|\\\\| |\n|a|ü|ﬓ|😀){0,40}") {
        let shown = hidden(&text);
        let places = |text: &str| text.char_indices().map(|(at, _)| at).collect::<Vec<_>>();
        prop_assert_eq!(places(&shown), places(&text));
        prop_assert_eq!(shown.matches('\n').count(), text.matches('\n').count());
    }
}

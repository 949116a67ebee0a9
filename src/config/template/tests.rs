//! What the golden vectors don't show: limits, origins, places of errors, and that nothing panics.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::config::diagnostic::Span;
use crate::env::Environment;

fn env() -> Environment {
    [("NAME", "Template"), ("USER", "pilot"), ("PARTS", "a:b:c"), ("COUNT", "3"), ("UNI", "héllo 日本 🚀")]
        .into_iter()
        .collect()
}

fn text(source: &str) -> String {
    render(source, &env()).unwrap_or_else(|error| panic!("{source}: {error}")).text
}

fn refusal(source: &str) -> TemplateError {
    render(source, &env()).map(|rendered| rendered.text).unwrap_err()
}

/// What an error marks in the source.
fn marked(source: &str) -> String {
    let span = refusal(source).span;
    source.get(span.start..span.end).unwrap().to_owned()
}

/// Processor time of this thread: the machine may be busy with other things.
fn processor_milliseconds() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1_000_000
}

/// What the worst template may take, in milliseconds; an unoptimised build is some ten times slower.
const WORST: u64 = if cfg!(debug_assertions) { 1500 } else { 150 };

/// Renders within a time, and gives the class of the failure.
fn bounded(source: &str) -> Option<Class> {
    within(source, WORST)
}

fn within(source: &str, most: u64) -> Option<Class> {
    let start = processor_milliseconds();
    let result = render(source, &env());
    let spent = processor_milliseconds() - start;
    let shown: String = source.chars().take(80).collect();
    assert!(spent < most, "{spent} ms for {shown}");
    if let Err(error) = &result {
        assert!(error.span.end <= source.len(), "{error:?}");
    }
    result.err().map(|error| error.class)
}

#[test]
fn nesting_in_the_source_is_limited() {
    for deep in [
        format!("{{{{ {}", "(".repeat(50_000)),
        format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000)),
        "{{ if true }}".repeat(50_000),
        "{{ range loop 2 }}".repeat(50_000),
        "{{ with 1 }}".repeat(50_000),
        "{{ block \"x\" . }}".repeat(50_000),
    ] {
        assert_eq!(bounded(&deep), Some(Class::Limit));
    }
    let sixty = format!("{}x{}", "{{ if true }}".repeat(60), "{{ end }}".repeat(60));
    assert_eq!(text(&sixty), "x");
    let sixty = format!("{{{{ {}1{} }}}}", "(".repeat(60), ")".repeat(60));
    assert_eq!(text(&sixty), "1");
}

#[test]
fn a_long_chain_of_else_if_is_not_nesting() {
    let mut source = "{{ if eq .NAME \"0\" }}0".to_owned();
    for i in 1..5000 {
        write!(source, "{{{{ else if eq .NAME \"{i}\" }}}}{i}").unwrap();
    }
    source.push_str("{{ else if .NAME }}last{{ end }}");
    assert_eq!(text(&source), "last");
}

#[test]
fn nesting_while_rendering_is_limited() {
    let recursive = |inner: &str| {
        let open = "{{ if true }}".repeat(30);
        let close = "{{ end }}".repeat(30);
        format!("{{{{ define \"T\" }}}}{open}{inner}{close}{{{{ end }}}}{{{{ template \"T\" . }}}}")
    };
    assert_eq!(bounded(&recursive("{{ template \"T\" . }}")), Some(Class::Limit));
    let parentheses = format!("{{{{ template \"T\" {}.{} }}}}", "(".repeat(30), ")".repeat(30));
    assert_eq!(bounded(&recursive(&parentheses)), Some(Class::Limit));
    assert_eq!(
        bounded("{{ define \"T\" }}x{{ template \"T\" }}{{ end }}{{ template \"T\" }}"),
        Some(Class::RecursionTooDeep)
    );
    let doubling = "{{ define \"T\" }}{{ template \"T\" }}{{ template \"T\" }}{{ end }}{{ template \"T\" }}";
    assert_eq!(bounded(doubling), Some(Class::RecursionTooDeep));
    // Sixty-three templates of which each calls the next one twice: 2⁶³ calls.
    let mut bomb = "{{ define \"T63\" }}{{ end }}".to_owned();
    for i in 0..63 {
        let next = i + 1;
        write!(
            bomb,
            "{{{{ define \"T{i}\" }}}}{{{{ template \"T{next}\" }}}}{{{{ template \"T{next}\" }}}}{{{{ end }}}}"
        )
        .unwrap();
    }
    bomb.push_str("{{ template \"T0\" }}");
    assert_eq!(bounded(&bomb), Some(Class::Limit));
}

#[test]
fn work_and_size_are_limited() {
    for source in [
        "{{ loop 0 999999999 }}",
        "{{ loop -9223372036854775807 9223372036854775807 }}",
        "{{ range loop 1000 }}{{ range loop 1000 }}{{ range loop 1000 }}x{{ end }}{{ end }}{{ end }}",
        "{{ printf \"%1000000d%1000000d\" 1 2 }}",
        "{{ printf \"%9999999d\" 1 }}",
        "{{ printf \"%.9999999d\" 1 }}",
        "{{ printf \"%.9999999f\" 1.5 }}",
        "{{ printf \"%.9999999e\" 1.5 }}",
        "{{ printf \"%.9999999g\" 1.5 }}{{ printf \"%#.9999999g\" 1.5 }}",
        "{{ printf \"%.9999999x\" 1.5 }}",
        "{{ printf \"%*d%*d\" 1000000 1 1000000 2 }}",
        "{{ printf \"%1000000d\" (loop 100000) }}",
        "{{ $x := \"ab\" }}{{ range loop 40 }}{{ $x = print $x $x }}{{ end }}",
        "{{ $x := \"ab\" }}{{ range loop 40 }}{{ $x = replaceAll \"\" $x $x }}{{ end }}",
        "{{ $x := \"ab\" }}{{ range loop 40 }}{{ $x = regexReplaceAll `.` `$0$0` $x }}{{ end }}",
        "{{ $x := \"a,b\" }}{{ range loop 40 }}{{ $x = join $x (split `` $x) }}{{ end }}",
        "{{ $x := printf `%500000d` 1 }}{{ range loop 1000 }}{{ $y := print $x $x }}{{ end }}",
        "{{ $x := printf `%500000d` 1 }}{{ range loop 1000 }}{{ $y := split `` $x }}{{ end }}",
        "{{ $x := printf `%500000d` 1 }}{{ regexReplaceAll ` *x| ` `` $x }}",
        "{{ $x := printf `%500000d` 1 }}{{ range loop 100 }}{{ $x }}{{ end }}",
        // Comparing costs what is compared.
        "{{ $x := printf `%900000d` 1 }}{{ range loop 1000 }}{{ $y := eq $x $x }}{{ end }}",
        "{{ $x := printf `%900000d` 1 }}{{ $z := printf `%900000d` 2 }}{{ range loop 100 }}{{ $y := eq $x $z $z $z $z }}{{ end }}",
        "{{ $x := printf `%900000d` 1 }}{{ range loop 1000 }}{{ $y := le $x $x }}{{ end }}",
        "{{ $x := `a` }}{{ range loop 18 }}{{ $x = print $x $x }}{{ end }}{{ len (split (print $x `b`) (print $x $x)) }}",
        "{{ $x := `a` }}{{ range loop 18 }}{{ $x = print $x $x }}{{ end }}{{ len (replaceAll (print $x `b`) `` (print $x $x)) }}",
        "{{ $x := printf `%900000d` 1 }}{{ range loop 1000 }}{{ $y := env $x }}{{ end }}",
        "{{ regexReplaceAll `(((((a{10}){10}){10}b){0,2}){0,9}){0,9}` `` `aaa` }}{{ loop 0 9999999 }}",
    ] {
        let class = bounded(source);
        assert!(matches!(class, Some(Class::Limit | Class::BadRegexp)), "{source}: {class:?}");
    }
    assert_eq!(bounded(&"x".repeat(1024 * 1024)), None);
    assert_eq!(bounded(&"x".repeat(1024 * 1024 + 1)), Some(Class::Limit));
}

#[test]
fn long_sources_take_no_square_time() {
    assert_eq!(bounded(&"{{/* c */}}".repeat(90_000)), None);
    assert_eq!(bounded(&"{{1}}\n".repeat(100_000)), None);
    assert_eq!(bounded(&"{{ $x := 1 }}".repeat(50_000)), Some(Class::Limit));
    assert_eq!(bounded(&format!("{{{{ 1{} }}}}", " | print".repeat(50_000))), None);
    assert_eq!(bounded(&format!("{{{{ print{} }}}}", " 1".repeat(100_000))), None);
    assert_eq!(bounded(&"{{ define \"x\" }} {{ end }}".repeat(40_000)), None);
    let classes = format!("{{{{ regexReplaceAll `(?i){}` `` `a` }}}}", r"\pL".repeat(5000));
    assert_eq!(bounded(&classes), None);
    let bracket: String = (0..5000).map(|i| char::from_u32(0x4e00 + 2 * i).unwrap()).collect();
    assert_eq!(bounded(&format!("{{{{ regexReplaceAll `(?i)[^{bracket}]` `` `a` }}}}")), None);
}

#[test]
fn the_map_leads_from_the_text_to_the_source() {
    let source = "a{{ .NAME }}b{{ define \"T\" }}<{{ . }}>{{ end }}{{ range loop 2 }}{{ template \"T\" . }}{{ end }}é";
    let rendered = render(source, &env()).unwrap();
    assert_eq!(rendered.text, "aTemplateb<0><1>é");
    let origin = |part: &str| {
        let start = rendered.text.find(part).unwrap();
        let span = rendered.map.source_span(start..start + part.len());
        source.get(span.start..span.end).unwrap()
    };
    assert_eq!(origin("a"), "a");
    assert_eq!(origin("empl"), "{{ .NAME }}");
    assert_eq!(origin("1"), "{{ . }}");
    assert_eq!(origin(">"), ">");
    assert_eq!(origin("<0>"), "<{{ . }}>");
    assert_eq!(origin("é"), "é");
    assert_eq!(origin("ateb"), "{{ .NAME }}b");
}

#[test]
fn the_map_counts_what_replaced_invalid_bytes() {
    let source = "{{ slice .UNI 0 2 }}|{{ slice .UNI 2 3 }}{{ slice .UNI 1 2 }}{{ slice .UNI 2 3 }}x";
    let rendered = render(source, &env()).unwrap();
    assert_eq!(rendered.text, "h\u{fffd}|\u{fffd}éx");
    let origin = |range: std::ops::Range<usize>| {
        let span = rendered.map.source_span(range);
        source.get(span.start..span.end).unwrap()
    };
    assert_eq!(origin(1..4), "{{ slice .UNI 0 2 }}");
    assert_eq!(origin(4..5), "|");
    assert_eq!(origin(5..8), "{{ slice .UNI 2 3 }}");
    assert_eq!(origin(8..10), "{{ slice .UNI 1 2 }}{{ slice .UNI 2 3 }}");
    assert_eq!(origin(10..11), "x");
}

#[test]
fn errors_mark_what_is_wrong() {
    for (source, part) in [
        ("a\n{{ .A }} {{ nofunc 1 }}", "nofunc"),
        ("{{ $y }}", "$y"),
        ("{{ .NA-ME }}", "-"),
        ("x {{ if .A }} {{ range loop 2 }} y", "{{ range"),
        ("x {{ .NAME", "{{ .NAME"),
        ("{{ 12x }}", "12x"),
        ("{{ loop 1.5 }}", "loop 1.5"),
        ("{{ print (loop 1 .NAME) }}", "loop 1 .NAME"),
        ("{{ .NAME.X }}", ".NAME.X"),
        ("{{ (env \"NAME\").X }}", "\"NAME\""),
        ("{{ template \"T\" }}", "{{ template \"T\" }}"),
        ("{{ 1 | 2 }}", "2"),
        ("{{ range 5 }}{{ end }}", "5"),
        ("{{ break }}", "{{ break }}"),
    ] {
        assert_eq!(marked(source), part, "{source}");
    }
    assert_eq!(refusal("{{ end }}").span, Span { start: 7, end: 9 });
}

#[test]
fn an_error_some_lines_into_an_action_tells_where_it_began() {
    assert_eq!(refusal("x\n{{ .A\n\n").message, "template: :4: unclosed action started at :2");
    let message = "template: :3: unterminated quoted string in action started at :2";
    assert_eq!(refusal("x\n{{ .A\n\"b }}").message, message);
}

#[test]
fn range_assigns_to_variables_that_exist() {
    // Go 1.19 overwrote whichever variable was declared last; that was a mistake, mended in 1.20.
    let source =
        "{{ $i := 9 }}{{ $v := 9 }}{{ $z := 9 }}{{ range $i, $v = split `:` .PARTS }}{{ end }}{{ $i }}{{ $v }}{{ $z }}";
    assert_eq!(text(source), "2c9");
}

#[test]
fn the_environment_may_hold_any_bytes() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;
    let value = OsString::from_vec(b"a\xffb".to_vec());
    let env: Environment = [(OsString::from("X"), value)].into_iter().collect();
    assert_eq!(render_bytes(b"{{ .X }}", &env).unwrap().0, b"a\xffb");
    assert_eq!(render("{{ .X }}", &env).unwrap().text, "a\u{fffd}b");
    assert_eq!(render("{{ printf `%q` .X }}", &env).unwrap().text, r#""a\xffb""#);
}

/// Words of the language and some that are none, from which templates can come.
fn word() -> impl Strategy<Value = String> {
    static WORDS: &[&str] = &[
        "{{",
        "}}",
        "{{-",
        "-}}",
        " ",
        "\n",
        "(",
        ")",
        "|",
        ".",
        "$",
        "$x",
        "$i",
        ":=",
        "=",
        ",",
        "if",
        "else",
        "end",
        "range",
        "with",
        "define",
        "template",
        "block",
        "break",
        "continue",
        "nil",
        "true",
        "false",
        "\"T\"",
        "`raw`",
        "'c'",
        "1",
        "-2",
        "3.5",
        "1i",
        "1+2i",
        "0x1p4",
        "9223372036854775807",
        ".NAME",
        ".UNI",
        ".PARTS",
        "loop",
        "split",
        "join",
        "default",
        "env",
        "replaceAll",
        "regexReplaceAll",
        "and",
        "or",
        "not",
        "eq",
        "lt",
        "len",
        "index",
        "slice",
        "html",
        "js",
        "urlquery",
        "print",
        "printf",
        "println",
        "call",
        "\"%v %d %[2]*.[1]*f\"",
        "\"(a|b)*?\"",
        "/*",
        "*/",
        "text",
        "é",
        "\u{1}",
        "{{ if 1 }}",
        "{{ end }}",
        "{{ else }}",
        "{{ range loop 3 }}",
        "{{ . }}",
        "{{ define \"T\" }}",
        "{{ template \"T\" . }}",
        "{{ $x := loop 4 }}",
    ];
    prop_oneof![
        20 => proptest::sample::select(WORDS).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn golden() -> Vec<String> {
    let text = include_str!("../../../tests/golden/templates.json");
    let cases: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    cases.iter().filter_map(|case| case["template"].as_str().map(str::to_owned)).collect()
}

/// Renders and looks at what must hold whatever comes out.
fn sound(source: &str) {
    let _ = within(source, 100);
    match render(source, &env()) {
        Ok(rendered) => {
            let whole = rendered.map.source_span(0..rendered.text.len());
            assert!(whole.start <= whole.end && whole.end <= source.len());
            for start in 0..rendered.text.len().min(200) {
                let span = rendered.map.source_span(start..start + 1);
                assert!(span.start <= span.end && span.end <= source.len());
            }
        }
        Err(error) => {
            assert!(error.span.start <= error.span.end && error.span.end <= source.len(), "{source:?} {error:?}");
            assert!(error.message.ends_with(&error.reason));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_words_make_it_panic(words in proptest::collection::vec(word(), 0..60), spaced: bool) {
        sound(&words.join(if spaced { " " } else { "" }));
    }

    #[test]
    fn no_call_makes_it_panic(words in proptest::collection::vec(word(), 1..8)) {
        sound(&format!("{{{{ {} }}}}", words.join(" ")));
    }

    #[test]
    fn no_format_makes_it_panic(format in "(%[-+# 0]{0,3}(\\[[0-3]\\])?([0-9]{0,3}|\\*)(\\.([0-9]{0,3}|\\*))?[a-zA-Z%é]?){1,3}", number: i64) {
        let format = serde_json::Value::from(format).to_string();
        sound(&format!("{{{{ printf {format} {number} 2.5 .UNI (loop 3) }}}}"));
    }

    #[test]
    fn no_pattern_makes_it_panic(pattern in "([ab.|*+?(){}0-9,\\\\dpLQEzx^$\\[\\]:-]|\\(\\?|\\(\\?P<n>){0,20}", to in "[$a-c0-2{}]{0,6}") {
        sound(&format!("{{{{ regexReplaceAll `{pattern}` `{to}` `aabab a1 {{}}` }}}}"));
    }

    #[test]
    fn no_mutation_of_a_golden_template_makes_it_panic(
        (first, second) in (proptest::sample::select(golden()), proptest::sample::select(golden())),
        cut in any::<(proptest::sample::Index, proptest::sample::Index)>(),
        insert in word(),
    ) {
        let boundary = |text: &str, index: proptest::sample::Index| {
            (0..=index.index(text.len() + 1)).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
        };
        let (head, _) = first.split_at(boundary(&first, cut.0));
        let (_, tail) = second.split_at(boundary(&second, cut.1));
        sound(&format!("{head}{insert}{tail}"));
        sound(&format!("{head}{tail}"));
    }

    #[test]
    fn bytes_come_through_as_they_are(source in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = render_bytes(&source, &env());
    }
}
